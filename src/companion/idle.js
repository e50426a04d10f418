// Tells that somebody is there, says when the server is about to end, and takes the answer.

import { service } from './shared.js';
import { soon } from './words.js';

const SIGNS = ['pointerdown', 'keydown', 'wheel', 'touchstart', 'paste'];
/** Milliseconds after the end, by which the hub has ended the server. */
const OVER = 5000;

/** What its person does in the page, and the notice before the end. `look` asks for news. */
export class Idle {
  constructor(app, apputils, dialogs, talk, look) {
    this._app = app;
    this._apputils = apputils;
    this._dialogs = dialogs;
    this._talk = talk;
    this._look = look;
    this._news = {};
    this._used = false;
    this._saved = false;
    this._toast = '';
    this._end = 0;
    for (const sign of SIGNS) {
      document.addEventListener(sign, () => this._seen(), { capture: true, passive: true });
    }
  }

  _seen() {
    this._used = true;
    this._saved = false;
  }

  /** The question for news, with whether somebody did something here since the last one. */
  question() {
    const used = this._used;
    this._used = false;
    return used ? '?used=1' : '';
  }

  /** A question that was not answered is asked again. Who does not answer may have ended: nothing is left to say. */
  unanswered(question) {
    this._used = this._used || question !== '';
    this._dismiss();
  }

  /** What the hub says of the end. */
  show(news) {
    this._news = news ?? {};
    const { notice, left } = this._news;
    if (!notice || typeof left !== 'number') {
      this._dismiss();
      return;
    }
    clearTimeout(this._end);
    this._end = setTimeout(() => void this._look().catch(error => console.warn('Firstbell:', error)), 1000 * left + OVER);
    const message = soon(left);
    const manager = this._apputils.Notification.manager;
    if (this._toast && manager.has(this._toast)) {
      this._apputils.Notification.update({ id: this._toast, message });
      return;
    }
    void this._save().catch(error => console.warn('Firstbell:', error));
    const actions = [
      { label: 'Still here', displayType: 'accent', callback: () => void this._tell({ still: true }) },
      ...(this.canKeep() ? [{ label: 'Keep until…', callback: () => void this.keep() }] : [])
    ];
    this._toast = this._apputils.Notification.emit(message, 'warning', { autoClose: false, actions });
  }

  canKeep() {
    return (this._news.offers ?? []).length > 0;
  }

  /** Ask until when. */
  async keep() {
    const offers = this._news.offers ?? [];
    const stop = this._news.kept ? ['No longer'] : [];
    const label = this._news.kept ? `Kept until ${this._news.kept}. Until:` : 'Your Jupyter goes on, used or not, until:';
    const chosen = await this._dialogs.choose('Keep running', label, [...offers.map(one => one.label), ...stop]);
    if (chosen === null || chosen === undefined) {
      return;
    }
    await this._tell({ keep: offers.find(one => one.label === chosen)?.seconds ?? 0 });
  }

  async _tell(told) {
    const { status, answer } = await this._talk.ask('/idle', told);
    if (status === 200) {
      this.show(answer);
    } else {
      this._apputils.Notification.emit(answer.message ?? 'The hub did not take that.', 'error', { autoClose: false });
    }
    await this._look();
  }

  /** By Lab's own means, what is open and changed; once, as saving is a use: what cannot be saved would end nothing. */
  async _save() {
    if (this._saved) {
      return;
    }
    this._saved = true;
    const documents = await service(this._app, '@jupyterlab/docmanager', 'IDocumentManager');
    for (const widget of documents ? this._app.shell.widgets('main') : []) {
      const context = documents.contextForWidget(widget);
      if (context?.model.dirty && !context.model.readOnly) {
        await context.save();
      }
    }
  }

  _dismiss() {
    clearTimeout(this._end);
    if (this._toast) {
      this._apputils.Notification.dismiss(this._toast);
      this._toast = '';
    }
  }
}
