// The page: reads how everything stands, follows the stream, and sends commands.

import { get, isSignedIn, outcome, post, remove, signIn, whenSignedOut } from "/static/api.js";
import { Chart } from "/static/chart.js";
import { Events } from "/static/events.js";
import { clock, count, day, forgetColors, inZone, lag, percent, price, put, setZone, wall, words } from "/static/format.js";
import { Heat } from "/static/heat.js";
import { Link } from "/static/link.js";
import { List } from "/static/list.js";
import { Ribbon } from "/static/ribbon.js";
import { Store } from "/static/store.js";

const $ = (id) => document.getElementById(id);
const store = new Store();
const chart = new Chart($("chart"), $("reason"), $("values"));
const heat = new Heat($("heat-panel"), $("heat-scroll"), $("heat-room"), $("heat"), $("heat-said"));
const events = new Events($("events"), $("events-panel"), () => store.mark("events"));
const ribbon = new Ribbon($("ribbon"), () => store.mark("ribbon"));
const list = new List(store, $("symbols"), choose, drop);
const SPEEDS = [1, 5, 10, 30, 60, 120, 300, 600, 1800];

// How it looks

store.paint("head", () => {
  const s = store.session;
  if (!s) return;
  setZone(s.zone);
  put($("name"), s.name);
  put($("date"), s.date ? `${day(s.open)} · session ${s.sessions_begun}${s.mode === "live" ? "" : ` of ${s.sessions}`}` : "before the first session");
  put($("clock"), s.date ? clock(s.now) : "–");
  const shown = s.is_over ? `over: ${s.outcome}` : s.is_paused ? "paused" : words(s.state);
  put($("state"), s.is_over || s.state === "active" || s.is_paused ? shown : `${shown} (${words(s.reason)})`);
  $("state").dataset.state = s.is_over ? "closed" : s.is_paused ? "paused" : s.state;
  put($("lag"), lag(s.lag_seconds));
  put($("bars"), count(s.bars_streamed + s.derived_bars));
  $("pause").disabled = s.is_over;
  put($("pause"), s.is_paused ? "Resume" : "Pause");
  $("step").disabled = !(s.can_step && s.is_paused);
  $("speed-box").hidden = !s.can_set_speed;
  paintSpeed(s.speed);
  put($("run"), `${s.mode} · ${s.symbols.loaded} loaded, ${s.symbols.pending + s.symbols.loading} on their way, ${s.symbols.failed} failed`);
  const title = `${shown} · ${s.name}`;
  if (document.title !== title) document.title = title;
});
store.paint("ribbon", () => ribbon.paint(store.session, store.spans));
store.paint("list", () => {
  list.paint();
  put($("count"), list.shown.length === store.symbols.size ? count(store.symbols.size) : `${list.shown.length} of ${store.symbols.size}`);
});
store.paint("rows", () => list.paintWaiting());
store.paint("events", () => events.paint(store.events, store.turn, $("kind").value, $("words").value));
store.paint("quote", () => {
  const row = store.symbols.get(store.selected);
  put($("last"), row ? price(row.close) : "");
  put($("change"), row ? percent(row.change_percent, true) : "");
  $("change").className = `num ${(row?.change_percent ?? 0) < 0 ? "down" : "up"}`;
});

function paintSpeed(speed) {
  const box = $("speed");
  if (document.activeElement === box || box.dataset.told === String(speed)) return;
  box.dataset.told = String(speed);
  const all = SPEEDS.includes(speed) || !speed ? SPEEDS : [...SPEEDS, speed].sort((a, b) => a - b);
  box.replaceChildren(...all.map((value) => new Option(`${value}×`, value, false, value === speed)));
}

function say(text, isError = false) {
  $("said").textContent = inZone(text);
  $("said").classList.toggle("error", isError);
}

// Which symbol

function choose(symbol) {
  const row = store.symbols.get(symbol);
  if (!row) return;
  const isOther = store.selected !== symbol;
  store.selected = symbol;
  if (!row.intervals.includes(store.interval)) store.interval = row.intervals[0];
  $("chart-title").textContent = symbol;
  $("remove").hidden = false;
  $("intervals").replaceChildren(...row.intervals.map((label) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
    button.setAttribute("aria-pressed", label === store.interval);
    button.onclick = () => { store.interval = label; choose(symbol); chart.show(symbol, label); };
    return button;
  }));
  if (isOther) chart.show(symbol, store.interval);
  store.mark("list", "quote");
}

function chooseWanted() { // its row may come a little later than the answer
  if (!store.wanted || !store.symbols.has(store.wanted)) return;
  choose(store.wanted);
  store.wanted = null;
}

function unchoose() {
  store.selected = null;
  chart.show(null, null);
  $("chart-title").textContent = "Choose a symbol";
  $("remove").hidden = true;
  $("intervals").replaceChildren();
  const first = store.symbols.values().next().value;
  if (first) choose(first.symbol);
  store.mark("quote");
}

// Commands

async function command(what, act) {
  try { return await act(); } catch (error) { say(`${what}: ${error.message}`, true); return null; }
}

async function drop(symbol) {
  chart.hold(symbol);
  const done = await command(`Remove ${symbol}`, () => remove(`/api/symbols/${encodeURIComponent(symbol)}`));
  if (!done) { chart.release(); return; }
  say(`${symbol} is removed`);
  store.updateRows([], [symbol]);
  if (store.selected === symbol) unchoose();
}

