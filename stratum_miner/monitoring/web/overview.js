// The miner as a whole: state, hash rates, pool and job, key figures, costs.

import { byId, facts, setAttribute, setText } from "./dom.js";
import {
  ago, count, difficulty, duration, hashRate, joules, moment, percent, significant, span, watts,
} from "./format.js";

export function showSummary(view) {
  const { summary } = view;
  setText(byId("version"), summary.version);
  setText(byId("state"), summary.state);
  byId("state").dataset.state = summary.state;
  setText(byId("elapsed"), `for ${duration(summary.elapsed_s)}`);
  setAttribute(byId("elapsed"), "title", `since ${moment(summary.started_at)}`);
  setText(byId("hash-rate"), hashRate(summary.hash_rate_1m));
  document.title = `${summary.state === "mining" ? hashRate(summary.hash_rate_1m) : summary.state} · stratum_miner`;
  facts(byId("rates"), rates(summary));
  facts(byId("now"), now(view));
  facts(byId("tiles"), tiles(summary));
  byId("economics").hidden = summary.economics === null;
  if (summary.economics !== null) facts(byId("economics-list"), economics(summary.economics));
}

function rates(summary) {
  const implied = summary.implied_hash_rate;
  return [
    ["5 s", hashRate(summary.hash_rate_5s)],
    ["5 min", hashRate(summary.hash_rate_5m)],
    ["15 min", hashRate(summary.hash_rate_15m)],
    ["since start", hashRate(summary.hash_rate)],
    [
      "by accepted shares",
      implied && `${hashRate(implied.value)} (${hashRate(implied.low)} to ${hashRate(implied.high)})`,
      { title: "What the accepted shares alone say of the hash rate, with its 95 % interval" },
    ],
  ];
}

function now({ summary, pools }) {
  const active = pools.find((pool) => pool.active);
  const { job } = summary;
  return [
    ["Pool", active ? active.name : summary.pool],
    ["Worker", summary.worker_name],
    ["Waits for", job === null ? summary.detail || "a job" : null],
    ["Problem", summary.problems.map((problem) => problem.text).join(" ") || null],
    ["Block height", summary.height === null ? null : count(summary.height)],
    ["Job", job && `${job.job_id}, ${duration(job.age_s)} old`],
    ["Builds on", job && job.previous_hash, { kind: "hash" }],
    ["Share difficulty", job && difficulty(job.share_difficulty)],
    ["Network difficulty", summary.network_difficulty === null ? null : difficulty(summary.network_difficulty)],
    ["Share expected", summary.share_every_s === null ? null : `every ${span(summary.share_every_s)}`],
    ["Last accepted", ago(summary.last_share_age_s)],
    ["Versions rolled", job && job.version_mask !== "00000000" ? `mask ${job.version_mask}` : "no"],
  ];
}

function tiles(summary) {
  const { shares, luck } = summary;
  const total = shares.accepted + shares.rejected + shares.stale + shares.lost;
  const bad = (number, kind, title = null) => [count(number), { kind: number ? kind : null, note: number ? percent(number / total) : null, title }];
  return [
    ["Accepted", count(shares.accepted), { note: shares.open ? `${count(shares.open)} open` : null }],
    ["Rejected", ...bad(shares.rejected, "bad", reasons(summary))],
    ["Stale", ...bad(shares.stale, "warn")],
    ["Lost", ...bad(shares.lost, "bad")],
    ["Blocks", count(summary.blocks_accepted), { kind: summary.blocks_accepted ? "good" : null }],
    ["Best share", summary.best_share ? difficulty(summary.best_share) : "–"],
    [
      "Luck", luck.ratio === null ? "–" : luck.ratio.toFixed(2),
      {
        note: luck.low === null ? null : `${luck.low.toFixed(2)} to ${luck.high.toFixed(2)}`,
        title: `${count(luck.found)} found, ${significant(luck.expected, 4)} expected; with the 95 % interval`,
      },
    ],
    ["Work utility", significant(summary.work_utility, 3), { note: "per minute", title: "Accepted difficulty per minute" }],
    ["HW errors", count(summary.hardware_errors), { kind: summary.hardware_errors ? "bad" : null, title: "Nonces that failed re-hashing" }],
    ["Power", summary.power_w === null ? null : watts(summary.power_w)],
    ["Efficiency", summary.joules_per_terahash === null ? null : joules(summary.joules_per_terahash), { note: "J/TH" }],
  ];
}

function reasons(summary) {
  const told = Object.entries(summary.reasons).map(([reason, times]) => `${times} × ${reason}`);
  return told.length ? told.join("\n") : null;
}

// Only what is known; names as Earnings gives them (stratum_miner.cli.earnings).
function economics(told) {
  const money = (value) => (value === null || value === undefined ? null : value.toFixed(Math.abs(value) < 1 ? 4 : 2));
  return [
    ["Electricity a day", money(told.electricity_per_day)],
    ["Electricity so far", money(told.electricity_so_far)],
    ["Income a day", money(told.income_per_day)],
    ["Profit a day", money(told.profit_per_day), { kind: (told.profit_per_day ?? 0) < 0 ? "bad" : null }],
    ["A block here takes", known(told.seconds_per_block)],
    ["A mainnet block takes", known(told.mainnet_seconds_per_block)],
    ["Mainnet bitcoin a day", typeof told.mainnet_btc_per_day === "number" ? significant(told.mainnet_btc_per_day, 3) : null],
  ];
}

const known = (seconds) => (typeof seconds === "number" ? span(seconds) : null);
