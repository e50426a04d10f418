// Puts the parts together, once the page is there; and looks for news while somebody sees it.

import { Buttons } from './button.js';
import { Dialogs } from './dialogs.js';
import { HandIn } from './handin.js';
import { Home } from './home.js';
import { Idle } from './idle.js';
import { heedKernels } from './kernels.js';
import { Notes } from './notes.js';
import { service, shared } from './shared.js';
import { Status } from './status.js';
import { pause, Talk } from './talk.js';
import { address, timed } from './words.js';

const EVERY = 30_000;
const COMMANDS = [
  'firstbell:hand-in', 'firstbell:receipts', 'firstbell:coursework', 'firstbell:keep', 'firstbell:room', 'firstbell:earlier',
  'firstbell:home'
];
const SHOWS = 'apputils:display-notifications';
const NOTHING = { messages: [], assignments: [], links: {}, memory: {} };

export async function start(app) {
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

/** While the page is seen: a hidden one asks nothing, and asks at once when it is seen again. */
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

/** The menu and the palette's entries, once there is something in them. */
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

/** How each assignment stands, as the hub says it. */
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
