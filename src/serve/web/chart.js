// A small chart of the last minute: one or two lines over a shared scale from zero.
import { el, svg } from "./dom.js";

const WIDTH = 320, HEIGHT = 92, TOP = 6;

// The next round number from `value` up: 1, 2 or 5 times a power of ten.
export function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value * 0.999) * power;
}

export class Chart {
  // series: [{name, format(value)}]; `top`: the scale's end, or none for one that fits.
  constructor({ title, series, seconds, top = null }) {
    this.seconds = seconds;
    this.top = top;
    this.series = series.map((one, i) => ({
      ...one,
      line: svg("path", { class: `line s${i}` }),
      area: svg("path", { class: `area s${i}` }),
      value: el("strong"),
      key: i,
    }));
    this.limit = el("span", { className: "limit" });
    this.picture = svg("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
    });
    this.title = title;
    for (const share of [0, 0.5, 1]) {
      const y = TOP + share * (HEIGHT - TOP - 1);
      this.picture.append(svg("path", { class: "grid", d: `M0 ${y}H${WIDTH}` }));
    }
    for (const { area, line } of this.series) this.picture.append(area, line);
    const readings = this.series.map(({ name, value, key }) => el("div", {},
      el("i", { className: `s${key}` }), el("span", {}, name), value));
    this.node = el("figure", { className: "card chart" },
      el("figcaption", {}, title),
      el("div", { className: "readings" }, ...readings),
      el("div", { className: "plot" }, this.limit, this.picture),
      el("div", { className: "times" }, el("span", {}, `${seconds} s ago`), el("span", {}, "now")));
  }

  // points: [{time, values: [of each series, or null]}], times in seconds, ascending.
  draw(points, now) {
    const largest = Math.max(0, ...points.flatMap(({ values }) => values.map((v) => v ?? 0)));
    const top = this.top ?? roundUp(largest);
    this.limit.textContent = this.series[0].format(top);
    const texts = this.series.map((one, i) => {
      this.drawSeries(one, points.map(({ time, values }) => [time, values[i]]), now, top);
      const last = points.at(-1)?.values[i];
      one.value.textContent = last === undefined || last === null ? "–" : one.format(last);
      return `${one.name} ${one.value.textContent}`;
    });
    this.picture.setAttribute("aria-label", `${this.title}: ${texts.join(", ")}`);
  }

  drawSeries({ line, area }, points, now, top) {
    const x = (time) => (WIDTH * (1 - (now - time) / this.seconds)).toFixed(1);
    const y = (value) => (HEIGHT - 1 - (HEIGHT - TOP - 1) * Math.min(1, value / top)).toFixed(1);
    const runs = [];
    let run = null;
    for (const [time, value] of points) {
      if (value === null) run = null;
      else if (run) run.push([time, value]);
      else runs.push(run = [[time, value]]);
    }
    const path = (one) => `M${one.map(([time, value]) => `${x(time)} ${y(value)}`).join("L")}`;
    line.setAttribute("d", runs.map(path).join(""));
    area.setAttribute("d", runs.map((one) =>
      `${path(one)}L${x(one.at(-1)[0])} ${HEIGHT - 1}L${x(one[0][0])} ${HEIGHT - 1}Z`).join(""));
  }
}
