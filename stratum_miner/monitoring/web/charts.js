// Shows the four charts of the history. Its points are fetched once for each connection. The stream then adds new
// points.

import { read } from "./api.js";
import { Chart } from "./chart.js";
import { byId } from "./dom.js";
import { celsius, count, hashRate, milliseconds } from "./format.js";

const MINUTES = 600;
const DAY = 86400;
const FINE_GAP = 7; // charts show a gap if two points are more than so many seconds apart; points come every 2 s
const COARSE = 60; // seconds between two points that are older than ten minutes
const BUCKETS = [20, 60, 120, 300, 600, 1800, 3600];
const MOST_BARS = 40;
const MOST_SAMPLES = 288;
const OUTCOMES = ["accepted", "rejected", "stale", "lost"];
const AGAIN_MS = 10000;
const ANSWERS_APART = 60; // the chart of latencies shows a gap if two answers are more than so many seconds apart

export class Charts {
  constructor() {
    this.points = []; // the points of the last day: one every 2 s in the last ten minutes, one every 60 s before
    this.known = 0; // Unix time of the end of the points that are certainly complete
    this.complete = false;
    this.fetching = null;
    this.thinnedAt = 0;
    this.isDay = false;
    this.view = null;
    this.drawnAt = null;
    this.hashRate = new Chart(byId("chart-hash-rate"), {
      title: "Hash rate over time", series: [{ name: "Hash rate", kind: "one" }], value: hashRate,
      none: "The first point appears within seconds.",
    });
    this.shares = new Chart(byId("chart-shares"), {
      title: "Shares", series: OUTCOMES.map((outcome) => ({ name: outcome, kind: outcome })), value: (value) => count(value),
      bars: true, none: "No share got a result in this time.",
    });
    this.latency = new Chart(byId("chart-latency"), {
      title: "Latency", unitNote: "of answers (median)", series: [{ name: "Latency", kind: "two" }], value: milliseconds,
      none: "No pool has answered a share yet.",
    });
    this.temperature = new Chart(byId("chart-temperature"), {
      title: "Temperature", unitNote: "of the hottest device", series: [{ name: "Temperature", kind: "three" }], value: celsius,
      base: "data", none: "No device reports a temperature.",
    });
    this.buttons = { minutes: byId("range-minutes"), day: byId("range-day") };
    this.buttons.minutes.addEventListener("click", () => this.choose(false));
    this.buttons.day.addEventListener("click", () => this.choose(true));
  }

  choose(day) {
    this.buttons.minutes.setAttribute("aria-pressed", String(!day));
    this.buttons.day.setAttribute("aria-pressed", String(day));
    this.isDay = day;
    if (this.view) this.draw();
  }

  // Call this when a connection begins: it fetches the points from before the connection.
  begin() {
    this.complete = false;
    this.fetching?.abort();
    this.fetch();
  }

  async fetch() {
    const fetching = new AbortController();
    this.fetching = fetching;
    try {
      this.join(await read(`history?after=${Math.floor(this.known)}`, { signal: fetching.signal }));
    } catch {
      // the page already reports the lost connection, and shows the points that it has
      if (!fetching.signal.aborted) setTimeout(() => this.fetching === fetching && this.fetch(), AGAIN_MS);
    }
  }

  // Inserts the fetched points between the earlier points and those that came while the points were fetched.
  join(found) {
    const from = found[0]?.at ?? Infinity;
    const to = found.at(-1)?.at ?? -Infinity;
    this.points = [...this.points.filter(({ at }) => at < from), ...found, ...this.points.filter(({ at }) => at > to)];
    this.complete = true;
    this.known = this.points.at(-1)?.at ?? 0;
    this.drawnAt = null;
    if (this.view) this.show(this.view);
  }

  add(point) {
    this.points.push(point);
    if (this.complete) this.known = point.at;
    const oldest = point.at - DAY;
    const fine = Math.floor((point.at - MINUTES) / COARSE) * COARSE;
    if (fine <= this.thinnedAt) return;
    this.thinnedAt = fine;
    const old = this.points.filter(({ at }) => at >= oldest && at < fine);
    this.points = [...thinned(old, COARSE), ...this.points.filter(({ at }) => at >= fine)];
  }

