// Requests to the miner, with the token where there is one. The token lives in this tab's storage and nowhere else.

const ROOT = new URL("../../api/v1/", import.meta.url);
export const VERSION = new URL(".", import.meta.url).pathname.split("/").at(-2); // these files are in /web/VERSION/
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

// A response, or Refused with the miner's own words, or the network's TypeError.
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
    throw new Refused(401, "the token has characters that no token has"); // a header cannot carry them
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
    return `it answers ${response.status}`;
  }
}

// "#token=..." in the address: taken, and gone from it at once.
function takeFromAddress() {
  if (!location.hash.startsWith("#token=")) return null;
  let given = location.hash.slice("#token=".length);
  try {
    given = decodeURIComponent(given);
  } catch {
    // then it is meant as it stands
  }
  history.replaceState(null, "", location.pathname + location.search);
  storage("setItem", KEY, given.trim());
  return given.trim();
}

function storage(call, ...values) {
  try {
    return sessionStorage[call](...values);
  } catch {
    return null; // storage can be switched off: then the token lasts as long as the page
  }
}
