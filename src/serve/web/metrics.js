// Reads Prometheus' text format, and quantiles from histograms.

const LINE = /^([\w:]+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:\\.|[^"\\])*)"/g;

const unescaped = (text) =>
  text.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));

// All samples: {name, labels, value}.
export function parseMetrics(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    const found = line.startsWith("#") ? null : LINE.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of (found[2] ?? "").matchAll(LABEL)) labels[name] = unescaped(value);
    samples.push({ name: found[1], labels, value: Number(found[3]) });
  }
  return samples;
}

// The value of a metric that has one sample; 0 when there is none.
export const single = (samples, name) =>
  samples.find((sample) => sample.name === name)?.value ?? 0;

// A metric's samples by one of their labels.
export function byLabel(samples, name, label) {
  const found = new Map();
  for (const sample of samples) {
    if (sample.name === name) found.set(sample.labels[label], sample.value);
  }
  return found;
}

// A histogram's buckets: [{bound, count}], counts cumulative, the last bound Infinity.
export function histogram(samples, name) {
  return samples.filter((sample) => sample.name === `${name}_bucket`)
    .map(({ labels, value }) => ({
      bound: labels.le === "+Inf" ? Infinity : Number(labels.le), count: value,
    }));
}

// What a histogram has gained since an earlier reading of it.
export const gained = (now, earlier) =>
  now.map(({ bound, count }, i) => ({ bound, count: count - (earlier[i]?.count ?? 0) }));

// The value below which a share `q` lies, on a line within its bucket, as Prometheus has it; null
// for an empty histogram.
export function quantile(buckets, q) {
  const total = buckets.at(-1)?.count ?? 0;
  if (total <= 0) return null;
  const rank = q * total;
  const at = buckets.findIndex(({ count }) => count >= rank);
  const below = at > 0 ? buckets[at - 1] : { bound: 0, count: 0 };
  if (buckets[at].bound === Infinity) return below.bound;
  const share = (rank - below.count) / (buckets[at].count - below.count);
  return below.bound + share * (buckets[at].bound - below.bound);
}
