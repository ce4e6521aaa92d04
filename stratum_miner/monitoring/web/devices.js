// Shows the table of devices and search threads. Those with a problem come first, unless the user sorts by a column. A
// click on a device shows its details below its row.

import { byId, button, el, facts, once, setAttribute, setText } from "./dom.js";
import { change, confirmed } from "./dialogs.js";
import { ago, celsius, count, efficiency, hashRate, percent, watts } from "./format.js";
import { tabled } from "./table.js";

const FEW = 24; // number of rows shown at first, because a computer may have many search threads

export class Devices {
  constructor() {
    this.latest = [];
    this.problems = new Map(); // the worst problem of each device, by id
    this.ambiguous = new Set(); // names that several devices have
    this.open = new Set(); // ids of devices whose details are shown
    this.all = false;
    this.show = tabled(byId("device-table"), this.columns(), (device) => device.id, {
      natural: (device) => this.rank(device) * 2 ** 32 + device.id,
      most: () => (this.all ? Infinity : FEW),
      update: (row, device) => setAttribute(row, "data-tone", this.tone(device)),
      below: {
        of: (device) => this.open.has(device.id),
        make: (cell, device) => this.makeDetails(cell, device),
        fill: (cell, device) => this.fillDetails(cell, device),
      },
    });
    this.more = byId("more-devices");
    this.more.addEventListener("click", () => {
      this.all = !this.all;
      this.draw();
    });
    const toggle = byId("add-device");
    const form = byId("device-form");
    toggle.addEventListener("click", () => {
      form.hidden = !form.hidden;
      toggle.setAttribute("aria-expanded", String(!form.hidden));
      if (!form.hidden) form.elements.device.focus();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      once(form, async () => {
        if (await change("POST", "devices", { body: { device: form.elements.device.value.trim() } })) form.reset();
      });
    });
  }

  columns() {
    const number = (name, kind, cell, sort, extra = {}) => ({ name, kind: `number ${kind}`, cell: (device) => cell(sort(device)), sort, down: true, ...extra });
    const sum = (of) => (devices) => devices.reduce((total, device) => total + (of(device) ?? 0), 0);
    const [rates, notAccepted, accepted, errors] = [({ hash_rate_1m: it }) => it, ({ refused: it }) => it, ({ accepted: it }) => it, ({ hardware_errors: it }) => it];
    return [
      {
        name: "Device", kind: "name", sort: (device) => this.label(device), total: () => "Total",
        make: (cell, device) => this.makeName(cell, device), fill: (cell, device) => this.fillName(cell, device),
      },
      {
        name: "State", kind: "status", make: makeState, fill: (cell, device) => this.fillState(cell, device), sort: (device) => this.rank(device),
        total: (devices) => `${count(devices.filter(({ mines }) => mines).length)} of ${count(kept(devices).length)} mine`,
      },
      number("Hash rate", "strong", hashRate, rates, { total: (devices) => hashRate(sum(rates)(devices)) }),
      number("Of expected", "wide", percent, ({ expected_hash_rate: expected, hash_rate_1m: rate }) => (expected ? rate / expected : null)),
      number("Chip", "", celsius, ({ chip_temperature_c: it }) => it),
      number("Fan", "wide", (it) => it ?? "–", ({ fan_rpm: rpm, fan_percent: part }) => rpm ?? part, { cell: fan }),
      number("Power", "wide", watts, ({ power_w: it }) => it, {
        total: (devices) => (devices.some(({ power_w: it }) => it !== null) ? watts(sum(({ power_w: it }) => it)(devices)) : "–"),
      }),
      number("Errors", "wide", count, errors, { cell: errorsOf, total: (devices) => count(sum(errors)(devices)) }),
      number("Accepted", "wide", count, accepted, { total: (devices) => count(sum(accepted)(devices)) }),
      number("Rejected or stale", "wide", count, notAccepted, { total: (devices) => count(sum(notAccepted)(devices)) }),
    ];
  }

  update({ devices, summary }) {
    this.latest = devices;
    this.problems.clear();
    for (const problem of summary.problems) {
      if (problem.device_id !== null && !this.problems.has(problem.device_id)) this.problems.set(problem.device_id, problem);
    }
    const names = devices.map(({ name }) => name);
    this.ambiguous = new Set(names.filter((name, index) => names.indexOf(name) !== index));
    this.draw();
  }

  draw() {
    setText(byId("device-count"), count(kept(this.latest).length));
    this.show(this.latest);
    this.more.hidden = this.latest.length <= FEW;
    setText(this.more, this.all ? "Show fewer devices" : `Show all ${count(this.latest.length)} devices`);
  }

  // Returns the name of the device in the form that the texts of problems use.
  label({ backend, name }) {
    return this.ambiguous.has(name) ? `${backend} ${name}` : name;
  }

  // Returns a number to sort by: 0 if the device does not mine, 1 if it has another problem, 2 if it has none, 3 if the
  // user removed it.
  rank(device) {
    if (device.state === "removed") return 3;
    return !device.mines ? 0 : this.problems.has(device.id) ? 1 : 2;
  }

  tone(device) {
    const problem = this.problems.get(device.id);
    if (problem) return problem.severity === "critical" ? "bad" : "warn";
    if (device.state === "starting" || device.state === "sick") return "warn";
    return device.mines ? "good" : "soft";
  }

