// Keeps the stream of the miner open. The stream sends a whole view, then the changes once a second, which are applied
// to the view. It is read with fetch, because an EventSource cannot send the token. If the stream breaks, the page
// opens it again, after a pause that doubles each time. While the page is hidden, the stream is closed.

import { Refused, VERSION, ask, onToken } from "./api.js";

const SILENCE_MS = 10000; // without data for so long, the stream counts as broken; data should come every second
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30000;
const LASTING_MS = 30000; // after a stream that lasted this long, the next pause is the first again
const SHORT_LOSS_MS = 4000; // a shorter interruption is not reported, because the page shows the age of the data

export class Live {
  // The handlers are functions that this class calls: view(view) with a view without events and history; begun() after
  // the first view of a connection; event(event) with an event; point(point) with a point of the history; and
  // state({state, reason, nextAt}) with the state "live", "lost", "locked" or "hidden".
  constructor(handlers) {
    this.handlers = handlers;
    this.latest = null; // the newest view, in the form of the stream
    this.number = 0; // number of the step after which `latest` is the view
    this.lastId = "";
    this.pause = FIRST_PAUSE_MS;
    this.lostAt = null;
    this.abort = null;
    this.timer = null;
    onToken(() => this.tryNow());
    addEventListener("online", () => this.tryNow());
    document.addEventListener("visibilitychange", () => (document.hidden ? this.rest() : this.tryNow()));
  }

  tryNow() {
    if (document.hidden) return;
    clearTimeout(this.timer);
    this.abort?.abort();
    this.run();
  }

  rest() {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
    this.lostAt = null;
    this.handlers.state({ state: "hidden" });
  }

  async run() {
    const abort = new AbortController();
    this.abort = abort;
    try {
      await this.listen(abort);
      this.fail(abort, "the miner closed the stream");
    } catch (error) {
      this.fail(abort, error);
    }
  }

  async listen(abort) {
    let alarm = null;
    const restartAlarm = () => {
      clearTimeout(alarm);
      alarm = setTimeout(() => abort.abort(new Error("the miner sent no data for 10 s")), SILENCE_MS);
    };
    restartAlarm();
    try {
      const headers = this.lastId ? { "last-event-id": this.lastId } : {};
      const response = await ask("stream", { signal: abort.signal, headers });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const since = performance.now();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        restartAlarm();
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          if (this.abort !== abort) return; // a newer stream has been opened
          this.take(block);
        }
        if (performance.now() - since > LASTING_MS) this.pause = FIRST_PAUSE_MS;
      }
    } finally {
      clearTimeout(alarm);
    }
  }

  take(block) {
    const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2)));
    if (fields.data === undefined) return;
    const value = JSON.parse(fields.data);
    if (fields.event === "view") this.begin(value);
    else if (fields.event === "change") this.change(value);
    else if (fields.event === "point") this.handlers.point(value);
    else if (fields.event === "event") this.handlers.event(value);
    if (fields.id !== undefined) this.lastId = fields.id;
  }

  begin({ number, page, view }) {
    if (page !== VERSION && once(page)) location.reload(); // the miner has another version than this page
    this.latest = view;
    this.number = number;
    this.lostAt = null;
    this.handlers.state({ state: "live" });
    this.handlers.view(whole(view));
    this.handlers.begun();
  }

  change({ number, change }) {
    if (number !== this.number + 1) throw new Error(`step ${this.number + 1} of the stream is missing`);
    this.latest = changed(this.latest, change);
    this.number = number;
    this.handlers.view(whole(this.latest));
  }

  fail(abort, error) {
    if (this.abort !== abort) return; // this page closed the stream itself
    this.abort = null;
    if (error instanceof Refused && error.status === 401) {
      this.handlers.state({ state: "locked", reason: error.message });
      return; // no further attempt until the user enters another token
    }
    const reason = error instanceof Refused ? error.message : words(abort, error);
    abort.abort(); // do not receive the rest of the answer
    const now = performance.now();
    this.lostAt ??= this.latest === null ? -Infinity : now;
    const pause = this.pause * (0.8 + 0.4 * Math.random()); // so that not all pages reconnect at the same time
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
    if (now + pause - this.lostAt > SHORT_LOSS_MS) this.handlers.state({ state: "lost", reason, nextAt: now + pause });
    this.timer = setTimeout(() => this.tryNow(), pause);
  }
}

// Returns the new value that follows from a value and a difference. If the difference is an object, it holds the
// difference of each changed entry, by the key of an object or the index of a list. If the difference is a list, it
// holds the new value, or is empty if the key was removed (see difference.py).
export function changed(value, change) {
  if (Array.isArray(change)) return change[0];
  const next = Array.isArray(value) ? [...value] : { ...value };
  for (const [key, part] of Object.entries(change)) {
    if (Array.isArray(part) && part.length === 0) delete next[key];
    else next[key] = changed(next[key], part);
  }
  return next;
}

// Returns a view in the form of the API: with a list of pools instead of an object with their ids as keys, and so on.
function whole(view) {
  const pools = Object.values(view.pools).sort((one, other) => one.priority - other.priority);
  const [devices, shares, blocks] = [view.devices, view.shares, view.blocks].map((part) => Object.values(part));
  return { ...view, pools, devices, shares, blocks };
}

// Returns true the first time that it is called for a version, also across reloads. Without this check, a page that is
// served with a wrong version would reload for ever.
function once(version) {
  try {
    if (sessionStorage.getItem("stratum-miner-loaded-for") === version) return false;
    sessionStorage.setItem("stratum-miner-loaded-for", version);
    return true;
  } catch {
    return false; // without storage, the page cannot know whether it was reloaded
  }
}

function words(abort, error) {
  if (abort.signal.aborted) return abort.signal.reason.message;
  if (typeof error === "string") return error;
  return error instanceof TypeError ? "the miner cannot be reached" : error.message;
}