  // Removes all points. Call this when the miner was restarted or another miner answers.
  forget() {
    this.fetching?.abort();
    Object.assign(this, { points: [], known: 0, thinnedAt: 0, drawnAt: null });
  }

  show(view) {
    this.view = view;
    const newest = this.points.at(-1)?.at ?? null;
    if (newest !== this.drawnAt) this.draw(); // points come less often than views, so most views need no drawing
    this.drawnAt = newest;
  }

  draw() {
    const { at: to, summary } = this.view;
    if (!this.isDay) {
      const from = to - MINUTES;
      const points = this.points.filter((point) => point.at >= from);
      this.lines(points, from, to, FINE_GAP);
      this.bars(points, from, to, BUCKETS[0], summary.started_at);
      return;
    }
    const points = this.points.filter((point) => point.at >= to - DAY);
    const from = Math.min(points[0]?.at ?? to, to - MINUTES);
    const step = Math.max(COARSE, (to - from) / MOST_SAMPLES);
    this.lines(thinned(points, step), from, to, 3 * step);
    this.bars(points, from, to, BUCKETS.find((size) => (to - from) / size <= MOST_BARS) ?? BUCKETS.at(-1), summary.started_at);
  }

  lines(points, from, to, gap) {
    const of = (name) => points.map((point) => ({ at: point.at, values: [point[name]] }));
    this.hashRate.show(of("hash_rate"), from, to, gap);
    const latencies = of("latency_ms").filter((_, index) => index > 0 && answers(points[index]) > answers(points[index - 1]));
    this.latency.show(latencies, from, to, Math.max(gap, ANSWERS_APART));
    this.temperature.show(of("temperature_c"), from, to, gap);
  }

  bars(points, from, to, size, startedAt) {
    this.shares.show(resolvedShares(points, from, to, size, startedAt), from, to, size);
  }
}

// Returns the number of shares that pools have answered. A point has a new latency only if this number has increased.
const answers = ({ accepted, rejected, stale }) => accepted + rejected + stale;

// Returns one point for each interval of `step` seconds. Its hash rate, latency and temperature are means of the
// interval.
function thinned(points, step) {
  const found = [];
  let bucket = [];
  const close = () => {
    if (!bucket.length) return;
    const mean = (name) => {
      const known = bucket.map((point) => point[name]).filter((value) => value !== null);
      return known.length ? known.reduce((total, value) => total + value, 0) / known.length : null;
    };
    const means = { hash_rate: mean("hash_rate"), latency_ms: mean("latency_ms"), temperature_c: mean("temperature_c") };
    found.push({ ...bucket.at(-1), ...means });
    bucket = [];
  };
  for (const point of points) {
    if (bucket.length && Math.floor(point.at / step) !== Math.floor(bucket[0].at / step)) close();
    bucket.push(point);
  }
  close();
  return found;
}

// Returns the numbers of shares by outcome in each interval of `size` seconds. The points have the totals of the run.
function resolvedShares(points, from, to, size, startedAt) {
  if (!points.length) return [];
  const fromStart = points[0].at - startedAt < FINE_GAP;
  let before = fromStart ? [0, 0, 0, 0] : OUTCOMES.map((outcome) => points[0][outcome]);
  const found = new Map();
  for (const point of points) {
    const start = Math.floor(point.at / size) * size;
    const values = found.get(start) ?? [0, 0, 0, 0];
    const totals = OUTCOMES.map((outcome) => point[outcome]);
    found.set(start, values.map((value, index) => value + Math.max(0, totals[index] - before[index])));
    before = totals;
  }
  const samples = [...found].map(([start, values]) => ({ at: Math.min(to, Math.max(from, start + size / 2)), values }));
  return samples.some(({ values }) => values.some(Boolean)) ? samples : [];
}
