// The log of events: the newest first, filtered by kind and words. What it shows is text, never markup.

import { clock, lag, words } from "/static/format.js";

const SHOWN = 200;
const KINDS = {
  session: /^session_/, symbol: /^symbol_/, signal: /^signal$/, error: /error|failed/, feed: /^(feed_|backfilled|revision|quiet|halted|resumed)/,
  command: /^command$/,
};
const BAD = /error|failed/, WARN = /deactivated|disconnected|removed/, GOOD = /_activated|loaded|connected|opened/;
const SKIPPED = new Set(["seq", "time", "event"]);

function text(event) {
  if (event.event === "command") return `${event.command} – ${event.result} (${event.who})`;
  const parts = [];
  for (const [name, value] of Object.entries(event)) {
    if (SKIPPED.has(name) || value === null) continue;
    if (name === "lag_seconds") { if (value) parts.push(`lag ${lag(value)}`); } else if (name === "symbol" || name === "reason" || name === "date") parts.push(words(value));
    else parts.push(`${words(name)} ${value}`);
  }
  return parts.join(" · ");
}

export function paintEvents(list, events, kind, search) {
  const wanted = search.toLowerCase(), found = [];
  for (let k = events.length - 1; k >= 0 && found.length < SHOWN; k -= 1) {
    const event = events[k];
    if (kind && !KINDS[kind].test(event.event)) continue;
    const what = text(event);
    if (wanted && !`${event.event} ${what}`.toLowerCase().includes(wanted)) continue;
    const line = document.createElement("li");
    const time = Object.assign(document.createElement("time"), { textContent: clock(event.time), dateTime: event.time });
    const tone = BAD.test(event.event) ? "bad" : WARN.test(event.event) ? "warn" : GOOD.test(event.event) ? "good" : "";
    const name = Object.assign(document.createElement("span"), { className: `kind ${tone}`, textContent: words(event.event) });
    line.append(time, name, Object.assign(document.createElement("span"), { className: "what", textContent: what }));
    found.push(line);
  }
  list.replaceChildren(...found);
}
