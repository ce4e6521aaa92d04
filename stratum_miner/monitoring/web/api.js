// Sends requests to the miner, with the API token if the page has one. The token is stored only for this browser tab.

const ROOT = new URL("../../api/v1/", import.meta.url);
export const VERSION = new URL(".", import.meta.url).pathname.split("/").at(-2); // this file is /web/VERSION/api.js
const KEY = "stratum-miner-token";

let token = takeFromAddress() ?? storage("getItem", KEY) ?? "";
const listeners = new Set();

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export const hasToken = () => token !== "";

export function keepToken(given) {
  token = given.trim();
  storage(token ? "setItem" : "removeItem", KEY, token);
  for (const listener of listeners) listener();
}

export const onToken = (listener) => listeners.add(listener);

addEventListener("hashchange", () => {
  const given = takeFromAddress();
  if (given !== null) keepToken(given);
});

// Returns the response. Throws Refused with the miner's message, or a TypeError if the miner cannot be reached.
export async function ask(path, { method = "GET", body, signal, headers = {} } = {}) {
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let request;
  try {
    request = new Request(new URL(path, ROOT), {
      method, headers, signal, cache: "no-store", credentials: "omit", redirect: "error",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refused(401, "the token contains characters that are not allowed"); // such as line breaks, which a header cannot have
  }
  const response = await fetch(request);
  if (!response.ok) throw new Refused(response.status, await reason(response));
  return response;
}

export const read = async (path, options) => (await ask(path, options)).json();

async function reason(response) {
  try {
    return (await response.json()).error ?? response.statusText;
  } catch {
    return `the miner answered with status ${response.status}`;
  }
}

// Takes the token from "#token=..." in the page's URL, and removes it from there at once.
function takeFromAddress() {
  if (!location.hash.startsWith("#token=")) return null;
  let given = location.hash.slice("#token=".length);
  try {
    given = decodeURIComponent(given);
  } catch {
    // the token is not percent-encoded: use it unchanged
  }
  history.replaceState(null, "", location.pathname + location.search);
  storage("setItem", KEY, given.trim());
  return given.trim();
}

function storage(call, ...values) {
  try {
    return sessionStorage[call](...values);
  } catch {
    return null; // the browser may permit no storage: the token is then kept only until the page is closed
  }
}
