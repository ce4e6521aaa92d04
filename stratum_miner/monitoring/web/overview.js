// Shows the figures of the whole miner: state, hash rates, power, shares, luck, costs, and the job.

import { byId, facts, setAttribute, setText } from "./dom.js";
import {
  ago, clock, count, difficulty, duration, efficiency, hashRate, moment, percent, poolName, significant, span, watts,
} from "./format.js";

const TONES = { mining: "good", degraded: "warn", paused: "warn", stopping: "warn", no_device: "bad", no_pool: "bad" };

// Returns the state in words, for the header and the title.
function stateWords({ state, devices_mining: mining, devices_total: total }) {
  if (state === "degraded") return `${count(mining)} of ${count(total)} devices mine`;
  return { no_device: "no device mines", no_pool: "no pool" }[state] ?? state;
}

// Sets the title of the page. `link` is the state of the connection, which the title also shows, because people read
// the title while another page is open.
export function showTitle(view, link) {
  if (view === null) return;
  const { summary, at } = view;
  const parts = [stateWords(summary), hashRate(summary.hash_rate_1m), summary.power_w === null ? null : watts(summary.power_w)];
  if (link === "hidden") parts.unshift(`at ${clock(at)}:`);
  const title = link === "live" || link === "late" || link === "hidden" ? parts.filter(Boolean).join(" · ").replace(": · ", ": ") : "no connection";
  if (document.title !== `${title} · stratum_miner`) document.title = `${title} · stratum_miner`;
}

export function showSummary(view) {
  const { summary } = view;
  setText(byId("state"), stateWords(summary));
  setAttribute(byId("state"), "data-tone", TONES[summary.state] ?? "warn");
  setText(byId("hash-rate"), hashRate(summary.hash_rate_1m));
  setText(byId("power"), summary.power_w === null ? "" : watts(summary.power_w));
  facts(byId("glance"), glance(view));
  facts(byId("rates"), rates(summary));
  facts(byId("tiles"), tiles(summary));
  setText(byId("luck-words"), luckWords(summary.luck));
  facts(byId("reasons"), Object.entries(summary.reasons).map(([reason, times]) => [reason, count(times)]));
  facts(byId("now"), now(view));
  byId("economics").hidden = summary.economics === null;
  if (summary.economics !== null) facts(byId("economics-list"), economics(summary.economics));
}

// Returns the most important figures, for the top of the page.
function glance({ summary, pools, devices }) {
  const { shares } = summary;
  const expected = devices.every((device) => device.expected_hash_rate) && devices.reduce((sum, device) => sum + device.expected_hash_rate, 0);
  const active = pools.filter((pool) => pool.active);
  const notAccepted = shares.rejected + shares.stale + shares.lost;
  return [
    ["Hash rate", hashRate(summary.hash_rate_1m), { only: "main", note: expected ? `${percent(summary.hash_rate_1m / expected)} of expected, last minute` : "last minute" }],
    ["Power", summary.power_w === null ? "–" : watts(summary.power_w), { note: powerNote(summary) }],
    [
      "Devices", `${count(summary.devices_mining)} of ${count(summary.devices_total)}`,
      { kind: summary.devices_mining < summary.devices_total && summary.state !== "paused" ? "bad" : null, note: summary.devices_total === 1 ? "mines" : "mine" },
    ],
    ["Shares accepted", count(shares.accepted), { note: notAccepted ? `${count(notAccepted)} not accepted` : `the last ${ago(summary.last_share_age_s)}` }],
    ["Pool", active.length ? poolName(active[0].name) : "none", { only: "long", note: active.length > 1 ? `and ${count(active.length - 1)} more` : active.length ? `for ${duration(active[0].since_s)}` : null }],
  ];
}

function powerNote({ power_w: power, power_is_partial: isPartial, joules_per_terahash: joules }) {
  if (power === null) return "not measured";
  return isPartial ? "devices that measure it" : joules === null ? null : efficiency(joules);
}

