// What JupyterLab takes for a prebuilt extension: a container with `init` and `get` under its name.

import { share } from './shared.js';
import { start } from './start.js';

const NAME = '@firstbell/companion';

const plugin = {
  id: `${NAME}:plugin`,
  description: 'Messages of the course, memory, and handing in.',
  autoStart: true,
  activate: app => {
    // After all else: nothing of ours is waited for by anybody, and what fails is ours alone.
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
