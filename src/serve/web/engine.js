// The engine's page: reads /metrics every second, and shows the last minute.
import { apiKey, getJson, getText, setApiKey } from "./api.js";
import { Chart } from "./chart.js";
import { el, errorBox } from "./dom.js";
import { byLabel, gained, histogram, parseMetrics, quantile, single } from "./metrics.js";

const PERIOD = 1000;   // milliseconds between two readings
const SECONDS = 60;    // that the charts show
const SMOOTH = 3;      // seconds over which a rate is taken

const $ = (selector) => document.querySelector(selector);
const count = (value) => Math.round(value).toLocaleString("en");
const rate = (value) => `${value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 })}/s`;
const percent = (value) => `${(100 * value).toFixed(value > 0 && value < 0.1 ? 1 : 0)} %`;
const seconds = (value) => {
  if (value === null) return "–";
  if (value < 1) return `${(1000 * value).toFixed(value < 0.01 ? 1 : 0)} ms`;
  return `${value.toFixed(value < 10 ? 2 : 1)} s`;
};

const LATENCIES = [
  ["Time to first token", "vllm:time_to_first_token_seconds"],
  ["Between two tokens", "vllm:inter_token_latency_seconds"],
  ["Whole request", "vllm:e2e_request_latency_seconds"],
];
const OUTCOMES = [["stop", "ended by the model"], ["length", "cut at its limit"],
  ["abort", "stopped by the client"]];

const chart = (title, series, format, top = null) =>
  new Chart({ title, seconds: SECONDS, top, series: series.map((name) => ({ name, format })) });
const charts = {
  sequences: chart("Sequences", ["running", "waiting"], count),
  generation: chart("Tokens generated", ["tokens"], rate),
  prompts: chart("Tokens of prompts", ["tokens"], rate),
  cache: chart("Cache in use", ["share"], percent, 1),
};

// Readings of the last minute, and one before it for the differences: {time, ...}.
let readings = [];

function readingOf(samples, time) {
  return {
    time,
    running: single(samples, "vllm:num_requests_running"),
    waiting: single(samples, "vllm:num_requests_waiting"),
    cache: single(samples, "vllm:kv_cache_usage_perc"),
    preemptions: single(samples, "vllm:num_preemptions_total"),
    prompts: single(samples, "vllm:prompt_tokens_total"),
    generated: single(samples, "vllm:generation_tokens_total"),
    outcomes: byLabel(samples, "vllm:request_success_total", "finished_reason"),
    responses: byLabel(samples, "fathom:http_responses_total", "status"),
    histograms: LATENCIES.map(([, name]) => histogram(samples, name)),
  };
}

function take(reading) {
  // A counter that fell: the server began again.
  if (readings.length > 0 && reading.generated < readings.at(-1).generated) readings = [];
  readings.push(reading);
  while (readings.length > 2 && readings[1].time < reading.time - SECONDS - SMOOTH) readings.shift();
}

// A counter's gain a second at reading `i`; null where it cannot be known.
function rateAt(i, name) {
  let from = i;
  while (from > 0 && readings[i].time - readings[from].time < SMOOTH - 0.5) --from;
  const passed = readings[i].time - readings[from].time;
  return passed > 0 ? (readings[i][name] - readings[from][name]) / passed : null;
}

function drawCharts(now) {
  const points = (values) => readings.map((reading, i) => ({ time: reading.time, values: values(reading, i) }));
  charts.sequences.draw(points(({ running, waiting }) => [running, waiting]), now);
  charts.cache.draw(points(({ cache }) => [cache]), now);
  charts.generation.draw(points((_, i) => [rateAt(i, "generated")]), now);
  charts.prompts.draw(points((_, i) => [rateAt(i, "prompts")]), now);
}

const row = (head, ...cells) => el("tr", {}, el("th", { scope: "row" }, head),
  ...cells.map((cell) => el("td", {}, cell)));

function showLatencies() {
  const last = readings.at(-1), first = readings[0];
  const rows = LATENCIES.map(([name], i) => {
    const lately = gained(last.histograms[i], first.histograms[i]);
    const cells = [lately, last.histograms[i]].flatMap((buckets) =>
      [0.5, 0.99].map((q) => seconds(quantile(buckets, q))));
    return row(name, ...cells);
  });
  $("#latencies tbody").replaceChildren(...rows);
}

function showCounts() {
  const { outcomes, responses, prompts, generated, preemptions } = readings.at(-1);
  $("#outcomes tbody").replaceChildren(...OUTCOMES.map(([reason, meaning]) =>
    row(`${reason[0].toUpperCase()}${reason.slice(1)}: ${meaning}`, count(outcomes.get(reason) ?? 0))),
    row("Gave their cache to others for a while", count(preemptions)));
  $("#totals tbody").replaceChildren(
    row("Tokens of prompts", count(prompts)), row("Tokens generated", count(generated)),
    ...[...responses].map(([status, number]) => row(`HTTP ${status}`, count(number))));
}

function showState(text, good) {
  $("#state").textContent = text;
  $("#state").className = good ? "good" : "bad";
}

function askForKey() {
  $("#key-hint").textContent = apiKey() ? "The server refuses this key." : "It stays in this browser.";
  $("#key-form").hidden = false;
}

async function read() {
  try {
    const samples = parseMetrics(await getText("/metrics"));
    const now = performance.now() / 1000;
    take(readingOf(samples, now));
    drawCharts(now);
    showLatencies();
    showCounts();
    $("#notice").replaceChildren();
    $("#key-form").hidden = true;
    $("#figures").hidden = false;
    showState("running", true);
  } catch (error) {
    if (error.status === 401) {
      askForKey();
      showState("asks for a key", false);
      return;
    }
    showState("no answer", false);
    $("#notice").replaceChildren(errorBox(error.message));
  }
}

async function showModel() {
  try {
    const [served] = (await getJson("/v1/models")).data;
    $("#model").textContent = served.id;
    $("#context").textContent = `context of ${count(served.max_model_len)} tokens`;
  } catch {
    // read() says what is wrong
  }
}

// A page that nobody sees does not ask.
async function run() {
  if (!document.hidden && $("#key-form").hidden) await read();
  setTimeout(run, PERIOD);
}

$("#charts").append(...Object.values(charts).map(({ node }) => node));
$("#key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setApiKey($("#key").value.trim());
  $("#key").value = "";
  $("#key-form").hidden = true;
  showModel();
});
showModel();
run();
