// The four charts, of the points that a view brings for ten minutes and of the history of a day.

import { read } from "./api.js";
import { Chart } from "./chart.js";
import { byId } from "./dom.js";
import { celsius, count, hashRate, milliseconds } from "./format.js";

const MINUTES = 600;
const DAY = 86400;
const FINE_GAP = 7; // points come every two seconds
const COARSE = 60; // and every minute before the last ten
const BUCKETS = [20, 60, 120, 300, 600, 1800, 3600];
const MOST_BARS = 40;
const MOST_SAMPLES = 288;
const FATES = ["accepted", "rejected", "stale", "lost"];

export class Charts {
  constructor() {
    this.day = null; // the history, while a day is shown
    this.view = null;
    this.drawnAt = null;
    this.hashRate = new Chart(byId("chart-hash-rate"), {
      title: "Hash rate over time", series: [{ name: "Hash rate", kind: "one" }], value: hashRate,
      none: "The first point comes within seconds.",
    });
    this.shares = new Chart(byId("chart-shares"), {
      title: "Shares", series: FATES.map((fate) => ({ name: fate, kind: fate })), value: (value) => count(value),
      bars: true, none: "No share was settled in this time.",
    });
    this.latency = new Chart(byId("chart-latency"), {
      title: "Latency", unitNote: "of answers, median", series: [{ name: "Latency", kind: "two" }], value: milliseconds,
      none: "No pool has answered a share yet.",
    });
    this.temperature = new Chart(byId("chart-temperature"), {
      title: "Temperature", unitNote: "of the hottest", series: [{ name: "Temperature", kind: "three" }], value: celsius,
      base: "data", none: "No device here tells its temperature.",
    });
    this.buttons = { minutes: byId("range-minutes"), day: byId("range-day") };
    this.buttons.minutes.addEventListener("click", () => this.choose(false));
    this.buttons.day.addEventListener("click", () => this.choose(true));
  }

  async choose(day) {
    this.buttons.minutes.setAttribute("aria-pressed", String(!day));
    this.buttons.day.setAttribute("aria-pressed", String(day));
    this.day = day ? (this.day ?? []) : null;
    if (day) await this.fetchDay();
    this.drawnAt = null;
    if (this.view) this.draw();
  }

  async fetchDay() {
    try {
      const found = await read("history");
      if (this.day !== null) this.day = found;
    } catch {
      // the connection's own notice says so; what is known is shown
    }
  }

  // Another miner, or this one begun anew.
  forget() {
    this.day = this.day === null ? null : [];
    this.drawnAt = null;
  }

  show(view) {
    this.view = view;
    if (this.day !== null && (this.day.at(-1)?.at ?? 0) < view.at - MINUTES / 2) this.fetchDay();
    const newest = view.history.at(-1)?.at ?? null;
    if (newest !== this.drawnAt) this.draw(); // points come more seldom than views
    this.drawnAt = newest;
  }

  draw() {
    const { at: to, history, summary } = this.view;
    if (this.day === null) {
      const from = to - MINUTES;
      const points = history.filter((point) => point.at >= from);
      this.lines(points, from, to, FINE_GAP);
      this.bars(points, from, to, BUCKETS[0], summary.started_at);
      return;
    }
    const first = history[0]?.at ?? to;
    const points = [...this.day.filter((point) => point.at < first && point.at >= to - DAY), ...history];
    const from = Math.min(points[0]?.at ?? to, to - MINUTES);
    const step = Math.max(COARSE, (to - from) / MOST_SAMPLES);
    this.lines(thinned(points, step), from, to, 3 * step);
    this.bars(points, from, to, BUCKETS.find((size) => (to - from) / size <= MOST_BARS) ?? BUCKETS.at(-1), summary.started_at);
  }

  lines(points, from, to, gap) {
    const of = (name) => points.map((point) => ({ at: point.at, values: [point[name]] }));
    this.hashRate.show(of("hash_rate"), from, to, gap);
    this.latency.show(of("latency_ms"), from, to, gap);
    this.temperature.show(of("temperature_c"), from, to, gap);
  }

  bars(points, from, to, size, startedAt) {
    this.shares.show(settled(points, from, to, size, startedAt), from, to, size);
  }
}

// Means of the points within each step.
function thinned(points, step) {
  const found = [];
  let bucket = [];
  const close = () => {
    if (!bucket.length) return;
    const mean = (name) => {
      const known = bucket.map((point) => point[name]).filter((value) => value !== null);
      return known.length ? known.reduce((total, value) => total + value, 0) / known.length : null;
    };
    found.push({ at: bucket.at(-1).at, hash_rate: mean("hash_rate"), latency_ms: mean("latency_ms"), temperature_c: mean("temperature_c") });
    bucket = [];
  };
  for (const point of points) {
    if (bucket.length && Math.floor(point.at / step) !== Math.floor(bucket[0].at / step)) close();
    bucket.push(point);
  }
  close();
  return found;
}

// Shares of each fate in each stretch of time, from totals of the run.
function settled(points, from, to, size, startedAt) {
  if (!points.length) return [];
  const fromStart = points[0].at - startedAt < FINE_GAP;
  let before = fromStart ? [0, 0, 0, 0] : FATES.map((fate) => points[0][fate]);
  const found = new Map();
  for (const point of points) {
    const start = Math.floor(point.at / size) * size;
    const values = found.get(start) ?? [0, 0, 0, 0];
    const totals = FATES.map((fate) => point[fate]);
    found.set(start, values.map((value, index) => value + Math.max(0, totals[index] - before[index])));
    before = totals;
  }
  const samples = [...found].map(([start, values]) => ({ at: Math.min(to, Math.max(from, start + size / 2)), values }));
  return samples.some(({ values }) => values.some(Boolean)) ? samples : [];
}
