// Pure: what is said of times, sizes, folders and addresses.

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const MIB = 1024 ** 2;

/** Milliseconds since 1970 of what the hub says: seconds, or a date in ISO 8601; NaN for anything else. */
export function moment(said) {
  if (typeof said === 'number') {
    return said * 1000;
  }
  return typeof said === 'string' && /^\d{4}-\d\d-\d\d[T ]/.test(said) ? Date.parse(said.replace(' ', 'T')) : NaN;
}

/** A time as this browser's people write it; what cannot be read as one is shown as the hub says it. */
export function shown(said) {
  const at = moment(said);
  if (Number.isNaN(at)) {
    return said === null || said === undefined ? '' : String(said);
  }
  return new Date(at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}

/** How long it is until then: "2 h 5 min"; empty where it is past or unknown. */
export function left(said, now) {
  const minutes = Math.floor((moment(said) - now) / MINUTE);
  if (!(minutes >= 0)) {
    return '';
  }
  if (minutes >= 2 * 24 * 60) {
    return `${Math.floor(minutes / (24 * 60))} days`;
  }
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The assignment that is due next within a day and not handed in. */
export function next(assignments, now) {
  return assignments
    .filter(one => !one.handed_in && moment(one.due) >= now && moment(one.due) < now + DAY)
    .sort((a, b) => moment(a.due) - moment(b.due))[0];
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