// Returns the hash rates. A time window that is longer than the run is left out, because its average is that of the
// run.
function rates(summary) {
  const implied = summary.implied_hash_rate;
  const elapsed = summary.elapsed_s;
  return [
    ["5 s", hashRate(summary.hash_rate_5s)],
    ["5 min", elapsed < 300 ? null : hashRate(summary.hash_rate_5m)],
    ["15 min", elapsed < 900 ? null : hashRate(summary.hash_rate_15m)],
    ["since the start", hashRate(summary.hash_rate)],
    ["from accepted shares", implied && hashRate(implied.value), { note: implied && `95 %: ${hashRate(implied.low)} to ${hashRate(implied.high)}` }],
    ["process did not run", summary.frozen_s ? duration(summary.frozen_s) : null, { kind: "warn", note: "left out of the rates" }],
  ];
}

function now({ summary, pools }) {
  const active = pools.find((pool) => pool.active);
  const { job } = summary;
  return [
    ["Pool", active ? poolName(active.name) : null],
    ["Waiting for", job === null ? summary.detail || "a job" : null],
    ["Block height", summary.height === null ? null : count(summary.height)],
    ["Job", job && job.job_id],
    ["Age of the job", job && duration(job.age_s)],
    ["Share difficulty", job && difficulty(job.share_difficulty)],
    ["Network difficulty", summary.network_difficulty === null ? null : difficulty(summary.network_difficulty)],
    ["Share expected", summary.share_every_s === null ? null : `every ${span(summary.share_every_s)}`],
    ["Last accepted", ago(summary.last_share_age_s)],
    ["Version rolling", job && (job.version_mask !== "00000000" ? `mask ${job.version_mask}` : "no")],
    ["Previous block", job && job.previous_hash, { kind: "hash" }],
    ["stratum_miner", summary.version],
    ["Running for", duration(summary.elapsed_s), { note: `since ${moment(summary.started_at)}` }],
  ];
}

function tiles(summary) {
  const { shares, luck } = summary;
  const total = shares.accepted + shares.rejected + shares.stale + shares.lost;
  const bad = (number, kind) => [count(number), { kind: number ? kind : null, note: number ? percent(number / total) : null }];
  return [
    ["Accepted", count(shares.accepted), { note: shares.open ? `${count(shares.open)} open` : null }],
    ["Rejected", ...bad(shares.rejected, "bad")],
    ["Stale", ...bad(shares.stale, "warn")],
    ["Lost", ...bad(shares.lost, "bad")],
    ["Blocks", count(summary.blocks_accepted), { kind: summary.blocks_accepted ? "good" : null }],
    ["Best share", summary.best_share ? difficulty(summary.best_share) : "–"],
    ["HW errors", count(summary.hardware_errors), { kind: summary.hardware_errors ? "bad" : null }],
    ["Luck", luck.ratio === null ? "–" : luck.ratio.toFixed(2), { kind: luck.high !== null && luck.high < 1 ? "warn" : null }],
  ];
}

function luckWords({ found, expected, ratio, low, high }) {
  if (ratio === null) return "Luck is the number of shares found, divided by the number that the hashes computed should find on average.";
  const ratioText = `Luck ${ratio.toFixed(2)}: ${count(found)} shares were found. On average, the hashes computed find ${significant(expected, 4)}`;
  if (low === null) return `${ratioText}.`;
  const interval = `95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}`;
  if (high < 1) return `${ratioText} (${interval}). Chance does not explain so few: check the errors and stale nonces of the devices.`;
  return `${ratioText} (${interval}). ${low > 1 ? "Chance does not explain so many." : "Chance explains the difference."}`;
}

// Returns the costs and the expected income, without figures that are not known. `earnings` has the fields of Earnings
// (stratum_miner.economics.profit.earnings).
function economics(earnings) {
  const money = (value) => (value === null || value === undefined ? null : value.toFixed(Math.abs(value) < 1 ? 4 : 2));
  return [
    ["Profit a day", money(earnings.profit_per_day), { kind: (earnings.profit_per_day ?? 0) < 0 ? "bad" : null }],
    ["Electricity a day", money(earnings.electricity_per_day)],
    ["Electricity so far", money(earnings.electricity_so_far)],
    ["Income a day", money(earnings.income_per_day)],
    ["Mean time per block", known(earnings.seconds_per_block)],
    ["Mean time per mainnet block", known(earnings.mainnet_seconds_per_block)],
    ["Mainnet satoshis a day", typeof earnings.mainnet_btc_per_day === "number" ? significant(earnings.mainnet_btc_per_day * 1e8, 3) : null],
  ];
}

const known = (seconds) => (typeof seconds === "number" ? span(seconds) : null);