  makeName(cell, { id }) {
    cell.append(
      button("", () => this.toggle(id), { class: "fold", "aria-expanded": "false" }),
      " ",
      el("span", { class: "soft wide" }),
    );
    cell.firstChild.append(el("span", { class: "title" }));
  }

  fillName(cell, device) {
    const [control, kind] = cell.children;
    setText(control.firstElementChild, this.label(device));
    setAttribute(control, "aria-label", `Details of ${this.label(device)}`);
    setAttribute(control, "aria-expanded", String(this.open.has(device.id)));
    setText(kind, device.detail);
  }

  fillState(cell, device) {
    const [state, why] = cell.children;
    setText(state, device.state);
    setAttribute(state, "data-tone", this.tone(device));
    setText(why, this.why(device));
  }

  why(device) {
    const text = this.problems.get(device.id)?.text ?? "";
    return device.reason || (text.startsWith(`${this.label(device)} `) ? text.slice(this.label(device).length + 1) : text);
  }

  toggle(id) {
    if (!this.open.delete(id)) this.open.add(id);
    this.draw();
  }

  makeDetails(cell, { id, product }) {
    cell.append(el("p", { class: "why" }), el("dl", { class: "facts details" }));
    if (product === null) return; // a search thread cannot be restarted
    cell.append(el("div", { class: "buttons" }, button("Restart", () => this.restart(id)), button("Remove", () => this.remove(id), { class: "danger" })));
  }

  fillDetails(cell, device) {
    const [why, list, buttons] = cell.children;
    setText(why, [device.reason, this.problems.get(device.id)?.advice].filter(Boolean).join(". "));
    why.hidden = why.textContent === "";
    facts(list, details(device));
    for (const control of buttons?.children ?? []) setAttribute(control, "aria-label", `${control.textContent} ${this.label(device)}`);
  }

  async restart(id) {
    const name = this.label(this.latest.find((device) => device.id === id));
    const meant = await confirmed({ title: `Restart ${name}?`, text: "The device is powered down and up again, and continues mining.", yes: "Restart" });
    if (meant) await change("POST", `devices/${id}/restart`, { success: `${name} is restarting` });
  }

  async remove(id) {
    const name = this.label(this.latest.find((device) => device.id === id));
    const meant = await confirmed({ title: `Remove ${name}?`, text: "The device is powered down and no longer used. Its totals are kept.", yes: "Remove", danger: true });
    if (meant) await change("DELETE", `devices/${id}`, { success: `${name} was removed` });
  }
}

// Returns the devices that the user has not removed. The table also has removed devices, because their totals are kept.
const kept = (devices) => devices.filter(({ state }) => state !== "removed");

function makeState(cell) {
  cell.append(el("span", { class: "state" }), " ", el("span", { class: "soft why" }));
}

function fan({ fan_rpm: rpm, fan_percent: part }) {
  return rpm !== null ? `${count(rpm)} rpm` : part !== null ? `${part} %` : "–";
}

function errorsOf({ hardware_errors: errors, nonces_found: found }) {
  return errors ? `${count(errors)} (${percent(errors / (found + errors))})` : "0";
}

function details(device) {
  const some = (value, text) => (value === null ? null : text(value));
  const own = (value) => (device.product === null ? null : count(value));
  const ofNonces = (value) => (device.nonces_found && value ? { note: `${percent(value / device.nonces_found)} of its nonces` } : {});
  const narrow = { only: "narrow" }; // shown among the details only if the table has no room for this column
  return [
    ["Of expected", device.expected_hash_rate ? percent(device.hash_rate_1m / device.expected_hash_rate) : null, narrow],
    ["Errors", errorsOf(device), narrow],
    ["Accepted shares", count(device.accepted), narrow],
    ["Rejected or stale shares", count(device.refused), narrow],
    ["Power", some(device.power_w, watts), narrow],
    ["Backend", device.backend],
    [device.product === null ? "Kernel" : "Product", device.detail || null],
    ["Hash rate, 5 s", hashRate(device.hash_rate)],
    ["Expected hash rate", some(device.expected_hash_rate, hashRate)],
    ["Frequency", some(device.frequency_mhz, (value) => `${value.toFixed(1)} MHz`)],
    ["Core voltage", some(device.core_voltage_v, (value) => `${value.toFixed(3)} V`)],
    ["Input voltage", some(device.input_voltage_v, (value) => `${value.toFixed(2)} V`)],
    ["Regulator", some(device.regulator_temperature_c, celsius)],
    ["Efficiency", some(device.joules_per_terahash, efficiency)],
    ["Fan speed", some(device.fan_rpm, (value) => `${count(value)} rpm`)],
    ["Fan setting", some(device.fan_percent, (value) => `${value} %`)],
    ["Hashes", count(device.hashes)],
    ["Nonces found", count(device.nonces_found)],
    ["Last nonce", ago(device.last_nonce_age_s)],
    ["Stale nonces", own(device.stale_nonces), ofNonces(device.stale_nonces)],
    ["Duplicate nonces", own(device.duplicate_nonces), ofNonces(device.duplicate_nonces)],
    ["Damaged replies", own(device.crc_errors)],
    ["Restarts", own(device.restarts)],
    ["Safety shutdowns", own(device.trips)],
    ["Nonces of each chip", device.chips.length ? device.chips.map(count).join(" · ") : null],
  ];
}
