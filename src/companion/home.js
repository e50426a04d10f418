// How full the home is: said once when it gets worse, with what takes the room and what can be done without.

const ALARMS = { near: 'warning', over: 'error', full: 'error', rescue: 'error', again: 'success' };

/** The notice, and the dialog behind it. `look` asks for news. */
export class Home {
  constructor(apputils, dialogs, talk, look) {
    this._apputils = apputils;
    this._dialogs = dialogs;
    this._talk = talk;
    this._look = look;
    this._news = {};
    this._level = 'ok';
    this._toast = '';
  }

  /** What this server has measured. */
  show(news) {
    this._news = news ?? {};
    const level = this._news.level ?? this._level;
    if (level === this._level) {
      return;
    }
    this._level = level;
    this._dismiss();
    const alarm = ALARMS[level];
    if (alarm) {
      const actions = level === 'again' ? [] : [{ label: 'What takes the room', callback: () => void this.open() }];
      const options = { autoClose: false, actions };
      // A notice shows little; the dialog has all of it.
      const [first] = this._news.words.split('. ');
      this._toast = this._apputils.Notification.emit(first, alarm, options);
    }
  }

  /** Whether there is something to open. */
  isKnown() {
    return Boolean(this._news.used);
  }

  /** What takes the room. */
  async open() {
    const { used, parts = [], spare, words } = this._news;
    const list = parts.map(([name, size, files]) => `${name} · ${size}${files > 1 ? ` · ${files} files` : ''}`);
    const texts = [words || `Your home holds ${used}.`, list.join('\n')].filter(Boolean);
    const empty = `Empty trash and caches (${spare})`;
    const pressed = await this._dialogs.ask('Your home', texts, spare ? [empty, 'Close'] : ['Close']);
    if (pressed !== empty) {
      return;
    }
    const { status, answer } = await this._talk.ask('/make-room', {});
    if (status !== 200) {
      this._apputils.Notification.emit(answer.message ?? 'That could not be done.', 'error', { autoClose: false });
    }
    await this._look();
  }

  _dismiss() {
    if (this._toast) {
      this._apputils.Notification.dismiss(this._toast);
      this._toast = '';
    }
  }
}
