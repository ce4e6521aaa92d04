// Shows the dialogs for the token and for confirmations, and notices that say what was done.

import { Refused, ask, hasToken, keepToken } from "./api.js";
import { byId, setText } from "./dom.js";
import { sentence } from "./format.js";

const NOTICE_MS = 8000;

let noticeTimer = null;

// Shows a notice of one line at the bottom of the page. Screen readers read the notice, too.
export function showNotice(text, kind = "done") {
  const notice = byId("notice");
  notice.dataset.kind = kind;
  notice.textContent = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => {
    notice.textContent = "";
  }, NOTICE_MS);
}

// Makes screen readers read a text that is not shown, because people who see the page notice the change itself.
export const announce = (text) => setText(byId("announcements"), text);

// Asks for a confirmation. Resolves to true if the user agrees.
export function confirmed({ title, text, yes, danger = false }) {
  const dialog = byId("confirm-dialog");
  const agree = byId("confirm-yes");
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(agree, yes);
  agree.className = danger ? "danger" : "main";
  return answered(dialog, byId("confirm-no"), (close) => {
    agree.onclick = () => close(true);
  }, false);
}

let tokenAsked = null;

// Asks the user for the token. Resolves to the token, or to null if the user cancels. If the dialog is already open,
// the call gets the answer of that dialog.
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
  return answered(byId("token-dialog"), byId("token-cancel"), (close) => {
    byId("token-form").onsubmit = (event) => {
      event.preventDefault();
      close(input.value.trim() || null);
    };
  }, null);
}

function answered(dialog, cancel, prepare, otherwise) {
  return new Promise((resolve) => {
    const close = (answer) => {
      dialog.close();
      resolve(answer);
    };
    prepare(close);
    cancel.onclick = () => close(otherwise);
    dialog.oncancel = () => close(otherwise); // the user pressed the Escape key
    dialog.showModal();
  });
}

// Sends a request that changes something. Asks the user for the token if it is needed. Then shows a notice. If the
// change was made, the notice is `success` or, without `success`, the text of the miner. Otherwise it says why the
// request failed. Resolves to whether the change was made.
export async function change(method, path, { body, success } = {}) {
  let why = hasToken() ? "" : "Changes require the API token of this miner.";
  for (;;) {
    if (why) {
      const given = await askToken(why);
      if (given === null) return false;
      keepToken(given);
    }
    try {
      const { done } = await (await ask(path, { method, body })).json();
      dispatchEvent(new Event("changed")); // so that the page shows the change at once
      showNotice(sentence(success ?? (done.length ? done.join("; ") : "nothing changed")));
      return true;
    } catch (error) {
      if (!(error instanceof Refused && error.status === 401)) {
        showNotice(error instanceof Refused ? error.message : "The miner cannot be reached. Nothing was changed.", "refused");
        return false;
      }
      why = "This is not the token of this miner.";
    }
  }
}
