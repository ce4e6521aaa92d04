// Shows the settings in force, each with its source. They are fetched when the user opens this part, and after a
// reload.

import { read } from "./api.js";
import { byId, el, once } from "./dom.js";
import { change } from "./dialogs.js";

export class Configuration {
  constructor() {
    this.body = byId("configuration-body");
    this.toggle = byId("show-configuration");
    this.unset = false;
    this.toggle.addEventListener("click", () => once(this.toggle, () => this.open(this.body.hidden)));
    const reload = byId("reload");
    reload.addEventListener("click", () => once(reload, async () => {
      if (await change("POST", "reload") && !this.body.hidden) await this.open(true);
    }));
  }

  async open(shown) {
    if (shown) {
      try {
        this.draw(await read("config"));
      } catch (error) {
        this.body.replaceChildren(el("p", { class: "soft" }, `The configuration cannot be read now: ${error.message}`));
      }
    }
    this.body.hidden = !shown;
    this.toggle.setAttribute("aria-expanded", String(shown));
    this.toggle.textContent = shown ? "Hide" : "Show";
  }

  draw(found) {
    const file = found.file ? ["From ", el("code", {}, found.file), ", the environment and the command line."] : ["From the command line and the environment. There is no configuration file."];
    const parts = [el("p", { class: "soft" }, ...file, " Pools are shown here as they were configured. Later changes are shown in the table of pools.")];
    for (const { title, settings } of found.groups ?? []) {
      const given = settings.filter(({ value }) => value !== null);
      if (given.length) parts.push(this.table(title, given));
    }
    const unset = (found.groups ?? []).flatMap(({ settings }) => settings.filter(({ value }) => value === null));
    if (unset.length) {
      parts.push(el("details", {}, el("summary", {}, `${unset.length} options that are not set`), el("p", { class: "soft" }, unset.map(({ key }) => key).join(", "))));
    }
    this.body.replaceChildren(...parts);
  }

  table(title, settings) {
    return el(
      "table", { class: "settings" }, el("caption", {}, title),
      el("thead", {}, el("tr", {}, ...["Key", "Value", "Source"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, ...settings.map(({ key, value, origin }) => el(
        "tr", {}, el("th", { scope: "row" }, el("code", {}, key)), el("td", {}, el("code", {}, value)), el("td", { class: "soft" }, origin),
      ))),
    );
  }
}
