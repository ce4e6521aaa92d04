// Shows a bar for each present problem, the worst first, above everything else. Screen readers read a problem once when
// it appears, and once when it is gone.

import { announce } from "./dialogs.js";
import { byId, el, keyed, setText } from "./dom.js";
import { count, duration, sentence } from "./format.js";

const FEW = 4;
const SEVERITIES = { critical: "Critical", warning: "Warning", note: "Note" };
const QUIET_MS = 60000; // a problem that returns within this time is not announced again

// Returns the key of a problem. The text of a problem of a device or pool is not part of the key, because it contains
// figures that change. The miner identifies problems in the same way.
const keyOf = ({ kind, device_id: device, pool_id: pool, text }) => (
  [kind, device, pool, device === null && pool === null ? text : ""].join(" ")
);

export class Problems {
  constructor() {
    this.known = new Map(); // texts of the present problems, by key
    this.announcedAt = new Map(); // time of the last announcement of each problem, by key
    this.all = false;
    this.latest = [];
    this.more = byId("more-problems");
    this.more.addEventListener("click", () => {
      this.all = !this.all;
      this.draw();
    });
  }

  update(summary) {
    this.latest = [...standstill(summary), ...summary.problems];
    this.draw();
    this.announceChanges();
  }

  draw() {
    byId("problems").hidden = this.latest.length === 0;
    const shown = this.all ? this.latest : this.latest.slice(0, FEW);
    keyed(byId("problem-list"), shown, keyOf, makeBar, fillBar);
    const rest = this.latest.length - FEW;
    this.more.hidden = rest <= 0;
    setText(this.more, this.all ? "Show fewer problems" : `Show ${count(rest)} more ${rest === 1 ? "problem" : "problems"}`);
  }

  announceChanges() {
    const now = new Map(this.latest.map((problem) => [keyOf(problem), problem.text]));
    const at = performance.now();
    const added = this.latest.filter((problem) => !this.known.has(keyOf(problem)) && !(at - this.announcedAt.get(keyOf(problem)) < QUIET_MS));
    const gone = [...this.known].filter(([key]) => !now.has(key)).map(([, text]) => `No longer: ${text}`);
    this.known = now;
    for (const problem of added) this.announcedAt.set(keyOf(problem), at);
    const texts = [...added.slice(0, FEW).map(({ severity, text, advice }) => `${SEVERITIES[severity] ?? severity}: ${text} ${advice}`), ...gone.slice(0, FEW)];
    if (added.length > FEW) texts.push(`${count(added.length - FEW)} more problems are new.`);
    if (texts.length) announce(texts.join(" "));
  }
}

// Returns a list with one more problem that says why the miner does not mine, if none of the problems explains it.
function standstill({ state, detail, problems }) {
  const isIntended = state === "paused" || state === "stopping";
  const isExplained = state === "mining" || (!isIntended && problems.length > 0) || detail === "";
  if (isExplained) return [];
  const text = state === "no_pool" ? `No pool gives work: ${detail}` : state === "stopping" ? `The miner is stopping: ${detail}` : detail;
  return [{
    severity: isIntended ? "note" : state === "degraded" ? "warning" : "critical", kind: state, device_id: null, pool_id: null,
    text: sentence(text), advice: state === "paused" ? "The button Resume continues mining at once." : "", since_s: null,
  }];
}

function makeBar() {
  return el("li", {}, el("strong", { class: "severity" }), el("span", { class: "text" }), el("span", { class: "advice" }), el("span", { class: "since" }));
}

function fillBar(bar, { severity, text, advice, since_s: since }) {
  bar.dataset.severity = severity;
  const [word, what, todo, age] = bar.children;
  setText(word, SEVERITIES[severity] ?? severity);
  setText(what, text);
  setText(todo, advice);
  setText(age, since === null || since < 1 ? "" : `for ${duration(Math.floor(since)).replace(".0s", "s")}`);
}
