// Shows the table of pools, the best first, with the state of each pool. Buttons add a pool, switch to a pool, and
// move, enable, disable or remove a pool.

import { byId, button, el, facts, once, setAttribute, setText } from "./dom.js";
import { change, confirmed } from "./dialogs.js";
import { count, difficulty, duration, milliseconds, percent, poolName } from "./format.js";
import { tabled } from "./table.js";

export class Pools {
  constructor() {
    this.latest = [];
    this.show = tabled(byId("pool-table"), this.columns(), (pool) => pool.id, {
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
      { name: "Actions", kind: "buttons", make: (cell, pool) => this.actions(cell, pool), fill: (cell, pool) => this.fillActions(cell, pool) },
    ];
  }

  actions(cell, { id }) {
    const of = () => this.latest.find((pool) => pool.id === id);
    const move = (by) => change("PATCH", `pools/${id}`, { body: { priority: of().priority + by }, success: `${poolName(of().name)} now has priority ${of().priority + by}` });
    const use = () => {
      const { enabled, name } = of();
      return change("PATCH", `pools/${id}`, { body: { enabled: !enabled }, success: `${poolName(name)} was ${enabled ? "disabled" : "enabled"}` });
    };
    cell.append(
      button("Mine here", () => change("POST", `pools/${id}/switch`, { success: `${poolName(of().name)} is now the first` })),
      button("↑", () => move(-1), { title: "Move up" }),
      button("↓", () => move(1), { title: "Move down" }),
      button("", use),
      button("Remove", () => this.remove(of()), { class: "danger" }),
    );
  }

  fillActions(cell, pool) {
    const controls = [...cell.children];
    const last = this.latest.length - 1;
    const able = [!pool.active || pool.priority > 0, pool.priority > 0, pool.priority < last, true, last > 0];
    const words = ["Mine here:", "Move up", "Move down", pool.enabled ? "Disable" : "Enable", "Remove"];
    setText(controls[3], words[3]);
    controls.forEach((control, index) => {
      setAttribute(control, "aria-disabled", able[index] ? null : "true"); // `disabled` would remove the focus
      setAttribute(control, "aria-label", `${words[index]} ${pool.name}`);
    });
  }

  update(pools) {
    this.latest = pools;
    setText(byId("pool-count"), String(pools.length));
    this.show(pools);
    this.offerPriorities(pools.length);
  }

  offerPriorities(number) {
    const list = this.form.elements.priority;
    if (list.options.length === number + 1) return;
    list.replaceChildren(...Array.from({ length: number + 1 }, (_, index) => el("option", { value: index }, index === number ? "last" : String(index))));
    list.value = String(number);
  }

  async remove({ id, name, active }) {
    const meant = await confirmed({
      title: `Remove ${poolName(name)}?`, yes: "Remove", danger: true,
      text: active ? "The miner mines on this pool now, and will switch to the next pool that is up." : "The miner does not use this pool again until the miner is restarted.",
    });
    if (meant) await change("DELETE", `pools/${id}`, { success: `${poolName(name)} was removed` });
  }

  async add() {
    const { url, user, password, name, priority } = this.form.elements;
    const pool = { url: url.value.trim(), user: user.value.trim(), name: name.value.trim(), priority: Number(priority.value) };
    if (password.value) pool.password = password.value;
    if (await change("POST", "pools", { body: pool, success: `${pool.name || poolName(pool.url)} was added` })) {
      this.form.reset();
      priority.value = String(priority.options.length - 1);
    }
  }
}

const part = (number, share) => (number ? `${count(number)} (${percent(share)})` : "0");

function nameCell(cell) {
  cell.append(el("span", { class: "title" }), el("span", { class: "soft detail" }));
}

// The URL and the worker name are left out if the name of the pool contains them.
function fillName(cell, pool) {
  const name = poolName(pool.name);
  setText(cell.children[0], `${pool.priority}  ${name}`);
  setText(cell.children[1], [poolName(pool.url), pool.worker_name].filter((text) => text && !name.includes(text)).join(" as "));
}

function stateCell(cell) {
  cell.append(el("span", { class: "state" }), el("span", { class: "mining-here", hidden: true }, "mined on"), el("span", { class: "soft detail" }), el("dl", { class: "facts inline" }));
}

const TONES = { up: "good", untried: "soft", trying: "warn", silent: "warn" };

function fillState(cell, pool) {
  const [state, isHere, why, list] = cell.children;
  setText(state, pool.enabled ? pool.state : "disabled");
  setAttribute(state, "data-tone", pool.enabled ? TONES[pool.state] ?? "bad" : "soft");
  isHere.hidden = !pool.active;
  setText(why, pool.reason);
  facts(list, [
    ["for", duration(pool.since_s)],
    ["of the time", pool.work_share === null || pool.work_share === 1 ? null : percent(pool.work_share)],
    ["quota", pool.quota === null ? null : count(pool.quota)],
  ]);
}

function latencyCell(cell) {
  cell.append(el("span"), el("span", { class: "soft detail" }));
}

function fillLatency(cell, pool) {
  setText(cell.children[0], milliseconds(pool.latency_p50_ms));
  setText(cell.children[1], pool.latency_p99_ms === null ? "" : `99 %: ${milliseconds(pool.latency_p99_ms)}`);
}