$("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const symbols = $("add-name").value.split(/[\s,;]+/).filter(Boolean);
  if (!symbols.length) return;
  say(`${symbols.join(", ")}: asked for …`);
  const asked = await command("Add", () => post("/api/symbols", { symbols }));
  if (!asked) return;
  $("add-name").value = "";
  const done = await command("Add", () => outcome(asked));
  if (!done) return;
  const told = Object.entries(done.symbols).map(([symbol, found]) => (found.reason ? `${symbol} ${found.outcome}: ${found.reason}` : `${symbol} ${found.outcome}`));
  say(told.join("; "), done.outcome !== "loaded");
  const first = Object.entries(done.symbols).find(([, found]) => found.outcome === "loaded");
  store.wanted = first?.[0] ?? null;
  chooseWanted();
});
$("remove").addEventListener("click", () => store.selected && drop(store.selected));
$("pause").addEventListener("click", () => togglePause());
$("step").addEventListener("click", () => step());
$("speed").addEventListener("change", (event) => command("Speed", () => post("/api/session/speed", { speed: Number(event.target.value) })));

const togglePause = () => command("Pause", () => post(store.session?.is_paused ? "/api/session/resume" : "/api/session/pause"));
const step = () => command("Step", () => post("/api/session/step"));

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA|BUTTON|A)$/.test(event.target.tagName) || $("login").open) return;
  const keys = { "/": () => $("add-name").focus(), " ": () => !$("pause").disabled && togglePause(), ".": () => !$("step").disabled && step() };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});

// Filters, tabs, theme

$("filter").addEventListener("input", (event) => { list.filter = event.target.value; list.box.scrollTop = 0; store.mark("list"); });
$("order").addEventListener("change", (event) => { list.order = event.target.value; store.mark("list"); });
for (const id of ["kind", "words"]) $(id).addEventListener("input", () => store.mark("events"));

function open(tab) {
  for (const name of ["events", "heat"]) {
    const isOpen = name === tab;
    $(`tab-${name}`).setAttribute("aria-selected", isOpen);
    $(`tab-${name}`).tabIndex = isOpen ? 0 : -1;
    $(`${name}-panel`).hidden = !isOpen;
  }
  $("event-filters").hidden = tab !== "events";
  if (tab === "heat") heat.start(); else heat.stop();
}
for (const name of ["events", "heat"]) {
  $(`tab-${name}`).addEventListener("click", () => open(name));
  $(`tab-${name}`).addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = name === "events" ? "heat" : "events";
    open(other);
    $(`tab-${other}`).focus();
  });
}

const repaint = () => { forgetColors(); chart.reload(); heat.paint(); store.mark("ribbon"); };
$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  try { localStorage.setItem("mismartera-theme", root.dataset.theme); } catch { /* only for now */ }
  repaint();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

// The stream

function setConnection(state, text) {
  $("connection").dataset.state = state;
  $("connection").textContent = text;
}

let isReading = false;

async function readAll() {
  if (isReading) return;
  isReading = true;
  try {
    const [session, symbols, states] = await Promise.all([get("/api/session"), get("/api/symbols?spark=60"), get("/api/states")]);
    const found = await get(`/api/events?after=${Math.max(0, session.seq - 500)}`);
    store.spans = states.states;
    store.setSession(session);
    store.setSymbols(symbols.symbols);
    store.setEvents(found.events);
    if (store.symbols.has(store.selected)) chart.reload(); else unchoose();
    return { run: session.run, seq: found.events.length ? found.events[found.events.length - 1].seq : session.seq };
  } finally { isReading = false; }
}

const link = new Link({
  connected() {
    document.body.classList.remove("stale");
    $("banner").hidden = true;
    setConnection("live", "live");
    store.staleSince = null;
  },
  lost(since) {
    store.staleSince = since;
    document.body.classList.add("stale");
    $("banner").textContent = `Stale since ${wall(since)}: the connection is lost; what you see may be old. Connecting again …`;
    $("banner").hidden = false;
    setConnection("stale", `stale since ${wall(since)}`);
    get("/api/login").catch(() => {}); // signed out in the meantime?
  },
  anew() { readAll().catch(() => {}); },
  events(fresh) {
    store.addEvents(fresh);
    const spans = fresh.filter((e) => /^session_(activated|deactivated|state)$/.test(e.event));
    if (spans.length) get("/api/states").then((found) => { store.spans = found.states; store.mark("ribbon"); }).catch(() => {});
    if (fresh.some((e) => e.event === "revision" && e.symbol === store.selected)) chart.reload();
  },
  session(session) { if (store.setSession(session)) chart.reload(); },
  rows(rows, gone) {
    store.updateRows(rows, gone);
    chooseWanted();
    if (gone.includes(store.selected)) unchoose();
    else if (store.selected === null && store.symbols.size) unchoose();
    else if (rows.some((row) => row.symbol === store.selected)) chart.advance();
  },
});

// Signing in

async function begin() {
  const stand = await readAll();
  if (stand) link.start(stand.run, stand.seq);
}

function askForToken() {
  if (!$("login").open) $("login").showModal();
}
whenSignedOut(askForToken);
$("login").addEventListener("cancel", (event) => event.preventDefault());
$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await signIn({ token: $("token").value.trim() });
    $("token").value = "";
    $("login").close();
    await begin();
  } catch (error) { $("login-said").textContent = error.message; }
});

if (await isSignedIn()) await begin(); else askForToken();
