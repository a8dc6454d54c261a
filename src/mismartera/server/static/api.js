// Requests. Reads go with the cookie; commands also carry the page's own token in a header, and a key, so that one
// that is sent twice acts once.

let csrf = "";
let onSignedOut = () => {};

export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `the server has answered ${status}`);
    this.status = status;
    this.code = error?.code ?? "";
  }
}

export function whenSignedOut(act) { onSignedOut = act; }

async function ask(path, options = {}) {
  const reply = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  if (reply.ok) return reply.status === 204 ? null : reply.json();
  let found = null;
  try { found = (await reply.json()).error; } catch { /* no answer of ours */ }
  if (reply.status === 401 && path !== "/api/login") onSignedOut();
  throw new Refused(reply.status, found);
}

export const get = (path) => ask(path);

export function key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function send(method, path, body, idempotency = key()) {
  const headers = { "Content-Type": "application/json", "X-Mismartera-CSRF": csrf, "Idempotency-Key": idempotency };
  return ask(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
}

export const post = (path, body = {}) => send("POST", path, body);
export const remove = (path) => send("DELETE", path);

export async function signIn(credentials) {
  const headers = { "Content-Type": "application/json" };
  const found = await ask("/api/login", { method: "POST", headers, body: JSON.stringify(credentials) });
  csrf = found.csrf;
}

export async function isSignedIn() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code) {
    history.replaceState(null, "", "/");
    try { await signIn({ code }); return true; } catch { /* used before: a cookie may be there */ }
  }
  try {
    csrf = (await get("/api/login")).csrf;
    return Boolean(csrf);
  } catch { return false; }
}

export async function outcome(command) {
  let found = command;
  for (let turn = 0; found.outcome === "pending" && turn < 600; turn += 1) {
    await new Promise((done) => setTimeout(done, turn < 10 ? 150 : 1000));
    found = await get(found.status_url);
  }
  return found;
}
