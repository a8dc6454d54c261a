// The list of symbols: only the rows that can be seen exist, however many symbols there are.

import { color, fit, lag, percent, price } from "/static/format.js";

const HEIGHT = 46, SPARE = 4;
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
    this.room = box.appendChild(Object.assign(document.createElement("div"), { className: "room" }));
    this.room.setAttribute("role", "presentation");
    box.addEventListener("scroll", () => this.paintRows(), { passive: true });
    box.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) choose(row.dataset.symbol);
    });
    box.addEventListener("keydown", (event) => this.onKey(event, drop));
    new ResizeObserver(() => this.paintRows()).observe(box);
  }

  onKey(event, drop) {
    const last = this.shown.length - 1, page = Math.max(1, Math.floor(this.box.clientHeight / HEIGHT) - 1);
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
    this.room.style.height = `${rows.length * HEIGHT}px`;
    this.paintRows();
  }

  paintRows() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / HEIGHT) - SPARE);
    const last = Math.min(this.shown.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / HEIGHT) + SPARE);
    const seen = new Set();
    for (let at = first; at < last; at += 1) {
      const row = this.shown[at];
      seen.add(row.symbol);
      let view = this.rows.get(row.symbol);
      if (!view) {
        view = new Row(row.symbol);
        this.rows.set(row.symbol, view);
        this.room.append(view.element);
      }
      view.place(at, this.shown.length, row.symbol === this.store.selected);
      view.paint(row, this.store.sparks.get(row.symbol) ?? []);
    }
    for (const [symbol, view] of this.rows) {
      if (!seen.has(symbol)) { view.element.remove(); this.rows.delete(symbol); }
    }
    const chosen = this.rows.get(this.store.selected);
    if (chosen) this.box.setAttribute("aria-activedescendant", chosen.element.id);
    else this.box.removeAttribute("aria-activedescendant");
  }

  repaint() { for (const view of this.rows.values()) view.told = null; this.paintRows(); }
}

let made = 0;

class Row {
  constructor(symbol) {
    const make = (tag, name, parent) => parent.appendChild(Object.assign(document.createElement(tag), { className: name }));
    this.element = Object.assign(document.createElement("div"), { className: "row", id: `row-${made += 1}` });
    this.element.setAttribute("role", "option");
    this.element.dataset.symbol = symbol;
    const who = make("div", "who", this.element);
    make("b", "", who).textContent = symbol;
    this.note = make("small", "", who);
    this.bar = make("div", "bar", who);
    this.fill = make("i", "", this.bar);
    this.spark = make("canvas", "", this.element);
    const prices = make("div", "price num", this.element);
    this.close = make("span", "", prices);
    this.change = make("small", "", prices);
    const health = make("div", "health num", this.element);
    this.lag = make("b", "", health);
    this.quality = make("small", "", health);
    this.told = null;
  }

  place(at, size, isChosen) {
    this.element.style.transform = `translateY(${at * HEIGHT}px)`;
    this.element.setAttribute("aria-posinset", at + 1);
    this.element.setAttribute("aria-setsize", size);
    this.element.setAttribute("aria-selected", isChosen);
  }

  paint(row, spark) {
    if (this.told === row) return;
    this.told = row;
    this.element.dataset.state = row.state;
    this.element.dataset.off = row.state === "loaded" && !row.is_active;
    this.note.textContent = row.reason ?? (row.state === "loaded" ? row.intervals.join(" ") : row.state);
    this.note.title = row.reason ?? "";
    this.bar.hidden = row.caught_up === null;
    if (row.caught_up !== null) this.fill.style.transform = `scaleX(${row.caught_up})`;
    this.close.textContent = price(row.close);
    this.change.textContent = percent(row.change_percent, true);
    this.change.className = (row.change_percent ?? 0) < 0 ? "down" : "up";
    this.lag.textContent = row.lag_seconds === null ? "" : lag(row.lag_seconds);
    this.lag.className = row.lag_seconds > 60 ? "late" : "";
    this.quality.textContent = row.quality_percent === null ? "" : percent(row.quality_percent);
    this.draw(spark);
  }

  draw(values) {
    const { pen, width, height } = fit(this.spark);
    if (values.length < 2) return;
    const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
    const x = (k) => 1 + (k * (width - 2)) / (values.length - 1), y = (v) => height - 3 - ((v - low) * (height - 6)) / span;
    pen.beginPath();
    values.forEach((value, k) => (k ? pen.lineTo(x(k), y(value)) : pen.moveTo(x(k), y(value))));
    pen.strokeStyle = color(values[values.length - 1] < values[0] ? "down" : "up");
    pen.lineWidth = 1.4;
    pen.lineJoin = "round";
    pen.stroke();
  }
}
