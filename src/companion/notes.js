// What staff tell somebody, as Lab's notifications; what was read is told back.

import { signed } from './words.js';

const SHORT = 110;

/** Shows each message once, until its person says that they have read it: here, in another tab, or on a page. */
export class Notes {
  constructor(apputils, dialogs, talk) {
    this._apputils = apputils;
    this._dialogs = dialogs;
    this._talk = talk;
    this._ids = new Map();
    this._read = new Set();
    apputils.Notification.manager.changed.connect((_, change) => {
      if (change.type === 'removed') {
        void this._gone(change.notification.id);
      }
    });
  }

  /** What the hub holds unread now. */
  show(messages) {
    const unread = new Set(messages.map(one => one.id));
    for (const [id, toast] of [...this._ids]) {
      if (!unread.has(id)) {
        this._ids.delete(id);
        this._apputils.Notification.dismiss(toast);
      }
    }
    for (const one of messages) {
      if (!this._ids.has(one.id) && !this._read.has(one.id)) {
        this._ids.set(one.id, this._emit(one));
      }
    }
  }

  _emit(message) {
    const text = signed(message);
    const long = text.length > SHORT;
    const actions = [{ label: 'Got it', displayType: 'accent', callback: () => undefined }];
    if (long) {
      actions.unshift({
        label: 'Read all',
        callback: event => {
          event.preventDefault();
          void this._whole(message, text);
        }
      });
    }
    const short = long ? text.slice(0, SHORT) + '…' : text;
    return this._apputils.Notification.emit(short, 'info', { autoClose: false, actions });
  }

  async _whole(message, text) {
    const title = message.by ? `From ${message.by}` : 'Message';
    const pressed = await this._dialogs.ask(title, [text, message.at], ['Got it']);
    if (pressed && this._ids.has(message.id)) {
      this._apputils.Notification.dismiss(this._ids.get(message.id));
    }
  }

  async _gone(toast) {
    const found = [...this._ids].find(([, one]) => one === toast);
    if (!found) {
      return;
    }
    const [id] = found;
    this._ids.delete(id);
    this._read.add(id);
    const { status } = await this._talk.ask('/read', { ids: [id] });
    if (status === 0 || status >= 500) {
      this._read.delete(id); // not told: it is shown again rather than lost
    }
  }
}
