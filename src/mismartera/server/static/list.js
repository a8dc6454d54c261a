// The list of symbols: only the rows that can be seen exist, however many symbols there are. A row that leaves the
// view becomes one that enters it. Sizes and the place of the scroll bar are kept, not read while the page is changed:
// each reading would be a layout. What changes in rows that are there is painted a few rows a frame, the longest waiting
// first: all at once would keep a phone from its next frame.

import { inZone, lag, percent, price, put } from "/static/format.js";

const HEIGHT = 46, SPARE = 4, SPARK_HEIGHT = 24, AT_ONCE = 3;
const SVG = "http://www.w3.org/2000/svg";
const ORDERS = {
  rank: null,
  lag: (a, b) => (b.lag_seconds ?? -1) - (a.lag_seconds ?? -1),
  quality: (a, b) => (a.quality_percent ?? 101) - (b.quality_percent ?? 101),
  change: (a, b) => Math.abs(b.change_percent ?? 0) - Math.abs(a.change_percent ?? 0),
};

export class List {
  constructor(store, box, choose, drop) {
    this.store = store;
    this.box = box;
    this.choose = choose;
    this.filter = "";
    this.order = "rank";
    this.shown = [];
    this.rows = new Map();
    this.waiting = new Set();
    this.top = this.view = 0;
    this.sparkWidth = null;
    this.height = "";
    this.room = box.appendChild(Object.assign(document.createElement("div"), { className: "room" }));
    this.room.setAttribute("role", "presentation");
    box.addEventListener("scroll", () => { this.top = box.scrollTop; this.paintRows(); }, { passive: true });
    box.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) choose(row.dataset.symbol);
    });
    box.addEventListener("keydown", (event) => this.onKey(event, drop));
    new ResizeObserver(() => {
      this.view = box.clientHeight;
      this.sparkWidth = null; // all are of one width
      for (const row of this.rows.values()) row.isDrawn = false;
      this.paintRows();
    }).observe(box);
  }

  onKey(event, drop) {
    const last = this.shown.length - 1, page = Math.max(1, Math.floor(this.view / HEIGHT) - 1);
    const at = this.shown.findIndex((row) => row.symbol === this.store.selected);
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last, PageDown: at + page, PageUp: at - page };
    if (event.key in moves && last >= 0) {
      event.preventDefault();
      const to = Math.min(last, Math.max(0, moves[event.key]));
      this.choose(this.shown[to].symbol);
      this.reveal(to);
    } else if (event.key === "Delete" && this.store.selected) {
      event.preventDefault();
      drop(this.store.selected);
    }
  }

  reveal(at) {
    const top = at * HEIGHT, view = this.box.clientHeight;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + HEIGHT > this.box.scrollTop + view) this.box.scrollTop = top + HEIGHT - view;
  }

  paint() {
    const wanted = this.filter.toUpperCase();
    let rows = [...this.store.symbols.values()];
    if (wanted) rows = rows.filter((row) => row.symbol.toUpperCase().includes(wanted));
    if (ORDERS[this.order]) rows.sort(ORDERS[this.order]);
    this.shown = rows;
    const height = `${rows.length * HEIGHT}px`;
    if (height !== this.height) this.room.style.height = this.height = height;
    this.paintRows();
  }

  paintRows() {
    const first = Math.max(0, Math.floor(this.top / HEIGHT) - SPARE);
    const last = Math.min(this.shown.length, Math.ceil((this.top + this.view) / HEIGHT) + SPARE);
    const seen = this.shown.slice(first, last);
    const names = new Set(seen.map((row) => row.symbol));
    const free = [];
    for (const [symbol, view] of this.rows) {
      if (!names.has(symbol)) { free.push(view); this.rows.delete(symbol); }
    }
    seen.forEach((row, k) => {
      const view = this.rows.get(row.symbol) ?? this.enter(row.symbol, free.pop());
      view.place(first + k, this.shown.length, row.symbol === this.store.selected);
      if (view.told === null) view.paint(row);
      else if (view.told !== row) this.waiting.add(row.symbol);
    });
    for (const view of free) view.element.remove();
    if (this.waiting.size) this.store.mark("rows");
    this.drawSparks();
    const chosen = this.rows.get(this.store.selected);
    if (!chosen) this.box.removeAttribute("aria-activedescendant");
    else if (this.box.getAttribute("aria-activedescendant") !== chosen.element.id) this.box.setAttribute("aria-activedescendant", chosen.element.id);
  }

  paintWaiting() {
    let left = AT_ONCE;
    for (const symbol of this.waiting) {
      if (!left) break;
      this.waiting.delete(symbol);
      const view = this.rows.get(symbol), row = this.store.symbols.get(symbol);
      if (view && row && view.told !== row) { view.paint(row); left -= 1; }
    }
    this.drawSparks();
    if (this.waiting.size) this.store.mark("rows");
  }

  enter(symbol, free) {
    const view = free ?? new Row();
    view.become(symbol);
    this.rows.set(symbol, view);
    if (!free) this.room.append(view.element);
    return view;
  }

  drawSparks() {
    for (const [symbol, view] of this.rows) {
      if (view.isDrawn) continue;
      this.sparkWidth ??= view.spark.getBoundingClientRect().width;
      view.draw(this.store.sparks.get(symbol) ?? [], this.sparkWidth);
    }
  }
}

