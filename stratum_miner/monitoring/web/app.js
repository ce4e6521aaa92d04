// Passes the data of the stream to the parts of the page, and shows how old the data is.

import { hasToken, keepToken, onToken, read } from "./api.js";
import { Charts } from "./charts.js";
import { Configuration } from "./configuration.js";
import { Devices } from "./devices.js";
import { announce, askToken, change, confirmed, showNotice } from "./dialogs.js";
import { byId, once, setText } from "./dom.js";
import { Blocks, Events, Shares } from "./events.js";
import { duration } from "./format.js";
import { Live } from "./live.js";
import { showSummary, showTitle } from "./overview.js";
import { Pools } from "./pools.js";
import { Problems } from "./problems.js";

const FRESH_S = 3; // age in seconds up to which data counts as live; new data comes every second
const TICK_MS = 500;

const charts = new Charts();
const devices = new Devices();
const pools = new Pools();
const problems = new Problems();
const events = new Events();
const blocks = new Blocks();
const shares = new Shares();
new Configuration();

let latest = null;
let takenAt = null; // time of the latest view, as performance.now() gives it
let link = { state: "connecting" };

const live = new Live({
  view: take, begun: () => charts.begin(), event: (event) => events.add([event]), point: (point) => charts.add(point), state: linked,
});

function take(view) {
  const anew = latest !== null && Math.abs(view.summary.started_at - latest.summary.started_at) > 1;
  latest = view;
  takenAt = performance.now();
  if (anew) {
    events.forget();
    charts.forget();
    announce("The miner was restarted.");
  }
  problems.update(view.summary);
  showSummary(view);
  devices.update(view);
  pools.update(view.pools);
  blocks.update(view);
  shares.update(view);
  charts.show(view);
  showPause(view.summary.state);
  fresh();
}

addEventListener("changed", async () => {
  try {
    take(await read("view"));
  } catch {
    // nothing to do: the stream reports that the connection is lost
  }
});

// ---- the connection -----------------------------------------------------------------------------------------------

function linked(now) {
  const before = link.state;
  link = now;
  if (now.state !== before) {
    if (now.state === "lost") announce("The connection to the miner is lost.");
    if (now.state === "live" && before === "lost") announce("The connection to the miner is back.");
  }
  if (now.state === "locked") unlock(); // also a second time: the miner refused the token that the user entered
  fresh();
}

function fresh() {
  const age = takenAt === null ? null : (performance.now() - takenAt) / 1000;
  const isFresh = link.state === "live" && age !== null && age < FRESH_S;
  const state = isFresh ? "live" : link.state === "live" ? "late" : link.state;
  document.body.dataset.link = state;
  showTitle(latest, state);
  const words = { live: "live", late: `${duration(age ?? 0)} old`, lost: "no connection", locked: "locked", hidden: "not updated", connecting: "connecting" };
  setText(byId("freshness").lastElementChild, words[state]);
  const banner = byId("banner");
  banner.hidden = state !== "lost" && state !== "locked";
  if (banner.hidden) return;
  const wait = Math.max(0, ((link.nextAt ?? 0) - performance.now()) / 1000);
  setText(byId("banner-what"), state === "locked" ? "This miner requires its API token for reading." : `No connection: ${link.reason}.`);
  setText(byId("banner-age"), age === null ? "No data has been received yet." : `The data shown is ${duration(Math.floor(age)).replace(".0s", "s")} old.`);
  setText(byId("banner-next"), state === "locked" ? "" : `Next attempt in ${Math.ceil(wait)} s.`);
  setText(byId("banner-action"), state === "locked" ? "Enter the token" : "Try now");
}

byId("banner-action").addEventListener("click", () => (link.state === "locked" ? unlock() : live.tryNow()));
setInterval(fresh, TICK_MS);

async function unlock() {
  const given = await askToken(hasToken() ? "This is not the token of this miner." : "This miner requires its API token for reading.");
  if (given !== null) keepToken(given);
}

// ---- the whole miner ----------------------------------------------------------------------------------------------

const pause = byId("pause");
const quit = byId("quit");

function showPause(state) {
  setText(pause, state === "paused" ? "Resume" : "Pause");
  pause.className = state === "paused" ? "main" : "hold";
}

pause.addEventListener("click", () => once(pause, async () => {
  if (latest?.summary.state === "paused") {
    await change("POST", "resume");
    return;
  }
  const meant = await confirmed({ title: "Pause mining?", text: "The devices stop searching. Connections to pools stay open.", yes: "Pause" });
  if (meant) await change("POST", "pause");
}));

quit.addEventListener("click", () => once(quit, async () => {
  const meant = await confirmed({
    title: "Stop the miner?", text: "The miner waits briefly for the answers to submitted shares, then stops. This page cannot start it again.", yes: "Stop it", danger: true,
  });
  if (meant) await change("POST", "quit");
}));

// ---- the links to the parts of the page, in a menu if the header has no room for them -----------------------------

const parts = byId("parts");
parts.addEventListener("click", () => parts.matches(":popover-open") && parts.hidePopover());

// ---- the token ----------------------------------------------------------------------------------------------------

const forget = byId("forget");

function showForget() {
  forget.hidden = !hasToken();
}

forget.addEventListener("click", () => {
  keepToken("");
  showNotice("The page no longer has the token.");
});
onToken(showForget);
showForget();

live.tryNow();
