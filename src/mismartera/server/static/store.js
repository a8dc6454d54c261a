// What the page knows. Messages only change it and mark what is to be painted; that is done at the browser's next
// frame, for all messages since the last one together. On a slow machine what takes too long goes over several frames.

const SPARK = 60, BUDGET_MS = 5;

export class Store {
  constructor() {
    this.session = null;
    this.symbols = new Map();
    this.sparks = new Map();
    this.events = [];
    this.turn = 0; // of the events: another one when they are read anew
    this.spans = [];
    this.selected = null;
    this.interval = null;
    this.staleSince = null;
    this.painters = new Map();
    this.dirty = new Set();
    this.asked = false;
  }

  paint(name, painter) { this.painters.set(name, painter); }

  mark(...names) {
    for (const name of names) this.dirty.add(name);
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => this.paintDirty());
  }

  paintDirty() {
    const until = performance.now() + BUDGET_MS;
    this.asked = false;
    for (const name of [...this.dirty]) {
      this.dirty.delete(name);
      this.painters.get(name)?.();
      if (performance.now() > until) break;
    }
    if (this.dirty.size) this.mark();
  }

  setSession(session) {
    const before = this.session;
    this.session = session;
    this.mark("head", "ribbon");
    return before !== null && (before.date !== session.date || before.run !== session.run);
  }

  setSymbols(rows) {
    this.symbols = new Map(rows.map((row) => [row.symbol, row]));
    this.sparks = new Map(rows.map((row) => [row.symbol, (row.spark ?? []).slice(-SPARK)]));
    this.mark("list", "quote");
  }

  updateRows(rows, gone) {
    let isOther = gone.length > 0;
    for (const symbol of gone) { this.symbols.delete(symbol); this.sparks.delete(symbol); }
    for (const row of rows) {
      const before = this.symbols.get(row.symbol);
      if (before && before.generation !== row.generation) this.symbols.delete(row.symbol);
      isOther ||= !before || before.generation !== row.generation;
      this.symbols.set(row.symbol, row);
      if (row.close !== null && (!before || before.end !== row.end)) {
        const spark = this.sparks.get(row.symbol) ?? [];
        spark.push(row.close);
        if (spark.length > SPARK) spark.shift();
        this.sparks.set(row.symbol, spark);
      }
    }
    this.mark("list", "quote");
    return isOther;
  }

  setEvents(events) {
    this.events = [];
    this.turn += 1;
    this.addEvents(events);
  }

  addEvents(events, kept = 1000) {
    this.events.push(...events);
    if (this.events.length > kept) this.events.splice(0, this.events.length - kept);
    this.mark("events");
  }
}
