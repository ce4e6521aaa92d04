// What the page asks: for the token, and whether something is meant. And what it tells of what it did.

import { Refused, ask, hasToken, keepToken } from "./api.js";
import { byId, setText } from "./dom.js";
import { sentence } from "./format.js";

const NOTICE_MS = 8000;

let noticeTimer = null;

// One line at the foot, also for screen readers.
export function tell(text, kind = "done") {
  const notice = byId("notice");
  notice.dataset.kind = kind;
  notice.textContent = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => {
    notice.textContent = "";
  }, NOTICE_MS);
}

// For screen readers alone: what others see.
export const announce = (text) => setText(byId("announcements"), text);

// Resolves to whether it is meant.
export function confirmed({ title, text, yes, danger = false }) {
  const dialog = byId("confirm-dialog");
  const agree = byId("confirm-yes");
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(agree, yes);
  agree.className = danger ? "danger" : "main";
  return answered(dialog, byId("confirm-no"), (settle) => {
    agree.onclick = () => settle(true);
  }, false);
}

let tokenAsked = null;

// Resolves to a token, or null. Whoever asks while it is asked for gets the same answer.
export function askToken(why) {
  setText(byId("token-why"), why);
  tokenAsked ??= tokenAnswered().finally(() => {
    tokenAsked = null;
  });
  return tokenAsked;
}

function tokenAnswered() {
  const input = byId("token-input");
  input.value = "";
  return answered(byId("token-dialog"), byId("token-cancel"), (settle) => {
    byId("token-form").onsubmit = (event) => {
      event.preventDefault();
      settle(input.value.trim() || null);
    };
  }, null);
}

function answered(dialog, cancel, prepare, otherwise) {
  return new Promise((resolve) => {
    const settle = (answer) => {
      dialog.close();
      resolve(answer);
    };
    prepare(settle);
    cancel.onclick = () => settle(otherwise);
    dialog.oncancel = () => settle(otherwise); // Escape
    dialog.showModal();
  });
}

// Change something: asks for the token when it must, tells what was done, in the words given or else the miner's, or why
// not. Resolves to whether it was done.
export async function change(method, path, { body, told } = {}) {
  let why = hasToken() ? "" : "Changes need the token of this miner.";
  for (;;) {
    if (why) {
      const given = await askToken(why);
      if (given === null) return false;
      keepToken(given);
    }
    try {
      const { done } = await (await ask(path, { method, body })).json();
      dispatchEvent(new Event("changed")); // to be seen at once
      tell(sentence(told ?? (done.length ? done.join("; ") : "nothing changed")));
      return true;
    } catch (error) {
      if (!(error instanceof Refused && error.status === 401)) {
        tell(error instanceof Refused ? error.message : "The miner cannot be reached; nothing was changed.", "refused");
        return false;
      }
      why = "That is not this miner's token.";
    }
  }
}
