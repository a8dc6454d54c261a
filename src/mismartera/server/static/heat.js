// The heat map of gaps: a row a symbol, a column a stretch of the session. Only what can be seen is drawn.

import { get } from "/static/api.js";
import { color, fit, minute, percent } from "/static/format.js";

const LINE = 15, LEFT = 84, RIGHT = 56, TOP = 18, BINS = 39, EVERY = 3000;

export class Heat {
  constructor(panel, scroll, room, canvas, said) {
    Object.assign(this, { panel, scroll, room, canvas, said, found: null, timer: 0 });
    scroll.addEventListener("scroll", () => requestAnimationFrame(() => this.paint()), { passive: true });
    new ResizeObserver(() => this.paint()).observe(scroll);
  }

  start() { clearInterval(this.timer); this.timer = setInterval(() => this.read(), EVERY); this.read(); }

  stop() { clearInterval(this.timer); }

  async read() {
    if (this.panel.hidden || document.hidden) return;
    try { this.found = await get(`/api/quality?bins=${BINS}`); } catch { return; }
    const rows = Object.entries(this.found.symbols);
    const lacking = rows.filter(([, row]) => row.percent !== null && row.percent < 100).sort((a, b) => a[1].percent - b[1].percent);
    const worst = lacking.slice(0, 3).map(([symbol, row]) => `${symbol} ${percent(row.percent)}`).join(", ");
    this.said.textContent = lacking.length ? `${lacking.length} of ${rows.length} symbols lack bars: ${worst}` : `${rows.length} symbols, all complete so far`;
    this.rows = rows.sort((a, b) => (a[1].percent ?? 101) - (b[1].percent ?? 101)); // the worst first
    this.paint();
  }

  paint() {
    if (this.panel.hidden || !this.found?.from) return;
    const rows = this.rows;
    this.room.style.height = `${rows.length * LINE + TOP}px`;
    this.canvas.style.height = `${this.scroll.clientHeight}px`;
    const { pen, width, height } = fit(this.canvas);
    const cell = (width - LEFT - RIGHT) / BINS, first = Math.floor(this.scroll.scrollTop / LINE);
    const [full, some, none, empty] = ["active", "catching_up", "down", "soft"].map(color);
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    const open = Date.parse(this.found.from), close = Date.parse(this.found.to);
    pen.fillStyle = color("muted");
    pen.textAlign = "center";
    for (const part of [0, 0.25, 0.5, 0.75, 1]) pen.fillText(minute(open + part * (close - open)), LEFT + part * (width - LEFT - RIGHT), TOP / 2);
    for (let k = first; k < rows.length && (k - first) * LINE + TOP < height; k += 1) {
      const [symbol, row] = rows[k], y = (k - first) * LINE + TOP;
      pen.fillStyle = color("text");
      pen.textAlign = "left";
      pen.fillText(symbol.slice(0, 12), 10, y + LINE / 2);
      (row.bins ?? Array(BINS).fill(null)).forEach((share, at) => {
        pen.fillStyle = share === null ? empty : share >= 100 ? full : share > 0 ? some : none;
        pen.fillRect(LEFT + at * cell, y + 1, cell - 1, LINE - 2);
      });
      pen.fillStyle = color("muted");
      pen.textAlign = "right";
      pen.fillText(row.bins ? percent(row.percent) : "withheld", width - 8, y + LINE / 2);
    }
  }
}