let made = 0;

function putLong(node, text, room) {
  put(node, text);
  node.classList.toggle("long", text.length > room);
}

class Row {
  constructor() {
    const make = (tag, name, parent) => parent.appendChild(Object.assign(document.createElement(tag), { className: name }));
    this.element = Object.assign(document.createElement("div"), { className: "row", id: `row-${made += 1}` });
    this.element.setAttribute("role", "option");
    const who = make("div", "who", this.element);
    this.name = make("b", "", who);
    this.note = make("small", "", who);
    this.bar = make("div", "bar", who);
    this.fill = make("i", "", this.bar);
    this.spark = this.element.appendChild(document.createElementNS(SVG, "svg"));
    this.spark.setAttribute("aria-hidden", "true");
    this.line = this.spark.appendChild(document.createElementNS(SVG, "polyline"));
    const prices = make("div", "price num", this.element);
    this.close = make("span", "", prices);
    this.change = make("small", "", prices);
    const health = make("div", "health num", this.element);
    this.lag = make("b", "", health);
    this.quality = make("small", "", health);
    this.told = null;
    this.isDrawn = false;
    this.at = this.size = this.isChosen = null;
  }

  become(symbol) {
    this.element.dataset.symbol = symbol;
    putLong(this.name, symbol, 6);
    this.told = null;
  }

  place(at, size, isChosen) {
    if (at !== this.at) {
      this.element.style.top = `${at * HEIGHT}px`;
      this.element.setAttribute("aria-posinset", at + 1);
    }
    if (size !== this.size) this.element.setAttribute("aria-setsize", size);
    if (isChosen !== this.isChosen) this.element.setAttribute("aria-selected", isChosen);
    Object.assign(this, { at, size, isChosen });
  }

  paint(row) {
    if (this.told === row) return;
    this.told = row;
    this.isDrawn = false;
    this.element.dataset.state = row.state;
    this.element.dataset.off = row.state === "loaded" && !row.is_active;
    const reason = row.reason === null ? "" : inZone(row.reason);
    putLong(this.note, reason || (row.state === "loaded" ? row.intervals.join(" ") : row.state), 10);
    if (this.note.title !== reason) this.note.title = reason;
    this.bar.hidden = row.caught_up === null;
    if (row.caught_up !== null) this.fill.style.transform = `scaleX(${row.caught_up})`;
    put(this.close, price(row.close));
    put(this.change, percent(row.change_percent, true));
    this.change.className = (row.change_percent ?? 0) < 0 ? "down" : "up";
    put(this.lag, row.lag_seconds === null ? "" : lag(row.lag_seconds));
    this.lag.className = row.lag_seconds > 60 ? "late" : "";
    put(this.quality, row.quality_percent === null ? "" : percent(row.quality_percent));
  }

  draw(values, width) {
    this.isDrawn = true;
    const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
    const x = (k) => 1 + (k * (width - 2)) / (values.length - 1), y = (v) => SPARK_HEIGHT - 3 - ((v - low) * (SPARK_HEIGHT - 6)) / span;
    const points = values.length < 2 ? "" : values.map((value, k) => `${x(k).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    this.line.setAttribute("points", points);
    this.line.setAttribute("class", values[values.length - 1] < values[0] ? "down" : "up");
  }
}
