// Compresses the page files that are laid out with brotli and gzip: node compress.mjs VOLUME QUALITY
//
// VOLUME/current.json names the folder and the SHA-256 of each file. VOLUME/compressed keeps the results by hash, so that
// a file of an older image costs nothing; a file's `.br` and `.gz` are links to them. Every file appears whole or not at
// all, and a better one takes the place of a quick one; a run that was cut is gone on with.
import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";

const WORTH_IT = /\.(js|mjs|css|html|json|map|svg|txt|md|wasm|ico|ttf|eot|otf|xml)$/i;
const SMALLEST = 256;
const LARGEST = 64 * 1024 * 1024;
const LEAST_GAIN = 0.95;
const BEST = 11;
// In the order in which they are compressed: what most first pages ask for comes first, of it what is no numbered chunk.
const PARTS = ["lab", "extensions", "themes", "notebook"];

const [volume, quality] = [process.argv[2], Number(process.argv[3])];
const current = JSON.parse(fs.readFileSync(path.join(volume, "current.json"), "utf8"));
const folder = path.join(volume, "www", current.folder);
const store = path.join(volume, "compressed");
const sums = { files: 0, raw: 0, br: 0, gz: 0, made: 0 };

function brotli(content) {
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = zlib.constants;
  return zlib.brotliCompressSync(content, {
    params: { [BROTLI_PARAM_QUALITY]: quality, [BROTLI_PARAM_SIZE_HINT]: content.length },
  });
}

const gzip = (content) => zlib.gzipSync(content, { level: 9 });

function inPlace(target, make) {
  const part = `${target}.part`;
  fs.rmSync(part, { force: true });
  make(part);
  fs.renameSync(part, target);
}

// The store's file of that content: the best one if there is one, else of this run's quality, made where it is missing.
function kept(place, size, hash, ending, compress) {
  const known = path.join(store, `${hash}.${BEST}.${ending}`);
  if (fs.existsSync(known)) return known;
  const own = path.join(store, `${hash}.${ending === "br" ? quality : BEST}.${ending}`);
  if (!fs.existsSync(own)) {
    const compressed = compress(fs.readFileSync(place));
    // An empty file remembers that it does not pay.
    inPlace(own, (part) => fs.writeFileSync(part, compressed.length < size * LEAST_GAIN ? compressed : "", { mode: 0o644 }));
    sums.made++;
  }
  return own;
}

function rank([name]) {
  const part = PARTS.indexOf(name.split("/")[0]);
  return `${part < 0 ? PARTS.length : part}${/^\d/.test(path.basename(name)) ? "chunk" : ""}${name}`;
}

fs.mkdirSync(store, { recursive: true });
for (const [name, hash] of Object.entries(current.files).sort((one, other) => (rank(one) < rank(other) ? -1 : 1))) {
  const place = path.join(folder, name);
  const size = fs.statSync(place).size;
  if (!WORTH_IT.test(name) || size < SMALLEST || size > LARGEST) continue;
  sums.files++;
  sums.raw += size;
  for (const [ending, compress] of [["br", brotli], ["gz", gzip]]) {
    const found = kept(place, size, hash, ending, compress);
    const length = fs.statSync(found).size;
    sums[ending] += length || size;
    if (length) inPlace(`${place}.${ending}`, (part) => fs.linkSync(found, part));
  }
}
const kib = (bytes) => `${Math.round(bytes / 1024)} KiB`;
const cpu = (process.cpuUsage().user + process.cpuUsage().system) / 1e6;
console.log(
  `${sums.files} files of ${kib(sums.raw)}, ${kib(sums.br)} with brotli, ${kib(sums.gz)} with gzip; ` +
    `${sums.made} compressed now in ${cpu.toFixed(1)} s of CPU`,
);
