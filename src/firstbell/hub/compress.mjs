// Compresses files for the edge with brotli and gzip, each content once: node compress.mjs FOLDER STORE < files.json
//
// files.json is a list of [path in FOLDER, SHA-256]. STORE keeps the results by hash; FOLDER's `path.br` and `path.gz`
// are links to them. Every file appears whole or not at all. Runs beside a course that may be busy: at the lowest
// priority, and it rests as long as it works, three times as long while the machine has more to do than cores.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import zlib from "node:zlib";

const WORTH_IT = /\.(js|mjs|css|html|json|map|svg|txt|md|wasm|ico|ttf|eot|otf|xml)$/i;
const SMALLEST = 256;
const LARGEST = 64 * 1024 * 1024;
const LEAST_GAIN = 0.95;

const [folder, store] = process.argv.slice(2);
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

async function resting(work) {
  const began = performance.now();
  const made = work();
  const rest = (performance.now() - began) * (os.loadavg()[0] > os.cpus().length ? 3 : 1);
  await new Promise((resume) => setTimeout(resume, rest));
  return made;
}

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

os.setPriority(19);
fs.mkdirSync(store, { recursive: true });
for (const [name, hash] of JSON.parse(fs.readFileSync(0, "utf8"))) {
  const place = path.join(folder, name);
  const size = fs.statSync(place).size;
  if (!WORTH_IT.test(name) || size < SMALLEST || size > LARGEST) continue;
  sums.files++;
  sums.raw += size;
  for (const [ending, compress] of Object.entries(ways)) {
    const kept = path.join(store, hash + ending);
    if (!fs.existsSync(kept)) {
      const compressed = await resting(() => compress(fs.readFileSync(place)));
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
