// Devices and search threads: what each does, how hot, how well; chips and the rest of a machine on request.

import { read } from "./api.js";
import { byId, button, el, facts, once, setAttribute, setText, tabled } from "./dom.js";
import { change, confirmed, tell } from "./dialogs.js";
import { ago, celsius, count, efficiency, hashRate, percent, watts } from "./format.js";

const keyOf = (device) => `${device.backend} ${device.name}`;

export class Devices {
  constructor() {
    this.latest = [];
    this.open = new Set(); // keys of devices whose details are shown
    this.show = tabled(byId("device-table"), this.columns(), keyOf, {
      below: {
        of: (device) => this.open.has(keyOf(device)),
        make: (cell) => cell.append(el("dl", { class: "facts details" })),
        fill: (cell, device) => facts(cell.firstChild, details(device)),
      },
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
        if (await change("POST", "devices", { device: form.elements.device.value.trim() })) form.reset();
      });
    });
  }

  columns() {
    return [
      { name: "Device", kind: "name", make: nameCell, fill: fillName },
      { name: "State", kind: "status", make: stateCell, fill: fillState },
      { name: "5 s", kind: "number", cell: (device) => hashRate(device.hash_rate) },
      { name: "1 min", kind: "number strong", cell: (device) => hashRate(device.hash_rate_1m) },
      { name: "Of expected", kind: "number", cell: (device) => (device.expected_hash_rate ? percent(device.hash_rate_1m / device.expected_hash_rate) : "–") },
      { name: "Temperature", kind: "number", cell: (device) => celsius(device.chip_temperature_c) },
      { name: "Power", kind: "number", cell: (device) => watts(device.power_w) },
      { name: "Shares", kind: "number", cell: (device) => `${count(device.accepted)}${device.refused ? `, ${count(device.refused)} refused` : ""}` },
      { name: "Errors", kind: "number", cell: (device) => errors(device) },
      { name: "Actions", kind: "buttons", make: (cell, device, key) => this.actions(cell, device, key), fill: (cell, device) => this.fillActions(cell, device) },
    ];
  }

  actions(cell, device, key) {
    const toggle = button("Details", () => this.toggle(key), { "aria-expanded": "false", "aria-label": `Details of ${device.name}` });
    const restart = button("Restart", () => this.restart(key), { "aria-label": `Restart ${device.name}` });
    const remove = button("Remove", () => this.remove(key), { class: "danger", "aria-label": `Remove ${device.name}` });
    cell.append(toggle, restart, remove);
  }

  fillActions(cell, device) {
    setAttribute(cell.firstChild, "aria-expanded", String(this.open.has(keyOf(device))));
    const own = device.product !== null; // a machine of its own, no part of this computer
    for (const control of [...cell.children].slice(1)) control.hidden = !own;
  }

  toggle(key) {
    if (!this.open.delete(key)) this.open.add(key);
    this.update(this.latest);
  }

  update(devices) {
    this.latest = devices;
    setText(byId("device-count"), String(devices.length));
    this.show(devices);
  }

  find(key) {
    return this.latest.find((device) => keyOf(device) === key);
  }

  async restart(key) {
    const device = this.find(key);
    const meant = await confirmed({ title: `Restart ${device.name}?`, text: "It is powered down and up again, and mines on.", yes: "Restart" });
    if (meant) await this.asked(key, (id) => change("POST", `devices/${id}/restart`));
  }

  async remove(key) {
    const device = this.find(key);
    const meant = await confirmed({ title: `Remove ${device.name}?`, text: "It is powered down and left alone. Its totals stay.", yes: "Remove", danger: true });
    if (meant) await this.asked(key, (id) => change("DELETE", `devices/${id}`));
  }

  // By its place of this moment, which is asked for: it may have moved while the question stood.
  async asked(key, action) {
    const now = await read("devices").catch(() => this.latest);
    const device = now.find((item) => keyOf(item) === key);
    if (device) await action(device.id);
    else tell("That machine is gone.", "refused");
  }
}

function nameCell(cell) {
  cell.append(el("span", { class: "title" }), el("span", { class: "soft detail" }));
}

function fillName(cell, device) {
  setText(cell.children[0], device.name);
  setText(cell.children[1], [device.backend, device.detail].filter(Boolean).join(", "));
}

function stateCell(cell) {
  cell.append(el("span", { class: "state" }), el("span", { class: "soft detail" }));
}

function fillState(cell, device) {
  setText(cell.children[0], device.state);
  cell.children[0].dataset.state = device.state;
  setText(cell.children[1], device.reason);
}

function errors(device) {
  const told = device.nonces_found ? ` (${percent(device.hardware_errors / (device.nonces_found + device.hardware_errors))})` : "";
  return device.hardware_errors ? `${count(device.hardware_errors)}${told}` : "0";
}

function details(device) {
  const some = (value, text) => (value === null ? null : text(value));
  return [
    ["Hashes", count(device.hashes)],
    ["Nonces found", count(device.nonces_found)],
    ["Last nonce", ago(device.last_nonce_age_s)],
    ["Duplicate, stale, damaged", device.product === null ? null : [device.duplicate_nonces, device.stale_nonces, device.crc_errors].map(count).join(", ")],
    ["Frequency", some(device.frequency_mhz, (value) => `${value.toFixed(1)} MHz`)],
    ["Core voltage", some(device.core_voltage_v, (value) => `${value.toFixed(3)} V`)],
    ["Input voltage", some(device.input_voltage_v, (value) => `${value.toFixed(2)} V`)],
    ["Regulator", some(device.regulator_temperature_c, celsius)],
    ["Efficiency", some(device.joules_per_terahash, efficiency)],
    ["Fan", device.fan_rpm === null && device.fan_percent === null ? null : [some(device.fan_rpm, (value) => `${count(value)} rpm`), some(device.fan_percent, (value) => `${value} %`)].filter(Boolean).join(", ")],
    ["Restarts, trips", device.product === null ? null : `${count(device.restarts)}, ${count(device.trips)}`],
    ["Nonces of each chip", device.chips.length ? device.chips.map(count).join(" · ") : null],
  ];
}
