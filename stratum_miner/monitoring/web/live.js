// The stream of views and events, kept open: read with fetch, since an EventSource cannot carry the token.
// Where it breaks it is tried again after pauses that grow; a page that nobody looks at does not listen.

import { Refused, ask, onToken } from "./api.js";

const SILENCE_MS = 10000; // a view comes each second
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30000;

export class Live {
  // handlers: view(view), event(event), state({state, reason, nextAt}): "live", "lost", "locked" or "hidden".
  constructor(handlers) {
    this.handlers = handlers;
    this.after = 0;
    this.pause = FIRST_PAUSE_MS;
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
    this.handlers.state({ state: "hidden" });
  }

  // The miner began anew: its events count from 1 again.
  startOver() {
    this.after = 0;
    this.tryNow();
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
      const response = await ask(`stream?after=${this.after}`, { signal: abort.signal });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        heard();
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) this.take(block, abort);
      }
    } finally {
      clearTimeout(alarm);
    }
  }

  take(block, abort) {
    if (this.abort !== abort) return; // a newer one listens
    let kind = "";
    const data = [];
    for (const line of block.split("\n")) {
      if (line.startsWith("event: ")) kind = line.slice(7);
      else if (line.startsWith("data: ")) data.push(line.slice(6));
    }
    if (!data.length) return;
    const value = JSON.parse(data.join("\n"));
    if (kind === "view") {
      this.pause = FIRST_PAUSE_MS;
      this.handlers.state({ state: "live" });
      this.handlers.view(value);
    } else if (kind === "event") {
      this.after = Math.max(this.after, value.number);
      this.handlers.event(value);
    }
  }

  fail(abort, error) {
    if (this.abort !== abort) return; // it was we who ended it
    this.abort = null;
    if (error instanceof Refused && error.status === 401) {
      this.handlers.state({ state: "locked", reason: error.message });
      return; // until there is another token
    }
    const reason = error instanceof Refused ? error.message : words(abort, error);
    const pause = this.pause * (0.8 + 0.4 * Math.random()); // so that not all pages come back at once
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
    this.handlers.state({ state: "lost", reason, nextAt: performance.now() + pause });
    this.timer = setTimeout(() => this.tryNow(), pause);
  }
}

function words(abort, error) {
  if (abort.signal.aborted) return abort.signal.reason.message;
  if (typeof error === "string") return error;
  return error instanceof TypeError ? "the miner cannot be reached" : error.message;
}
