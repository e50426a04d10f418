// Lab's dialogs with plain text in them, whatever it is and whoever wrote it.

export class Dialogs {
  constructor(apputils, widgets) {
    this._apputils = apputils;
    this._widgets = widgets;
  }

  /** Shows the texts, a paragraph each; the label of the button that was pressed, empty where none was. */
  async ask(title, texts, labels, cancel = false) {
    const { Dialog, showDialog } = this._apputils;
    const buttons = labels.map(label => Dialog.okButton({ label }));
    const body = new this._widgets.Widget({ node: paragraphs(texts) });
    const result = await showDialog({ title, body, buttons: cancel ? [Dialog.cancelButton(), ...buttons] : buttons });
    return result.button.accept ? result.button.label : '';
  }

  /** One of the names, or nothing. */
  async choose(title, label, items) {
    return (await this._apputils.InputDialog.getItem({ title, label, items })).value;
  }
}

function paragraphs(texts) {
  const node = document.createElement('div');
  for (const text of texts.filter(Boolean)) {
    const one = node.appendChild(document.createElement('p'));
    one.textContent = text;
    one.style.cssText = 'white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 8px; max-width: 40em';
  }
  return node;
}
