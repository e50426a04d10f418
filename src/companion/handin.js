// "Hand in": asks, saves what is open in the folder, has the hub take it, and shows the receipt.

import { pause } from './talk.js';
import { counted, holding, left, named } from './words.js';

const QUICK = 500;
const FIRST_WAIT = 700;
const LONGEST_WAIT = 5000;
const PATIENCE = 15 * 60_000;
const OPEN = ['due', 'doing'];

/** One page's hand-ins. `news` tells the assignments, `after` is called when one has ended. */
export class HandIn {
  constructor(app, apputils, dialogs, talk, news, after) {
    Object.assign(this, { app, apputils, dialogs, talk, news, after });
    this.busy = new Set();
  }

  /** The assignment of the document that is in front, or of the folder that is open. */
  here(browser) {
    const path = this.app.shell.currentWidget?.context?.path;
    const folder = browser?.model?.path;
    const assignments = this.news().assignments;
    return holding(path, assignments) ?? (folder ? holding(`${folder}/`, assignments) : undefined);
  }

  async run(name, browser) {
    const one = name ? this.news().assignments.find(found => found.name === name) : await this._choose(browser);
    if (!one || this.busy.has(one.name) || !(await this._sure(one))) {
      return;
    }
    this.busy.add(one.name);
    try {
      const unsaved = await this._save(one);
      if (unsaved) {
        this._say('error', `${unsaved} could not be saved, so nothing was handed in.`);
      } else {
        await this._take(one.name);
      }
    } finally {
      this.busy.delete(one.name);
      this.after();
    }
  }

  async _choose(browser) {
    const { assignments } = this.news();
    const found = this.here(browser);
    if (found || assignments.length < 2) {
      return found ?? assignments[0];
    }
    const chosen = await this.dialogs.choose('Hand in', 'Assignment', assignments.map(one => one.name));
    return assignments.find(one => one.name === chosen);
  }

  async _sure(one) {
    const time = left(one.until - Date.now());
    const texts = [
      'Its whole folder is taken as it is now; what is open in it is saved before.',
      time ? `Due ${one.due}, in ${time}. You can hand in again: the last one in time counts.` : '',
      one.until < Date.now() ? `It was due ${one.due}. This one is marked as late.` : '',
      one.handed_in ? 'You have handed in before; that receipt stays good.' : ''
    ];
    return (await this.dialogs.ask(`Hand in ${one.name}?`, texts, ['Hand In'], true)) !== '';
  }

  /** Saves what is open in the folder; the path of what could not be saved, or nothing. */
  async _save(one) {
    for (const widget of this.app.shell.widgets('main')) {
      const context = widget.context;
      if (context?.model?.dirty && holding(context.path, [one]) && !(await saved(context))) {
        return context.path;
      }
    }
    return '';
  }

  async _take(name) {
    const begun = () => this._say('in-progress', `Handing in ${name} …`);
    const asked = this.talk.ask('/hand-in', { assignment: name });
    const toast = (await Promise.race([asked, pause(QUICK)])) ? undefined : begun();
    const { status, answer } = await asked;
    if (status === 202 && answer.task !== undefined) {
      await this._follow(name, String(answer.task), toast ?? begun());
      return;
    }
    if (status === 0 || status >= 500) {
      const words = `${answer.message} There is no receipt for ${name} yet. Handing in twice harms nothing.`;
      this._say('error', words, toast, [{ label: 'Try again', callback: () => void this.run(name) }]);
      return;
    }
    this._say('error', `${name} was not handed in. ${answer.message ?? ''}`, toast);
  }

  async _follow(name, task, toast) {
    const end = Date.now() + PATIENCE;
    for (let wait = FIRST_WAIT; Date.now() < end; wait = Math.min(wait * 1.5, LONGEST_WAIT)) {
      await pause(wait);
      const { status, answer } = await this.talk.ask(`/hand-in?task=${encodeURIComponent(task)}`);
      if (status === 0 || status >= 500) {
        this._say('in-progress', `Handing in ${name}: it is in the hub's book. ${answer.message}`, toast);
      } else if (status !== 200) {
        return this._say('error', `${name}: ${answer.message ?? status}`, toast);
      } else if (answer.state === 'done') {
        return this._receipt(name, answer, toast);
      } else if (!OPEN.includes(answer.state)) {
        return this._say('error', `${name} was not handed in. ${answer.words ?? ''}`, toast);
      }
    }
    return this._say('warning', `${name} is still being taken. Its receipt will be on the coursework page.`, toast);
  }

  _receipt(name, answer, toast) {
    const facts = [counted(answer.files), answer.time].filter(Boolean).join(', ');
    const words = `${name} is handed in (${facts}).\nReceipt ${String(answer.receipt).slice(0, 12)}…`;
    const show = event => {
      event.preventDefault();
      void this.show({ name, handed_in: answer.time, ...answer });
    };
    this._say('success', words, toast, [{ label: 'Receipt', displayType: 'accent', callback: show }]);
  }

  /** The whole receipt, to be read, copied and kept. */
  async show(one) {
    const files = named(one.files);
    const listed = files.length > 20 ? [...files.slice(0, 20), `and ${files.length - 20} more`] : files;
    const texts = [
      `Handed in ${one.handed_in}, by the hub's clock.`,
      one.receipt,
      [counted(one.files), ...listed].filter(Boolean).join('\n'),
      one.words
    ];
    if ((await this.dialogs.ask(`Receipt of ${one.name}`, texts, ['Copy', 'OK'])) === 'Copy') {
      this.apputils.Clipboard.copyToSystem(`${one.name} ${one.handed_in} ${one.receipt}`);
    }
  }

  _say(type, message, toast = undefined, actions = []) {
    const { Notification } = this.apputils;
    if (type === 'in-progress' && toast !== undefined && Notification.update({ id: toast, message, type })) {
      return toast;
    }
    // An end is a notice of its own: what changes in one that Lab is only about to show is not seen.
    if (toast !== undefined) {
      Notification.dismiss(toast);
    }
    return Notification.emit(message, type, { autoClose: false, actions });
  }
}

/** Whether Lab could save it: of some failures it tells its user, and nobody else. */
async function saved(context) {
  let good = true;
  const note = (_, state) => {
    good &&= state !== 'failed';
  };
  context.saveState.connect(note);
  try {
    await context.save();
  } catch {
    good = false;
  } finally {
    context.saveState.disconnect(note);
  }
  return good;
}
