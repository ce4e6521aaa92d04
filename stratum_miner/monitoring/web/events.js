// Shows the lists of events, of blocks found, and of the newest shares.

import { byId, el, keyed, setAttribute, setText } from "./dom.js";
import { announce } from "./dialogs.js";
import { count, difficulty, milliseconds, moment, poolName } from "./format.js";
import { tabled } from "./table.js";

const KEPT = 500; // number of routine events that are kept, and also number of other events that are kept
const LEVELS = { debug: 0, info: 1, warning: 2, error: 3, critical: 4 };
const isRoutine = ({ name, fields }) => name === "new_block" || name === "new_job" || (name === "share_accepted" && !fields?.block);
const FEW_BLOCKS = 5;
const FEW_SHARES = 10;

export class Events {
  constructor() {
    this.known = new Map(); // the kept events by number
    this.level = byId("event-level");
    this.level.addEventListener("change", () => this.draw());
  }

  // Adds events. An event that is already known is ignored.
  add(events) {
    let news = false;
    for (const event of events) {
      if (this.known.has(event.number)) continue;
      this.known.set(event.number, event);
      news = true;
    }
    if (!news) return;
    for (const routine of [true, false]) {
      const numbers = [...this.known.values()].filter((event) => isRoutine(event) === routine).map(({ number }) => number).sort((one, other) => one - other);
      for (const number of numbers.slice(0, Math.max(0, numbers.length - KEPT))) this.known.delete(number);
    }
    this.draw();
  }

  forget() {
    this.known.clear();
    this.draw();
  }

  draw() {
    const least = LEVELS[this.level.value] ?? LEVELS.info;
    const routineToo = this.level.value !== "news";
    const shown = [...this.known.values()].filter((event) => (LEVELS[event.level] ?? 1) >= least && (routineToo || !isRoutine(event)));
    shown.sort((one, other) => other.number - one.number);
    keyed(byId("event-list"), shown, (event) => String(event.number), makeEvent, () => {});
    byId("event-list").hidden = shown.length === 0;
    byId("event-none").hidden = shown.length > 0;
    setText(byId("event-none"), this.known.size ? `None of the newest ${count(this.known.size)} events is of this kind.` : "No event has been logged yet.");
  }
}

function makeEvent(event) {
  const serious = (LEVELS[event.level] ?? 1) >= LEVELS.warning;
  return el(
    "li", { "data-level": event.level, "data-name": event.name },
    el("time", { datetime: new Date(event.at * 1000).toISOString() }, moment(event.at)),
    serious ? el("span", { class: "level" }, event.level) : null,
    el("span", { class: "text" }, event.text),
  );
}

export class Blocks {
  constructor() {
    this.seen = null;
    this.newest = new Newest(byId("more-blocks"), FEW_BLOCKS, "blocks", tabled(byId("block-table"), [
      { name: "Height", kind: "name short", cell: (block) => (block.height === null ? "–" : count(block.height)) },
      { name: "Time", kind: "short", cell: (block) => moment(block.at) },
      { name: "Hash", kind: "hash", cell: (block) => block.hash },
      { name: "Pool", kind: "wide", cell: (block) => poolName(block.pool) },
    ], (block) => block.hash));
  }

  update(view) {
    const { blocks } = view;
    setText(byId("block-count"), count(view.summary.blocks_accepted));
    byId("block-none").hidden = blocks.length > 0;
    setText(byId("block-none"), "No block has been solved in this run yet.");
    this.newest.show(blocks);
    if (this.seen !== null && blocks.length > this.seen) announce(`A block was found, height ${blocks.at(-1).height}.`);
    this.seen = blocks.length;
  }
}

export class Shares {
  constructor() {
    this.newest = new Newest(byId("more-shares"), FEW_SHARES, "shares", tabled(byId("share-table"), [
      { name: "Time", kind: "name short", cell: (share) => moment(share.at) },
      { name: "Result", make: resultCell, fill: fillResult },
      { name: "Difficulty", kind: "number", cell: (share) => difficulty(share.difficulty) },
      { name: "Required", kind: "number wide", cell: (share) => difficulty(share.share_difficulty) },
      { name: "Latency", kind: "number", cell: (share) => milliseconds(share.latency_ms) },
      { name: "Device", cell: (share) => share.device || "–" },
      { name: "Pool", kind: "wide pool", cell: (share) => poolName(share.pool) },
    ], (share) => `${share.at} ${share.job_id} ${share.difficulty}`));
  }

  update({ shares, pools }) {
    byId("share-table").classList.toggle("one-pool", pools.length === 1); // CSS then hides the column of pools
    byId("share-none").hidden = shares.length > 0;
    setText(byId("share-none"), "No share has a result yet.");
    this.newest.show(shares);
  }
}

// Shows a few items of a list, the newest first. After a click on the button, it shows all items.
class Newest {
  constructor(more, few, what, draw) {
    Object.assign(this, { more, few, draw, all: false, latest: [] });
    more.addEventListener("click", () => {
      this.all = !this.all;
      setText(more, this.all ? "Show fewer" : "Show more");
      more.setAttribute("aria-label", `${more.textContent} ${what}`);
      this.show(this.latest);
    });
  }

  show(items) {
    this.latest = items;
    this.more.hidden = items.length <= this.few;
    this.draw((this.all ? [...items] : items.slice(-this.few)).reverse());
  }
}

const OUTCOME_TONES = { accepted: "good", block: "good", stale: "warn" };

function resultCell(cell) {
  cell.append(el("span", { class: "state" }), el("span", { class: "soft detail" }));
}

function fillResult(cell, share) {
  const outcome = share.block !== null && share.fate === "accepted" ? "block" : share.fate;
  setText(cell.children[0], outcome === "block" ? "★ block" : outcome);
  setAttribute(cell.children[0], "data-tone", OUTCOME_TONES[outcome] ?? "bad");
  setText(cell.children[1], share.reason);
}
