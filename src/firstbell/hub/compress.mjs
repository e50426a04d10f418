// Compresses the page files that are laid out, with brotli and gzip, each content once: node compress.mjs VOLUME
//
// VOLUME/current.json names the folder and the SHA-256 of each file. VOLUME/compressed keeps the results by hash; a
// file's `.br` and `.gz` are links to them. Every file appears whole or not at all; a run that was cut is gone on with.
import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";

// In the order in which they are compressed: what most first pages ask for comes first.
const PARTS = ["lab", "extensions", "themes", "notebook"];
const WORTH_IT = /\.(js|mjs|css|html|json|map|svg|txt|md|wasm|ico|ttf|eot|otf|xml)$/i;
const SMALLEST = 256;
const LARGEST = 64 * 1024 * 1024;
const LEAST_GAIN = 0.95;

const volume = process.argv[2];
const current = JSON.parse(fs.readFileSync(path.join(volume, "current.json"), "utf8"));
const folder = path.join(volume, "www", current.folder);
const store = path.join(volume, "compressed");
const ways = {
  ".br": (content) =>
    zlib.brotliCompressSync(content, {
      params: {
        [zlib.constants.BROTLI_PARAM_QUALITY]: 11,
        [zlib.constants.BROTLI_PARAM_SIZE_HINT]: content.length,
      },
    }),
  ".gz": (content) => zlib.gzipSync(content, { level: 9 }),
};
const sums = { files: 0, raw: 0, ".br": 0, ".gz": 0, made: 0 };

function write(target, content) {
  const part = `${target}.part`;
  fs.writeFileSync(part, content, { mode: 0o644 });
  fs.renameSync(part, target);
}

function link(from, to) {
  try {
    fs.linkSync(from, to);
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
}

const rank = ([name]) => (PARTS.indexOf(name.split("/")[0]) + 1 || PARTS.length + 1) + name;
const files = Object.entries(current.files).sort((one, other) => (rank(one) < rank(other) ? -1 : 1));
fs.mkdirSync(store, { recursive: true });
for (const [name, hash] of files) {
  const place = path.join(folder, name);
  const size = fs.statSync(place).size;
  if (!WORTH_IT.test(name) || size < SMALLEST || size > LARGEST) continue;
  sums.files++;
  sums.raw += size;
  for (const [ending, compress] of Object.entries(ways)) {
    const kept = path.join(store, hash + ending);
    if (!fs.existsSync(kept)) {
      const compressed = compress(fs.readFileSync(place));
      // An empty file remembers that it does not pay.
      write(kept, compressed.length < size * LEAST_GAIN ? compressed : "");
      sums.made++;
    }
    const length = fs.statSync(kept).size;
    sums[ending] += length || size;
    if (length) link(kept, place + ending);
  }
}
const kib = (bytes) => `${Math.round(bytes / 1024)} KiB`;
const cpu = (process.cpuUsage().user + process.cpuUsage().system) / 1e6;
console.log(
  `${sums.files} files of ${kib(sums.raw)}, ${kib(sums[".br"])} with brotli, ${kib(sums[".gz"])} with gzip; ` +
    `${sums.made} compressed now in ${cpu.toFixed(1)} s of CPU`,
);
