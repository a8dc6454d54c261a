// The log of events: the newest first, filtered by kind and words. What it shows is text, never markup.

import { clock, inZone, lag, watch, words } from "/static/format.js";

const FIRST = 40, SHOWN = 200; // lines: until the list is scrolled, and at most
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
  return inZone(parts.join(" · "));
}

function line(event, what) {
  const made = document.createElement("li");
  const time = Object.assign(document.createElement("time"), { textContent: clock(event.time), dateTime: event.time });
  const tone = BAD.test(event.event) ? "bad" : WARN.test(event.event) ? "warn" : GOOD.test(event.event) ? "good" : "";
  const name = Object.assign(document.createElement("span"), { className: `kind ${tone}`, textContent: words(event.event) });
  made.append(time, name, Object.assign(document.createElement("span"), { className: "what", textContent: what }));
  return made;
}

export class Events {
  constructor(list, panel, onScroll) {
    this.list = list;
    this.wanted = null;
    this.told = 0;
    this.isScrolled = false;
    this.isSeen = true;
    watch(panel, (isSeen) => {
      this.isSeen = isSeen;
      if (isSeen) onScroll();
    });
    panel.addEventListener("scroll", () => {
      const isScrolled = panel.scrollTop > 0;
      if (isScrolled !== this.isScrolled) { this.isScrolled = isScrolled; onScroll(); }
    }, { passive: true });
  }

  // Lines are made for new events only, unless others are wanted: `turn` changes with what the events are those of.
  // While nobody sees them, none are made.
  paint(events, turn, kind, search) {
    if (!this.isSeen) return;
    const limit = this.isScrolled ? SHOWN : FIRST, found = [], searched = search.toLowerCase();
    const wanted = `${turn} ${limit} ${kind} ${search}`;
    if (wanted !== this.wanted) {
      this.list.replaceChildren();
      this.wanted = wanted;
      this.told = 0;
    }
    for (let k = events.length - 1; k >= 0 && events[k].seq > this.told && found.length < limit; k -= 1) {
      const event = events[k];
      if (kind && !KINDS[kind].test(event.event)) continue;
      const what = text(event);
      if (searched && !`${event.event} ${what}`.toLowerCase().includes(searched)) continue;
      found.push(line(event, what));
    }
    if (events.length) this.told = events[events.length - 1].seq;
    this.list.prepend(...found);
    while (this.list.childElementCount > limit) this.list.lastElementChild.remove();
  }
}
