// Firstbell's companion. Made by scripts/build_companion.py.
(() => {
"use strict";
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const MIB = 1024 ** 2;
function left(milliseconds) {
const minutes = Math.floor(milliseconds / MINUTE);
if (!(minutes >= 0)) {
return '';
}
if (minutes >= 2 * 24 * 60) {
return `${Math.floor(minutes / (24 * 60))} days`;
}
return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
function soon(seconds) {
const minutes = Math.max(1, Math.ceil(seconds / 60));
return `Nobody seems to use your Jupyter. It ends in ${minutes} min; your files are kept.`;
}
function timed(assignments, now) {
return assignments.map(one => (typeof one.left === 'number' ? { ...one, until: now + one.left * 1000 } : one));
}
function next(assignments, now) {
return assignments
.filter(one => !one.handed_in && one.until >= now && one.until < now + DAY)
.sort((a, b) => a.until - b.until)[0];
}
function signed(message) {
const text = String(message.text ?? '');
return !message.by || text.startsWith(`${message.by}:`) ? text : `${message.by}: ${text}`;
}
function sizes(memory) {
const used = Math.round(memory.used / MIB);
return memory.limit ? `${used} of ${Math.round(memory.limit / MIB)} MB` : `${used} MB`;
}
function holding(path, assignments) {
const folders = String(path ?? '').replace(/^[^/:]*:/, '').split('/').slice(0, -1);
return assignments.find(one => folders.includes(one.name));
}
function counted(files) {
const number = Array.isArray(files) ? files.length : files;
return typeof number === 'number' ? `${number} ${number === 1 ? 'file' : 'files'}` : '';
}
function named(files) {
return Array.isArray(files) ? files.map(one => (typeof one === 'string' ? one : String(one?.path ?? ''))) : [];
}
function address(url, here) {
try {
const found = new URL(url, here);
return ['http:', 'https:'].includes(found.protocol) ? found.href : '';
} catch {
return '';
}
}
function byVersion(one, other) {
const a = one.split(/\D+/).map(Number);
const b = other.split(/\D+/).map(Number);
const place = a.findIndex((number, index) => number !== b[index]);
return place < 0 ? 0 : a[place] - (b[place] ?? -1);
}
let scope = {};
function share(given) {
scope = given;
}
async function shared(name) {
const versions = scope[name] ?? {};
const known = Object.keys(versions).sort(byVersion);
const version = known.find(one => versions[one].loaded) ?? known.pop();
if (version === undefined) {
throw new Error(`this page has no ${name}`);
}
return (await versions[version].get())();
}
async function service(app, module, token) {
try {
return await app.resolveOptionalService((await shared(module))[token]);
} catch {
return null;
}
}
const ITEM = 'firstbell-hand-in';
class Buttons {
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
class Dialogs {
constructor(apputils, widgets) {
this._apputils = apputils;
this._widgets = widgets;
}
async ask(title, texts, labels, cancel = false) {
const { Dialog, showDialog } = this._apputils;
const buttons = labels.map(label => Dialog.okButton({ label }));
const body = new this._widgets.Widget({ node: paragraphs(texts) });
const result = await showDialog({ title, body, buttons: cancel ? [Dialog.cancelButton(), ...buttons] : buttons });
return result.button.accept ? result.button.label : '';
}
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
class Talk {
constructor(app, services) {
this._settings = app.serviceManager.serverSettings;
this._services = services;
}
async ask(path = '', told = undefined) {
const url = `${this._settings.baseUrl}firstbell/companion${path}`;
const init = told === undefined ? {} : { method: 'POST', body: JSON.stringify(told) };
try {
const response = await this._services.ServerConnection.makeRequest(url, init, this._settings);
const text = await response.text();
return { status: response.status, answer: text ? JSON.parse(text) : {} };
} catch {
return { status: 0, answer: { message: 'Your server does not answer at the moment.', away: true } };
}
}
}
function pause(milliseconds) {
return new Promise(done => setTimeout(done, milliseconds));
}
const QUICK = 500;
const FIRST_WAIT = 700;
const LONGEST_WAIT = 5000;
const PATIENCE = 15 * 60_000;
const OPEN = ['due', 'doing'];
class HandIn {
constructor(app, apputils, dialogs, talk, news, after) {
Object.assign(this, { app, apputils, dialogs, talk, news, after });
this.busy = new Set();
}
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
if (toast !== undefined) {
Notification.dismiss(toast);
}
return Notification.emit(message, type, { autoClose: false, actions });
}
}
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
const ALARMS = { near: 'warning', over: 'error', full: 'error', rescue: 'error', again: 'success' };
class Home {
constructor(apputils, dialogs, talk, look) {
this._apputils = apputils;
this._dialogs = dialogs;
this._talk = talk;
this._look = look;
this._news = {};
this._level = 'ok';
this._toast = '';
}
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
const [first] = this._news.words.split('. ');
this._toast = this._apputils.Notification.emit(first, alarm, options);
}
}
isKnown() {
return Boolean(this._news.used);
}
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
const SIGNS = ['pointerdown', 'keydown', 'wheel', 'touchstart', 'paste'];
const OVER = 5000;
class Idle {
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
question() {
const used = this._used;
this._used = false;
return used ? '?used=1' : '';
}
unanswered(question) {
this._used = this._used || question !== '';
this._dismiss();
}
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
const AFTER = [2_000, 6_000];
const ENDED = ['autorestarting', 'dead'];
async function heedKernels(app, look) {
const tracker = await service(app, '@jupyterlab/notebook', 'INotebookTracker');
const heed = panel => panel.sessionContext.statusChanged.connect((_, status) => {
if (ENDED.includes(status)) {
AFTER.forEach(wait => setTimeout(look, wait));
}
});
tracker?.forEach(heed);
tracker?.widgetAdded.connect((_, panel) => heed(panel));
}
const SHORT = 110;
class Notes {
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
const NEARLY = 0.9;
const AGAIN = 0.75;
class Status {
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
const EVERY = 30_000;
const COMMANDS = [
'firstbell:hand-in', 'firstbell:receipts', 'firstbell:coursework', 'firstbell:keep', 'firstbell:room', 'firstbell:earlier',
'firstbell:home'
];
const SHOWS = 'apputils:display-notifications';
const NOTHING = { messages: [], assignments: [], links: {}, memory: {} };
async function start(app) {
if (!app.commands.hasCommand(SHOWS)) {
return; // the first pages of Notebook 7 show no notifications: nobody would see a receipt
}
const names = ['@jupyterlab/apputils', '@jupyterlab/services', '@jupyterlab/ui-components', '@lumino/widgets'];
const [apputils, services, ui, widgets] = await Promise.all(names.map(shared));
const talk = new Talk(app, services);
const dialogs = new Dialogs(apputils, widgets);
const page = { app, widgets, dialogs, talk, news: NOTHING, offered: false };
page.browser = await service(app, '@jupyterlab/filebrowser', 'IDefaultFileBrowser');
page.notes = new Notes(apputils, dialogs, talk);
page.handIn = new HandIn(app, apputils, dialogs, talk, () => page.news, () => void look(page));
page.idle = new Idle(app, apputils, dialogs, talk, () => look(page));
page.home = new Home(apputils, dialogs, talk, () => look(page));
commands(page);
const bar = await service(app, '@jupyterlab/statusbar', 'IStatusBar');
page.status = new Status(apputils, widgets, bar, () => void app.commands.execute('firstbell:receipts'));
page.buttons = new Buttons(app, ui, () => page.news, name => void page.handIn.run(name));
await heedKernels(app, () => void look(page).catch(error => console.warn('Firstbell:', error)));
await keepLooking(page);
}
async function keepLooking(page) {
for (;;) {
await look(page).catch(error => console.warn('Firstbell:', error));
await pause(EVERY * (0.8 + 0.4 * Math.random()));
while (document.hidden) {
await new Promise(done => document.addEventListener('visibilitychange', done, { once: true }));
}
}
}
async function look(page) {
const question = page.idle.question();
const { status, answer } = await page.talk.ask(question);
if (status !== 200) {
page.idle.unanswered(question);
page.news = { ...page.news, away: true };
} else if (answer.away) {
page.news = { ...page.news, away: true, memory: answer.memory, home: answer.home }; // what was known stays
} else {
page.news = { ...NOTHING, ...Object.fromEntries(Object.entries(answer).filter(([, value]) => value !== null)) };
page.news.assignments = timed(page.news.assignments, Date.now());
page.notes.show(page.news.messages);
page.idle.show(page.news.idle);
}
page.home.show(answer.home);
page.status.show(page.news);
page.buttons.look();
page.app.commands.notifyCommandChanged();
await offer(page);
}
function commands(page) {
const { app } = page;
const [handIn, receipts, coursework, keep, room, earlier, home] = COMMANDS;
const some = () => page.news.assignments.length > 0;
app.commands.addCommand(handIn, {
label: () => {
const one = page.handIn.here(page.browser);
return one ? `Hand In ${one.name}…` : 'Hand In…';
},
isVisible: some,
isEnabled: some,
execute: args => page.handIn.run(args.assignment, page.browser)
});
app.commands.addCommand(receipts, {
label: 'Assignments and Receipts…',
isVisible: some,
execute: () => (some() ? list(page) : undefined)
});
app.commands.addCommand(keep, {
label: 'Keep Running Until…',
isVisible: () => page.idle.canKeep(),
execute: () => page.idle.keep()
});
app.commands.addCommand(room, {
label: 'What Takes the Room in My Home…',
isVisible: () => page.home.isKnown(),
execute: () => page.home.open()
});
for (const [command, label, link] of [
[coursework, 'Coursework Page', 'coursework'],
[earlier, 'My Files, Earlier', 'earlier'],
[home, 'My Page', 'home']
]) {
const url = () => address(page.news.links[link] ?? 'none:', document.location.href);
app.commands.addCommand(command, {
label,
isVisible: () => url() !== '',
execute: () => void window.open(url(), '_blank', 'noopener')
});
}
}
async function offer(page) {
const { app, widgets, news } = page;
if (page.offered || !(news.assignments.length || Object.keys(news.links).length)) {
return;
}
page.offered = true;
const menu = new widgets.Menu({ commands: app.commands });
menu.title.label = 'Course';
menu.id = 'firstbell-menu';
COMMANDS.forEach(command => menu.addItem({ command }));
(await service(app, '@jupyterlab/mainmenu', 'IMainMenu'))?.addMenu(menu, true, { rank: 900 });
const palette = await service(app, '@jupyterlab/apputils', 'ICommandPalette');
COMMANDS.forEach(command => palette?.addItem({ command, category: 'Course' }));
}
async function list(page) {
const texts = page.news.assignments.map(one =>
[
`${one.name} · ${one.state ?? ''}`,
one.due ? `due ${one.due}` : '',
one.handed_in ? `handed in ${one.handed_in}` : '',
one.receipt ? `receipt ${one.receipt}` : ''
]
.filter(Boolean)
.join('\n')
);
await page.dialogs.ask('Assignments and receipts', texts, ['OK']);
}
const NAME = '@firstbell/companion';
const plugin = {
id: `${NAME}:plugin`,
description: 'Messages of the course, memory, and handing in.',
autoStart: true,
activate: app => {
app.restored.then(() => start(app)).catch(error => console.warn(`${NAME}:`, error));
}
};
(globalThis._JUPYTERLAB ??= {})[NAME] = {
init: async scope => share(scope),
get: async module => {
if (module !== './extension') {
throw new Error(`${NAME} has no ${module}`);
}
return () => ({ __esModule: true, default: plugin });
}
};
})();
