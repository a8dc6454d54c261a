// The chart of one series: candles, volume, indicators. Read whole once, and then only what is new.

import { get } from "/static/api.js";
import { clock, color, minute, price, watch } from "/static/format.js";

const LIMIT = 2000, EVERY = 450, WIDEST = 18; // pixels a bar: the first ones of a day leave room for those to come
const LINES = ["#4e9bff", "#e5a13a", "#b57bee", "#3fc3c9", "#f07ab1", "#9bb93c"];
const seconds = (bar) => Math.floor(Date.parse(bar.start) / 1000);

export class Chart {
  constructor(box, reason, values) {
    this.box = box;
    this.reason = reason;
    this.values = values;
    this.symbol = this.interval = null;
    this.chart = null;
    this.lastEnd = null;
    this.turn = 0;
    this.held = null;
    this.isBusy = this.isAsked = this.isMissed = false;
    this.isSeen = true;
    this.readAt = 0;
    watch(box, (isSeen) => {
      this.isSeen = isSeen;
      if (isSeen && this.isMissed) this.advance();
    });
  }

  build() {
    this.chart?.remove();
    const { createChart, CandlestickSeries, HistogramSeries, CrosshairMode } = window.LightweightCharts;
    this.chart = createChart(this.box, {
      autoSize: true,
      layout: { background: { color: "transparent" }, textColor: color("muted"), attributionLogo: false, panes: { separatorColor: color("line") } },
      grid: { vertLines: { color: color("grid") }, horzLines: { color: color("grid") } },
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { borderColor: color("line") },
      timeScale: { borderColor: color("line"), timeVisible: true, secondsVisible: false, rightOffset: 4, maxBarSpacing: WIDEST, tickMarkFormatter: (time) => minute(time * 1000) },
      localization: { timeFormatter: (time) => clock(time * 1000), priceFormatter: price },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, {
      upColor: color("up"), downColor: color("down"), borderVisible: false, wickUpColor: color("up"), wickDownColor: color("down"),
    });
    this.volume = this.chart.addSeries(HistogramSeries, { priceFormat: { type: "volume" }, priceScaleId: "volume", lastValueVisible: false, priceLineVisible: false });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } });
    this.lines = new Map();
    this.chart.subscribeCrosshairMove((at) => this.tell(at));
  }

  show(symbol, interval) {
    this.symbol = symbol;
    this.held = null;
    this.interval = interval;
    this.reload();
  }

  reload() {
    this.turn += 1;
    this.lastEnd = null;
    if (this.symbol === null) {
      this.chart?.remove();
      this.chart = null;
      this.reason.hidden = true;
      return;
    }
    this.build();
    this.read();
  }

  // A symbol that is about to be removed is read no more; `release` if it stays.
  hold(symbol) { this.held = symbol; }

  release() { this.held = null; this.advance(); }

  // There may be more: read on, but not more often than twice a second, nor while nobody sees it.
  advance() {
    this.isMissed = !this.isSeen;
    if (this.symbol === null || this.isAsked || this.isMissed) return;
    this.isAsked = true;
    const wait = Math.max(0, this.readAt + EVERY - performance.now());
    setTimeout(() => { this.isAsked = false; this.read(); }, wait);
  }

  async read() {
    if (this.symbol === null || this.symbol === this.held) return;
    if (this.isBusy) { this.advance(); return; }
    this.isBusy = true;
    this.readAt = performance.now();
    const turn = this.turn;
    const after = this.lastEnd === null ? "" : `&after=${Date.parse(this.lastEnd) * 1000}`;
    try {
      const found = await get(`/api/bars/${encodeURIComponent(this.symbol)}/${this.interval}?limit=${LIMIT}${after}`);
      if (turn === this.turn && this.chart) this.put(found);
    } catch (error) {
      if (turn === this.turn) this.say(error.message);
    } finally {
      this.isBusy = false;
      if (turn !== this.turn && this.symbol !== null) this.advance();
    }
  }

  put(found) {
    this.say(found.bars === null ? `Withheld: ${found.reason}` : found.bars.length || this.lastEnd ? null : found.reason);
    if (found.bars === null || !found.bars.length) return;
    const isFirst = this.lastEnd === null;
    const bars = found.bars.map((bar) => ({ ...bar, time: seconds(bar) }));
    const volumes = bars.map((bar) => ({ time: bar.time, value: bar.volume, color: `${color(bar.close < bar.open ? "down" : "up")}55` }));
    if (isFirst) {
      this.candles.setData(bars);
      this.volume.setData(volumes);
      this.chart.timeScale().fitContent();
    } else {
      bars.forEach((bar) => this.candles.update(bar));
      volumes.forEach((bar) => this.volume.update(bar));
    }
    this.putLines(bars, isFirst);
    this.lastEnd = bars[bars.length - 1].end;
    this.newest = bars[bars.length - 1];
    this.tell(null);
  }

  putLines(bars, isFirst) {
    for (const name of Object.keys(bars[bars.length - 1].indicators ?? {})) {
      const points = bars.filter((bar) => bar.indicators[name] !== null).map((bar) => ({ time: bar.time, value: bar.indicators[name] }));
      if (!points.length) continue;
      const isNew = !this.lines.has(name);
      const line = this.lines.get(name) ?? this.addLine(name, points[points.length - 1].value, bars[bars.length - 1].close);
      if (isFirst || isNew) line.setData(points);
      else points.forEach((point) => line.update(point));
    }
  }

  addLine(name, value, close) {
    const isPrice = value > close * 0.5 && value < close * 2; // else it has a scale of its own: a pane below
    const options = { color: LINES[this.lines.size % LINES.length], lineWidth: 1.5, priceLineVisible: false, lastValueVisible: false };
    const line = this.chart.addSeries(window.LightweightCharts.LineSeries, options, isPrice ? 0 : 1);
    this.lines.set(name, line);
    return line;
  }

  tell(at) {
    const bar = at?.seriesData?.get(this.candles) ?? this.newest;
    if (!bar) { this.values.textContent = ""; return; }
    const lines = [...this.lines].map(([name, line]) => {
      const value = at?.seriesData?.get(line)?.value ?? this.newest?.indicators?.[name];
      return value === null || value === undefined ? `${name} –` : `${name} ${price(value)}`;
    });
    const prices = ["open", "high", "low", "close"].map((name) => `${name[0].toUpperCase()} ${price(bar[name])}`);
    this.values.textContent = [clock(bar.time * 1000), ...prices, ...lines].join("   ");
  }

  say(text) {
    this.reason.hidden = !text;
    this.reason.textContent = text ?? "";
  }
}
