// The stream, kept open: a whole view at first, then each second what changed, which becomes a whole view again.
// Read with fetch, since an EventSource cannot carry the token. Where the stream breaks it is tried again after pauses
// that grow; a page that nobody looks at does not listen.

import { Refused, VERSION, ask, onToken } from "./api.js";

const SILENCE_MS = 10000; // something comes each second
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30000;
const LASTING_MS = 30000; // a stream that lasted so long broke for a new reason
const SHORT_LOSS_MS = 4000; // is not worth a word: the age of what is shown tells it

export class Live {
  // handlers: view(view), without events and history; begun() after the first view of a connection; event(event);
  // point(point) of the history; state({state, reason, nextAt}): "live", "lost", "locked" or "hidden".
  constructor(handlers) {
    this.handlers = handlers;
    this.told = null;
    this.number = 0; // of the step that led to it
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
      this.fail(abort, "the miner ended the stream");
    } catch (error) {
      this.fail(abort, error);
    }
  }

  async listen(abort) {
    let alarm = null;
    const heard = () => {
      clearTimeout(alarm);
      alarm = setTimeout(() => abort.abort(new Error("nothing was heard for 10 s")), SILENCE_MS);
    };
    heard();
    try {
      const headers = this.lastId ? { "last-event-id": this.lastId } : {};
      const response = await ask("stream", { signal: abort.signal, headers });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const since = performance.now();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        heard();
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          if (this.abort !== abort) return; // a newer one listens
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
    if (page !== VERSION && once(page)) location.reload(); // the miner is another one than this page was made for
    this.told = view;
    this.number = number;
    this.lostAt = null;
    this.handlers.state({ state: "live" });
    this.handlers.view(whole(view));
    this.handlers.begun();
  }

  change({ number, change }) {
    if (number !== this.number + 1) throw new Error(`step ${this.number + 1} of the stream is missing`);
    this.told = changed(this.told, change);
    this.number = number;
    this.handlers.view(whole(this.told));
  }

  fail(abort, error) {
    if (this.abort !== abort) return; // it was we who ended it
    this.abort = null;
    if (error instanceof Refused && error.status === 401) {
      this.handlers.state({ state: "locked", reason: error.message });
      return; // until there is another token
    }
    const reason = error instanceof Refused ? error.message : words(abort, error);
    abort.abort(); // what is left of the answer
    const now = performance.now();
    this.lostAt ??= this.told === null ? -Infinity : now;
    const pause = this.pause * (0.8 + 0.4 * Math.random()); // so that not all pages come back at once
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
    if (now + pause - this.lostAt > SHORT_LOSS_MS) this.handlers.state({ state: "lost", reason, nextAt: now + pause });
    this.timer = setTimeout(() => this.tryNow(), pause);
  }
}

// What a difference leads to: an object has what changed by key, or by index of a list; a list has the new value.
export function changed(value, change) {
  if (Array.isArray(change)) return change[0];
  const next = Array.isArray(value) ? [...value] : { ...value };
  for (const [key, part] of Object.entries(change)) {
    if (Array.isArray(part) && part.length === 0) delete next[key];
    else next[key] = changed(next[key], part);
  }
  return next;
}

// A view as the API tells it: lists in place of objects by id.
function whole(told) {
  const pools = Object.values(told.pools).sort((one, other) => one.priority - other.priority);
  const [devices, shares, blocks] = [told.devices, told.shares, told.blocks].map((part) => Object.values(part));
  return { ...told, pools, devices, shares, blocks };
}

// Whether this page was not loaded for that version already: a page that is served as another one must not load for ever.
function once(version) {
  try {
    if (sessionStorage.getItem("stratum-miner-loaded-for") === version) return false;
    sessionStorage.setItem("stratum-miner-loaded-for", version);
    return true;
  } catch {
    return false; // without storage it cannot be known
  }
}

function words(abort, error) {
  if (abort.signal.aborted) return abort.signal.reason.message;
  if (typeof error === "string") return error;
  return error instanceof TypeError ? "the miner cannot be reached" : error.message;
}
