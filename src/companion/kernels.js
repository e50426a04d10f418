// A kernel that ends by itself often ended for want of memory: the hub has the words within seconds.

import { service } from './shared.js';

const AFTER = [2_000, 6_000];
const ENDED = ['autorestarting', 'dead'];

/** Calls `look` soon after a notebook's kernel has ended, rather than when it would be time again. */
export async function heedKernels(app, look) {
  const tracker = await service(app, '@jupyterlab/notebook', 'INotebookTracker');
  const heed = panel => panel.sessionContext.statusChanged.connect((_, status) => {
    if (ENDED.includes(status)) {
      AFTER.forEach(wait => setTimeout(look, wait));
    }
  });
  tracker?.forEach(heed);
  tracker?.widgetAdded.connect((_, panel) => heed(panel));
}
