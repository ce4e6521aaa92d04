// Pools, the best first: how each does, and why; switch, add, move, use or leave, remove.

import { read } from "./api.js";
import { byId, button, el, once, setAttribute, setText, tabled } from "./dom.js";
import { change, confirmed, tell } from "./dialogs.js";
import { count, difficulty, duration, milliseconds, percent, poolName } from "./format.js";

const keyOf = (pool) => `${pool.url} ${pool.worker_name}`;

export class Pools {
  constructor() {
    this.latest = [];
    this.show = tabled(byId("pool-table"), this.columns(), keyOf, {
      update: (row, pool) => {
        row.classList.toggle("active", pool.active);
        row.classList.toggle("off", !pool.enabled);
      },
    });
    const toggle = byId("add-pool");
    this.form = byId("pool-form");
    toggle.addEventListener("click", () => {
      this.form.hidden = !this.form.hidden;
      toggle.setAttribute("aria-expanded", String(!this.form.hidden));
      if (!this.form.hidden) this.form.elements.url.focus();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      once(this.form, () => this.add());
    });
  }

  columns() {
    return [
      { name: "Pool", kind: "name", make: nameCell, fill: fillName },
      { name: "State", kind: "status", make: stateCell, fill: fillState },
      { name: "Accepted", kind: "number strong", cell: (pool) => count(pool.accepted) },
      { name: "Rejected", kind: "number", cell: (pool) => part(pool.rejected, pool.reject_share) },
      { name: "Stale", kind: "number", cell: (pool) => part(pool.stale, pool.stale_share) },
      { name: "Lost", kind: "number", cell: (pool) => count(pool.lost) },
      { name: "Latency", kind: "number", make: latencyCell, fill: fillLatency },
      { name: "Difficulty", kind: "number", cell: (pool) => difficulty(pool.difficulty) },
      { name: "Actions", kind: "buttons", make: (cell, pool, key) => this.actions(cell, pool, key), fill: (cell, pool) => this.fillActions(cell, pool) },
    ];
  }

  actions(cell, pool, key) {
    const named = (what) => ({ "aria-label": `${what} ${pool.name}` });
    cell.append(
      button("Mine here", () => this.on(key, ({ id }) => change("POST", `pools/${id}/switch`)), named("Mine here:")),
      button("↑", () => this.move(key, -1), { ...named("Move up"), title: "Move up" }),
      button("↓", () => this.move(key, 1), { ...named("Move down"), title: "Move down" }),
      button("", () => this.on(key, ({ id, enabled }) => change("PATCH", `pools/${id}`, { enabled: !enabled }))),
      button("Remove", () => this.remove(key), { class: "danger", ...named("Remove") }),
    );
  }

  fillActions(cell, pool) {
    const [here, up, down, use, remove] = cell.children;
    const last = this.latest.length - 1;
    const able = (control, is) => setAttribute(control, "aria-disabled", is ? null : "true"); // disabled would lose focus
    able(here, !pool.active || pool.priority > 0);
    able(up, pool.priority > 0);
    able(down, pool.priority < last);
    able(remove, last > 0);
    setText(use, pool.enabled ? "Switch off" : "Switch on");
    setAttribute(use, "aria-label", `${pool.enabled ? "Switch off" : "Switch on"} ${pool.name}`);
  }

  update(pools) {
    this.latest = pools;
    setText(byId("pool-count"), String(pools.length));
    this.show(pools);
    this.places(pools.length);
  }

  places(number) {
    const list = this.form.elements.index;
    if (list.options.length === number + 1) return;
    list.replaceChildren(...Array.from({ length: number + 1 }, (_, index) => el("option", { value: index }, index === number ? "last" : String(index))));
    list.value = String(number);
  }

  // By its place of this moment, which is asked for: what is shown is a second old, and somebody may have moved it.
  async on(key, action) {
    const now = await read("pools").catch(() => this.latest);
    const pool = now.find((item) => keyOf(item) === key);
    if (pool) await action(pool);
    else tell("That pool is gone.", "refused");
  }

  move(key, by) {
    return this.on(key, ({ id, priority }) => change("PATCH", `pools/${id}`, { priority: priority + by }));
  }

  async remove(key) {
    const pool = this.latest.find((item) => keyOf(item) === key);
    const meant = await confirmed({
      title: `Remove ${poolName(pool.name)}?`, yes: "Remove", danger: true,
      text: pool.active ? "It is the pool being mined on: mining goes on at the next one that is up." : "It is forgotten until the miner is started again.",
    });
    if (meant) await this.on(key, ({ id }) => change("DELETE", `pools/${id}`));
  }

  async add() {
    const { url, user, password, name, index } = this.form.elements;
    const pool = { url: url.value.trim(), user: user.value.trim(), name: name.value.trim(), priority: Number(index.value) };
    if (password.value) pool.password = password.value;
    if (await change("POST", "pools", pool)) {
      this.form.reset();
      index.value = String(index.options.length - 1);
    }
  }
}

const part = (number, share) => (number ? `${count(number)} (${percent(share)})` : "0");

function nameCell(cell) {
  cell.append(el("span", { class: "title" }), el("span", { class: "soft detail" }));
}

function fillName(cell, pool) {
  const name = poolName(pool.name);
  setText(cell.children[0], `${pool.priority}  ${name}`);
  setText(cell.children[1], [name === poolName(pool.url) ? "" : pool.url, pool.worker_name].filter(Boolean).join(", "));
}

function stateCell(cell) {
  cell.append(el("span", { class: "state" }), el("span", { class: "mining-here", hidden: true }, "mined on"), el("span", { class: "soft detail" }));
}

function fillState(cell, pool) {
  const state = pool.enabled ? pool.state : "off";
  setText(cell.children[0], state);
  cell.children[0].dataset.state = state;
  cell.children[1].hidden = !pool.active;
  const share = pool.work_share === null || pool.work_share === 1 ? "" : `${percent(pool.work_share)} of the time`;
  const quota = pool.quota === null ? "" : `quota ${pool.quota}`;
  setText(cell.children[2], [`for ${duration(pool.since_s)}`, pool.reason, share, quota].filter(Boolean).join(", "));
}

function latencyCell(cell) {
  cell.append(el("span"), el("span", { class: "soft detail" }));
}

function fillLatency(cell, pool) {
  setText(cell.children[0], milliseconds(pool.latency_p50_ms));
  setText(cell.children[1], pool.latency_p99_ms === null ? "" : `99 %: ${milliseconds(pool.latency_p99_ms)}`);
}
