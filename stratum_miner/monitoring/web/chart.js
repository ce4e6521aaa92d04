// Draws small SVG charts of lines or stacked bars over time, with axes and units. The pointer or the arrow keys select
// a value. Screen readers read a sentence that describes the chart. The user can also show the values as a table.

import { el, setText, svg } from "./dom.js";
import { clock, moment, shortClock } from "./format.js";

const LEFT = 74;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 26;
const TABLE_ROWS = 30;
const TIME_STEPS = [60, 120, 300, 600, 1800, 3600, 7200, 14400, 21600];

export class Chart {
  // series: [{name, kind}]. The samples given to show() have a value for each series, or null if it is unknown.
  constructor(figure, { title, series, value, bars = false, base = "zero", none, unitNote = "" }) {
    Object.assign(this, { figure, title, series, value, bars, base, none, unitNote });
    this.samples = [];
    this.range = [0, 1];
    this.cursor = null; // index of the selected sample
    this.width = 0;
    this.build();
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  build() {
    const id = `${this.figure.id}-title`;
    this.readout = el("output", { class: "readout" });
    const heading = el("h3", { id }, this.title, el("span", { class: "soft" }, this.unitNote && ` ${this.unitNote}`));
    const keys = this.series.length > 1
      ? el("ul", { class: "keys" }, ...this.series.map(({ name, kind }) => el("li", { class: kind }, name)))
      : null;
    this.plot = el("div", { class: "plot" });
    this.empty = el("p", { class: "empty soft" });
    this.table = el("table", {}, el("caption", { class: "unseen" }, this.title));
    this.details = el("details", {}, el("summary", {}, `${this.title} as a table`), this.table);
    this.figure.append(el("figcaption", { class: "heading" }, heading, this.readout), this.plot, el("div", { class: "under" }, this.details, keys));
    this.root = svg("svg", { role: "img", tabindex: "0" });
    this.plot.append(this.root, this.empty);
    this.root.addEventListener("pointermove", (event) => this.point(event));
    this.root.addEventListener("pointerdown", (event) => this.point(event));
    this.root.addEventListener("pointerleave", () => this.moveTo(null));
    this.root.addEventListener("blur", () => this.moveTo(null));
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.details.addEventListener("toggle", () => this.fillTable());
  }

  // samples: [{at, values}], the oldest first. from and to are Unix times. A line is broken between samples that are
  // more than `gap` seconds apart.
  show(samples, from, to, gap) {
    const at = this.cursor === null ? null : this.samples[this.cursor]?.at;
    Object.assign(this, { samples, range: [from, to], gap });
    const found = at === null ? -1 : samples.findIndex((sample) => sample.at === at);
    this.cursor = found < 0 ? null : found;
    this.draw();
    this.fillTable();
  }

  get known() {
    return this.samples.filter((sample) => sample.values.some((value) => value !== null));
  }

  draw() {
    const width = Math.floor(this.plot.clientWidth);
    const height = Math.floor(this.plot.clientHeight);
    const known = this.known;
    const drawn = known.length > 0 && width > 0;
    this.root.toggleAttribute("hidden", !drawn);
    this.empty.hidden = drawn;
    setText(this.empty, this.none);
    this.details.hidden = !drawn;
    this.root.setAttribute("aria-label", this.description(known));
    if (!drawn) {
      setText(this.readout, "");
      return;
    }
    const [low, high, steps] = this.scale(known);
    const [from, to] = this.range;
    this.across = (at) => LEFT + ((at - from) / (to - from)) * (width - LEFT - RIGHT);
    const down = (value) => TOP + ((high - value) / (high - low)) * (height - TOP - BOTTOM);
    this.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.root.replaceChildren(
      ...this.axes(steps, down, width, height),
      ...(this.bars ? this.columns(down) : this.lines(down)),
      ...this.marker(down, height),
    );
    this.read();
  }

  scale(known) {
    const sums = known.map(({ values }) => (this.bars ? [sum(values)] : values.filter((value) => value !== null)));
    let low = Math.min(...sums.flat());
    let high = Math.max(...sums.flat());
    if (this.base === "zero") {
      low = 0;
      if (high === 0) return [0, 1, [0]];
      high *= 1.05;
    } else {
      [low, high] = [low - 3, high + 3];
    }
    const steps = this.steps(low, high);
    return [low, Math.max(high, steps[steps.length - 1]), steps];
  }

  // Returns the values at which grid lines are drawn: at most five, and so few that no two have the same label.
  steps(low, high) {
    for (let most = 4; most > 0; most -= 1) {
      const steps = ticks(low, high, most, this.bars);
      if (new Set(steps.map((step) => label(this.value(step)))).size === steps.length) return steps;
    }
    return [this.base === "zero" ? 0 : (low + high) / 2];
  }

  axes(steps, down, width, height) {
    const parts = [];
    for (const step of steps) {
      parts.push(svg("line", { class: step === 0 ? "zero" : "grid", x1: LEFT, x2: width - RIGHT, y1: down(step), y2: down(step) }));
      parts.push(svg("text", { x: LEFT - 8, y: down(step) + 4, "text-anchor": "end" }, label(this.value(step))));
    }
    const [from, to] = this.range;
    const step = TIME_STEPS.find((size) => (to - from) / size <= Math.max(2, (width - LEFT) / 76)) ?? TIME_STEPS.at(-1);
    const zone = new Date(to * 1000).getTimezoneOffset() * 60;
    for (let at = Math.ceil((from - zone) / step) * step + zone; at <= to; at += step) {
      const x = this.across(at);
      if (x < LEFT + 16 || x > width - RIGHT - 16) continue;
      parts.push(svg("line", { class: "tick", x1: x, x2: x, y1: height - BOTTOM, y2: height - BOTTOM + 4 }));
      parts.push(svg("text", { x, y: height - 6, "text-anchor": "middle" }, shortClock(at)));
    }
    return parts;
  }

  lines(down) {
    const parts = [];
    this.series.forEach(({ kind }, index) => {
      for (const run of runs(this.samples, index, this.gap)) {
        const points = run.map(({ at, values }) => `${this.across(at).toFixed(1)},${down(values[index]).toFixed(1)}`);
        const [first, last] = [run[0].at, run.at(-1).at].map((at) => this.across(at).toFixed(1));
        if (this.base === "zero" && index === 0) {
          const floor = down(0).toFixed(1);
          parts.push(svg("polygon", { class: `area ${kind}`, points: `${first},${floor} ${points.join(" ")} ${last},${floor}` }));
        }
        if (run.length === 1) parts.push(svg("circle", { class: `dot ${kind}`, cx: first, cy: down(run[0].values[index]), r: 2 }));
        else parts.push(svg("polyline", { class: `line ${kind}`, points: points.join(" ") }));
      }
    });
    return parts;
  }

  columns(down) {
    const parts = [];
    const wide = Math.max(1, (this.across(this.range[0] + this.gap) - LEFT) * 0.72);
    for (const { at, values } of this.samples) {
      let below = 0;
      values.forEach((value, index) => {
        if (!value) return;
        const top = down(below + value);
        parts.push(svg("rect", {
          class: `bar ${this.series[index].kind}`, x: (this.across(at) - wide / 2).toFixed(1), width: wide.toFixed(1),
          y: top.toFixed(1), height: Math.max(0.5, down(below) - top).toFixed(1),
        }));
        below += value;
      });
    }
    return parts;
  }

  marker(down, height) {
    if (this.cursor === null) return [];
    const { at, values } = this.samples[this.cursor];
    const x = this.across(at);
    const parts = [svg("line", { class: "cursor", x1: x, x2: x, y1: TOP, y2: height - BOTTOM })];
    if (this.bars) return parts;
    values.forEach((value, index) => {
      if (value !== null) parts.push(svg("circle", { class: `dot ${this.series[index].kind}`, cx: x, cy: down(value), r: 3.5 }));
    });
    return parts;
  }

  point(event) {
    const x = event.clientX - this.root.getBoundingClientRect().left;
    let nearest = null;
    this.samples.forEach(({ at, values }, index) => {
      if (values.every((value) => value === null)) return;
      const distance = Math.abs(this.across(at) - x);
      if (nearest === null || distance < nearest[1]) nearest = [index, distance];
    });
    this.moveTo(nearest?.[0] ?? null);
  }

  key(event) {
    const last = this.samples.length - 1;
    const from = this.cursor ?? last;
    const targets = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last };
    if (!(event.key in targets) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.moveTo(Math.min(last, Math.max(0, targets[event.key])));
  }

  moveTo(index) {
    if (index === this.cursor) return;
    this.cursor = index;
    this.draw();
  }

  read() {
    const sample = this.cursor === null ? this.known.at(-1) : this.samples[this.cursor];
    setText(this.readout, `${this.cursor === null ? "" : `${moment(sample.at)}  `}${this.words(sample.values)}`);
  }

  words(values) {
    if (this.series.length === 1) return this.value(values[0]);
    const texts = this.series.map(({ name }, index) => (values[index] || index === 0 ? `${this.value(values[index])} ${name}` : null));
    return texts.filter(Boolean).join(", ");
  }

  description(known) {
    if (!known.length) return `${this.title}: ${this.none}`;
    const of = (pick) => this.words(this.series.map((_, index) => pick(known.map(({ values }) => values[index]).filter((value) => value !== null))));
    const [first, last] = [known[0], known.at(-1)];
    return `${this.title} from ${clock(first.at)} to ${clock(last.at)}: now ${this.words(last.values)}; `
      + `lowest ${of((values) => Math.min(...values))}; highest ${of((values) => Math.max(...values))}. `
      + "The arrow keys select single values.";
  }

  fillTable() {
    if (!this.details.open) return;
    const known = this.known;
    const step = Math.max(1, Math.ceil(known.length / TABLE_ROWS));
    const rows = known.filter((_, index) => (known.length - 1 - index) % step === 0).reverse();
    const head = el("tr", {}, el("th", { scope: "col" }, "Time"), ...this.series.map(({ name }) => el("th", { scope: "col", class: "number" }, name)));
    this.table.replaceChildren(
      this.table.caption,
      el("thead", {}, head),
      el("tbody", {}, ...rows.map(({ at, values }) => el(
        "tr", {}, el("th", { scope: "row" }, moment(at)), ...values.map((value) => el("td", { class: "number" }, this.value(value))),
      ))),
    );
  }
}

// Returns the label of a grid line: "50 MH/s" instead of "50.0 MH/s".
const label = (text) => text.replace(/\.0+(?=\s)/, "");

const sum = (values) => values.reduce((total, value) => total + (value ?? 0), 0);

// Divides one series at its gaps. Returns the parts, each as a list of samples.
function runs(samples, index, gap) {
  const found = [];
  let before = null;
  for (const sample of samples) {
    if (sample.values[index] === null) {
      before = null;
      continue;
    }
    if (before !== null && sample.at - before.at <= gap) found.at(-1).push(sample);
    else found.push([sample]);
    before = sample;
  }
  return found;
}

// Returns about `count` round values in steps of 1, 2 or 5 times a power of ten. With `whole`, all values are integers.
export function ticks(low, high, count, whole = false) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * (1 - 1e-9));
  if (whole) step = Math.max(1, Math.round(step));
  const found = [];
  for (let index = Math.ceil(low / step - 1e-9) + 0; index * step <= high + step * 1e-9; index += 1) found.push(index * step + 0); // + 0 turns -0 into 0
  return found;
}
