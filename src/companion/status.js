// In the status bar: memory used against the limit, and what is due next.

import { left, next, sizes } from './words.js';

const NEARLY = 0.9;
const AGAIN = 0.75;

/** The item, and a warning before the memory is full. */
export class Status {
  constructor(apputils, widgets, bar, open) {
    this._apputils = apputils;
    this._warned = false;
    this._item = new widgets.Widget();
    this._item.addClass('firstbell-status');
    this._item.node.style.cssText = 'display: flex; align-items: center; padding: 0 4px; white-space: nowrap';
    this._item.node.addEventListener('click', open);
    bar?.registerStatusItem('@firstbell/companion:status', { item: this._item, align: 'left', rank: 90 });
  }

  show(news) {
    const memory = news.memory ?? {};
    const due = next(news.assignments, Date.now());
    const home = news.home && !['ok', 'again', undefined].includes(news.home.level) ? news.home : null;
    const parts = [
      memory.used ? `Mem ${sizes(memory)}` : '',
      home ? `Home ${home.used}` : '',
      due ? `${due.name} due in ${left(due.until - Date.now())}` : ''
    ].filter(Boolean);
    this._item.node.textContent = parts.join(' · ');
    this._item.node.title = [
      home ? home.words : '',
      memory.used ? 'Memory that your server and its notebooks use' : '',
      due ? `${due.name} is due ${due.due}` : '',
      news.away ? 'The hub does not answer at the moment: messages and hand-ins have to wait.' : ''
    ].filter(Boolean).join('\n');
    this._warn(memory, Boolean(home) && home.level !== 'near');
  }

  _warn(memory, full) {
    const share = memory.limit ? memory.used / memory.limit : 0;
    this._item.node.style.color = share > NEARLY || full ? 'var(--jp-error-color1)' : '';
    if (share > NEARLY && !this._warned) {
      const words = `Memory is nearly full: ${sizes(memory)}. A notebook that needs more is ended. ` +
        'Shut down those that you do not need.';
      this._apputils.Notification.emit(words, 'warning', { autoClose: false });
    }
    this._warned = share > NEARLY || (this._warned && share > AGAIN);
  }
}
