// Draws the charts of a report page with dygraphs. Each <figure class="chart"> holds
// its data as JSON (chart.cpp writes it) and a table of values, which stays where no
// script runs. Texts go in as textContent: none is read as HTML.
"use strict";

(() => {
  const numColours = 6; // --c0 to --c5 of the style sheet
  const paperWidth = 640; // of a chart, in CSS pixels: A4 and letter have a little more
  const charts = [];

  function exponential(value) {
    return Number(value.toPrecision(5)).toExponential().replace("e+", "e");
  }

  // As chart_figure of chart.cpp.
  function figure(value) {
    const size = Math.abs(value);
    if (size < 1e7 && Number.isInteger(value)) return String(value);
    if (size >= 1e15) return exponential(value);
    if (size < 1e6) return String(Number(value.toPrecision(5)));
    let scaled = value / 1e6;
    let suffix = "M";
    for (const larger of ["G", "T"]) {
      if (Math.abs(scaled) < 1000) break;
      scaled /= 1000;
      suffix = larger;
    }
    return Number(scaled.toPrecision(5)) + suffix;
  }

  // Axis labels are short: 20k rather than 20000, 5M beside 20M, and 5e14 beside 1e15. Rounding
  // errors of the tick's sum go.
  function tick(value) {
    const size = Math.abs(value);
    if (size >= 1e4 && size < 1e6) return Number((value / 1e3).toPrecision(5)) + "k";
    if (size >= 1e6 && size < 1e7) return Number((value / 1e6).toPrecision(5)) + "M";
    if (size >= 1e14) return exponential(value);
    if (size !== 0 && size < 1e-3) return exponential(value);
    return figure(Number(value.toPrecision(5)));
  }

  // Ticks of an axis. dygraphs' own on a logarithmic one are not at round numbers: here
  // they are at powers of ten, and at 2 and 5 times or all multiples of them where there
  // is room. A narrow axis has too few of these and takes the ticks of a linear one.
  function ticks(low, high, pixels, options, graph, values) {
    const most = pixels / options("pixelsPerLabel");
    const first = Math.floor(Math.log10(low));
    const last = Math.log10(high);
    for (const [decades, factors] of [[1, [1, 2, 3, 4, 5, 6, 7, 8, 9]], [1, [1, 2, 5]], [1, [1]],
      [2, [1]], [3, [1]], [5, [1]], [10, [1]]]) {
      const found = [];
      if (!options("logscale")) break;
      for (let power = decades * Math.floor(first / decades); power <= last; power += decades) {
        found.push(...factors.map((factor) => Number(`${factor}e${power}`)));
      }
      const inside = found.filter((value) => value >= low && value <= high);
      if (inside.length < 3) break;
      if (inside.length <= most) return inside.map((v) => ({ v, label: tick(v), has_tick: true }));
    }
    const linear = (name) => name !== "logscale" && options(name);
    return Dygraph.numericTicks(low, high, pixels, linear, graph, values);
  }

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // The rows that dygraphs wants: [x, a value of each series]. null: the series has
  // no point there, and its line goes on; NaN: a gap. Points of one series that share
  // an x get rows of their own.
  function rowsOf(series, banded) {
    const byX = new Map();
    series.forEach((one, k) => {
      one.x.forEach((x, i) => {
        if (!byX.has(x)) byX.set(x, []);
        const same = byX.get(x);
        let row = same.find((candidate) => candidate[k + 1] === null);
        if (!row) {
          row = [x, ...series.map(() => null)];
          same.push(row);
        }
        const y = one.y[i] ?? NaN;
        row[k + 1] = banded ? [one.low?.[i] ?? y, y, one.high?.[i] ?? y] : y;
      });
    });
    return [...byX.values()].flat().sort((a, b) => a[0] - b[0]);
  }

  // For each series the number of the one with a name that it belongs to: itself, or the last before.
  function ownersOf(series) {
    let owner = 0;
    return series.map((one, k) => (one.name === "" ? owner : (owner = k)));
  }

  // Draws a point, and a bar from its low to its high.
  function barPoint(graph, name, context, x, y, colour, size, row) {
    const [low, , high] = graph.getValue(row, graph.indexFromSetName(name));
    context.strokeStyle = colour;
    context.beginPath();
    for (const end of [low, high]) context.lineTo(x, graph.toDomYCoord(end));
    context.stroke();
    Dygraph.Circles.DEFAULT(graph, name, context, x, y, colour, size);
  }

  // Index of the point of a line that is nearest to x.
  function nearest(xs, x) {
    let low = 0;
    let high = xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] <= x) low = middle;
      else high = middle;
    }
    return x - xs[low] <= xs[high] - x ? low : high;
  }

  function reading(series, i) {
    if (series.y[i] === null) return "not finite";
    const band = series.low?.[i] != null;
    return figure(series.y[i]) +
      (band ? ` (${figure(series.low[i])} to ${figure(series.high[i])})` : "");
  }

  // Of the point nearest to x; x null: of the last that is no gap.
  function lineReading(series, x, end) {
    let i = nearest(series.x, x ?? end);
    while (x === null && i > 0 && series.y[i] === null) --i;
    const at = series.x[i] === (x ?? end) ? "" : ` at ${figure(series.x[i])}`;
    return reading(series, i) + at;
  }

  // Of all points at x: several may share it.
  function pointReadings(series, x) {
    return series.x.flatMap((at, i) => (at === x ? [reading(series, i)] : []));
  }

  class ChartView {
    constructor(figureElement) {
      this.data = JSON.parse(figureElement.querySelector("script").textContent);
      this.banded = this.data.series.some((one) => one.low);
      this.rows = rowsOf(this.data.series, this.banded);
      this.owners = ownersOf(this.data.series);
      this.log = { x: this.data.x.log, y: this.data.y.log };
      const drawing = figureElement.querySelector(".drawing");
      drawing.hidden = false;
      figureElement.querySelector("details.values").open = false;
      this.addButtons(drawing.querySelector(".axis"));
      this.addLegend(drawing);
      this.plot = drawing.querySelector(".plot");
      this.graph = new Dygraph(this.plot, this.visibleRows(), this.options());
      this.plot.graph = this.graph; // for whoever looks from the console, and for the tests
    }

    addButtons(place) {
      this.reset = element("button", { type: "button", textContent: "reset zoom", hidden: true });
      this.reset.onclick = () => this.zoomOut();
      place.append(this.reset, this.switchOf("x"), this.switchOf("y"));
    }

    switchOf(axis) {
      const positive = this.data.series.some((one) => one[axis].some((value) => value > 0));
      const button = element("button", { type: "button", textContent: "log " + axis });
      button.className = "switch-" + axis;
      button.disabled = !positive;
      button.setAttribute("aria-pressed", this.log[axis]);
      button.onclick = () => {
        this.log[axis] = !this.log[axis];
        button.setAttribute("aria-pressed", this.log[axis]);
        this.graph.updateOptions({ file: this.visibleRows(), ...this.scales() }, true);
        this.zoomOut();
      };
      return button;
    }

    // A button a series: its name, and its value under the pointer or its last.
    addLegend(drawing) {
      this.where = element("span", { className: "where" });
      const named = [...new Set(this.owners)];
      this.readings = named.map((k, place) => {
        const one = this.data.series[k];
        const reading = element("span", { className: "reading" });
        const name = element("span", { textContent: one.name });
        const button = element("button", { type: "button" },
          element("i", { className: "c" + (place % numColours) + " " + one.mark }), name, reading);
        button.setAttribute("aria-pressed", true);
        button.onclick = () => {
          const shown = !this.graph.visibility()[k];
          button.setAttribute("aria-pressed", shown);
          this.owners.forEach((owner, i) => owner === k && this.graph.setVisibility(i, shown));
        };
        return { series: one, button, reading };
      });
      drawing.append(element("p", { className: "legend" },
        ...this.readings.map((one) => one.button), this.where));
      this.show(null);
    }

    // x null: the last values.
    show(x) {
      const end = Math.max(...this.data.series.map((one) => one.x[one.x.length - 1]));
      this.where.textContent = `${this.data.x.name} ${figure(x ?? end)}`;
      for (const { series, reading } of this.readings) {
        const texts = series.mark === "line" ? [lineReading(series, x, end)]
          : pointReadings(series, x ?? end);
        reading.textContent = texts.join(", ");
      }
    }

    visibleRows() {
      return this.log.x ? this.rows.filter((row) => row[0] > 0) : this.rows;
    }

    // The range of x that shows all, with a little room. dygraphs' own room (xRangePad)
    // is wrong on a logarithmic axis.
    wholeRange() {
      const rows = this.visibleRows();
      const low = rows[0][0];
      const high = rows[rows.length - 1][0];
      if (low === high) return this.log.x ? [low / 2, high * 2] : [low - 1, high + 1];
      if (this.log.x) return [low / (high / low) ** 0.015, high * (high / low) ** 0.015];
      return [low - 0.015 * (high - low), high + 0.015 * (high - low)];
    }

    zoomOut() {
      this.graph.resetZoom();
      this.graph.updateOptions({ dateWindow: this.wholeRange() });
    }

    isZoomed(graph) {
      const [low, high] = this.wholeRange();
      const [first, last] = graph.xAxisRange();
      return graph.isZoomed("y") || low !== first || high !== last;
    }

    scales() {
      return { logscale: this.log.y, axes: { x: { logscale: this.log.x }, y: {} } };
    }

    colours() {
      const series = {};
      const named = [...new Set(this.owners)];
      this.data.series.forEach((one, k) => {
        const points = one.mark === "points";
        series["s" + k] = {
          color: colour("--c" + (named.indexOf(this.owners[k]) % numColours)),
          strokeWidth: points ? 0 : 1.6, fillAlpha: points ? 0 : 0.16,
          drawPoints: points || one.x.length < 60, pointSize: points ? 3.5 : 2,
          ...(points && one.low ? { drawPointCallback: barPoint } : {}) };
      });
      return { series, gridLineColor: colour("--line"), axisLineColor: colour("--soft") };
    }

    options() {
      const { mousedown, willDestroyContextMyself } = Dygraph.defaultInteractionModel;
      const scales = this.scales();
      const labels = { axisLabelFormatter: tick, ticker: ticks };
      return {
        labels: ["x", ...this.data.series.map((_, k) => "s" + k)],
        ...this.colours(),
        ...scales,
        axes: { x: { ...scales.axes.x, ...labels, axisLabelHeight: 16, pixelsPerLabel: 50,
            drawGrid: false },
          y: { ...labels, axisLabelWidth: 56, pixelsPerLabel: 32 } },
        // Without dygraphs' touch handlers a finger on a chart still scrolls the page.
        interactionModel: { mousedown, willDestroyContextMyself, dblclick: () => this.zoomOut() },
        dateWindow: this.wholeRange(),
        customBars: this.banded,
        gridLineWidth: 1,
        connectSeparatedPoints: true,
        legend: "never",
        highlightCircleSize: 4,
        yRangePad: 8,
        highlightCallback: (event, x) => this.show(x),
        unhighlightCallback: () => this.show(null),
        underlayCallback: (canvas, area, graph) => this.drawEvents(canvas, area, graph),
        drawCallback: (graph) => { this.reset.hidden = !this.isZoomed(graph); },
      };
    }

    // A dashed line across the chart for each event, below the curves. Its name stands at the top, to
    // the left where there is no room on the right, lower where it would run into another.
    drawEvents(canvas, area, graph) {
      canvas.save();
      canvas.strokeStyle = canvas.fillStyle = colour("--soft");
      canvas.font = "11px sans-serif";
      canvas.setLineDash([4, 4]);
      const ends = [];
      for (const event of this.data.events ?? []) {
        const x = graph.toDomXCoord(event.x);
        if (!(x >= area.x && x <= area.x + area.w)) continue;
        canvas.beginPath();
        canvas.moveTo(x, area.y);
        canvas.lineTo(x, area.y + area.h);
        canvas.stroke();
        const width = canvas.measureText(event.name).width;
        const begin = x + 4 + width > area.x + area.w ? x - 4 - width : x + 4;
        let line = 0;
        while (ends[line] > begin) ++line;
        ends[line] = begin + width + 4;
        canvas.fillText(event.name, begin, area.y + 12 + 13 * line);
      }
      canvas.restore();
    }

    redraw() {
      this.graph.updateOptions(this.colours());
    }

    // Shrinks the chart to the width of paper. A canvas that is resized now would be
    // printed blank, so it keeps its size and its element is scaled.
    fitPaper() {
      const width = this.plot.offsetWidth;
      this.plot.style.width = width + "px";
      this.plot.style.zoom = Math.min(1, paperWidth / width);
    }

    leavePaper() {
      this.plot.style.width = this.plot.style.zoom = "";
    }
  }

  function redrawAll() {
    for (const chart of charts) chart.redraw();
  }

  document.querySelector(".charts")?.before(element("p", { className: "hint", textContent:
    "Drag across a chart to zoom in, double-click to zoom out, shift and drag to move." }));
  for (const figureElement of document.querySelectorAll("figure.chart")) {
    charts.push(new ChartView(figureElement));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  // Canvases keep their colours on paper unless they are drawn for it.
  addEventListener("beforeprint", () => {
    for (const chart of charts) chart.fitPaper();
    document.documentElement.classList.add("paper");
    redrawAll();
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    for (const chart of charts) chart.leavePaper();
    redrawAll();
  });
})();
