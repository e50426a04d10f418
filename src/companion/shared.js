// Lab's own modules, from the scope that it shares with its extensions: we bring none.

import { byVersion } from './words.js';

let scope = {};

/** Called by the page before anything else. */
export function share(given) {
  scope = given;
}

/** The module as the page itself uses it: the loaded one, else the newest. */
export async function shared(name) {
  const versions = scope[name] ?? {};
  const known = Object.keys(versions).sort(byVersion);
  const version = known.find(one => versions[one].loaded) ?? known.pop();
  if (version === undefined) {
    throw new Error(`this page has no ${name}`);
  }
  return (await versions[version].get())();
}

/** A service of the page by its token's name, or null where this page has none. */
export async function service(app, module, token) {
  try {
    return await app.resolveOptionalService((await shared(module))[token]);
  } catch {
    return null;
  }
}
