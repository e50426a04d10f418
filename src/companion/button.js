// "Hand In" in the toolbar of each notebook that lies in an assignment's folder.

import { holding } from './words.js';

const ITEM = 'firstbell-hand-in';

/** Keeps the buttons of all open notebooks as they should be. */
export class Buttons {
  constructor(app, ui, news, run) {
    Object.assign(this, { ui, news, run });
    this._panels = new Map();
    app.docRegistry.addWidgetExtension('Notebook', { createNew: panel => this._add(panel) });
    for (const widget of app.shell.widgets('main')) {
      if (widget.toolbar && /\.ipynb$/.test(widget.context?.path ?? '')) {
        this._add(widget); // it was open before we came
      }
    }
  }

  /** After the assignments have changed. */
  look() {
    for (const panel of this._panels.keys()) {
      this._look(panel);
    }
  }

  _add(panel) {
    if (this._panels.has(panel)) {
      return undefined;
    }
    this._panels.set(panel, null);
    panel.context.pathChanged.connect(() => this._look(panel));
    panel.disposed.connect(() => this._panels.delete(panel));
    this._look(panel);
    return undefined;
  }

  _look(panel) {
    const one = holding(panel.context.path, this.news().assignments);
    const button = this._panels.get(panel);
    if (button?.assignment === one?.name) {
      return;
    }
    button?.widget.dispose();
    this._panels.set(panel, one ? { assignment: one.name, widget: this._button(panel, one.name) } : null);
  }

  _button(panel, name) {
    const widget = new this.ui.ToolbarButton({
      className: ITEM,
      label: 'Hand In',
      tooltip: `Hand in ${name}: takes this folder, and gives a receipt`,
      onClick: () => this.run(name)
    });
    if (!panel.toolbar.insertBefore('spacer', ITEM, widget)) {
      panel.toolbar.addItem(ITEM, widget);
    }
    return widget;
  }
}
