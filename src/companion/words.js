// Pure: what is said of times, sizes, folders and addresses.

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const MIB = 1024 ** 2;

/** How long that is in milliseconds: "2 h 5 min"; empty where it is past or unknown. */
export function left(milliseconds) {
  const minutes = Math.floor(milliseconds / MINUTE);
  if (!(minutes >= 0)) {
    return '';
  }
  if (minutes >= 2 * 24 * 60) {
    return `${Math.floor(minutes / (24 * 60))} days`;
  }
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** That nobody seems to be there, and when that ends the server; `seconds` are left. */
export function soon(seconds) {
  const minutes = Math.max(1, Math.ceil(seconds / 60));
  return `Nobody seems to use your Jupyter. It ends in ${minutes} min; your files are kept.`;
}

/** The hub says how many seconds are left: its clock counts. From here on this page's clock only measures. */
export function timed(assignments, now) {
  return assignments.map(one => (typeof one.left === 'number' ? { ...one, until: now + one.left * 1000 } : one));
}

/** The assignment that is due next within a day and not handed in. */
export function next(assignments, now) {
  return assignments
    .filter(one => !one.handed_in && one.until >= now && one.until < now + DAY)
    .sort((a, b) => a.until - b.until)[0];
}

/** A message with its author's name before it, once. */
export function signed(message) {
  const text = String(message.text ?? '');
  return !message.by || text.startsWith(`${message.by}:`) ? text : `${message.by}: ${text}`;
}

/** "412 of 1024 MB"; the limit only where there is one. */
export function sizes(memory) {
  const used = Math.round(memory.used / MIB);
  return memory.limit ? `${used} of ${Math.round(memory.limit / MIB)} MB` : `${used} MB`;
}

/** The assignment in whose folder that path is: folders carry their assignments' names. */
export function holding(path, assignments) {
  const folders = String(path ?? '').replace(/^[^/:]*:/, '').split('/').slice(0, -1);
  return assignments.find(one => folders.includes(one.name));
}

/** The files of a hand-in in words, from their number or their list. */
export function counted(files) {
  const number = Array.isArray(files) ? files.length : files;
  return typeof number === 'number' ? `${number} ${number === 1 ? 'file' : 'files'}` : '';
}

/** The names in a list of files. */
export function named(files) {
  return Array.isArray(files) ? files.map(one => (typeof one === 'string' ? one : String(one?.path ?? ''))) : [];
}

/** An address that may be opened, or an empty string: pages of the web, nothing that is a program. */
export function address(url, here) {
  try {
    const found = new URL(url, here);
    return ['http:', 'https:'].includes(found.protocol) ? found.href : '';
  } catch {
    return '';
  }
}

/** Orders versions such as "4.10.0" and "4.9.1" by their numbers. */
export function byVersion(one, other) {
  const a = one.split(/\D+/).map(Number);
  const b = other.split(/\D+/).map(Number);
  const place = a.findIndex((number, index) => number !== b[index]);
  return place < 0 ? 0 : a[place] - (b[place] ?? -1);
}
