"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const Charts = window.LightweightCharts;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const format = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: data.zone, hourCycle: "h23", ...options });
  const day = format({ year: "numeric", month: "short", day: "2-digit" });
  const month = format({ year: "numeric", month: "short" });
  const clock = format({ hour: "2-digit", minute: "2-digit" });
  const full = format({ year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const at = (formatter, seconds) => formatter.format(new Date(seconds * 1000));
  const number = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 8 });

  const tick = (seconds, kind) => {
    const kinds = Charts.TickMarkType;
    if (kind === kinds.Year || kind === kinds.Month) return at(month, seconds);
    return at(kind === kinds.DayOfMonth ? day : clock, seconds);
  };

  const look = () => ({
    layout: {
      background: { color: "transparent" }, textColor: color("soft"), attributionLogo: true, fontSize: 12,
      panes: { separatorColor: color("line") },
    },
    grid: { vertLines: { color: color("grid") }, horzLines: { color: color("grid") } },
    rightPriceScale: { borderColor: color("line") },
    timeScale: { borderColor: color("line") },
  });

  const make = (box, options) => Charts.createChart(box, {
    ...look(), autoSize: true, localization: { locale: "en-US", timeFormatter: (s) => at(full, s) },
    handleScroll: { vertTouchDrag: false, mouseWheel: false }, handleScale: { mouseWheel: false },
    crosshair: { mode: Charts.CrosshairMode.Normal }, ...options,
    timeScale: { ...look().timeScale, timeVisible: true, tickMarkFormatter: tick, ...(options.timeScale || {}) },
  });

  const byKeyboard = (box, chart) => box.addEventListener("keydown", (event) => {
    const scale = chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    if (!range) return;
    const width = range.to - range.from;
    const [from, to] = {
      ArrowLeft: [-0.1, -0.1], ArrowRight: [0.1, 0.1], "+": [0.1, -0.1], "=": [0.1, -0.1], "-": [-0.125, 0.125],
    }[event.key] || [];
    if (from === undefined) return;
    event.preventDefault();
    scale.setVisibleLogicalRange({ from: range.from + from * width, to: range.to + to * width });
  });

  const charts = [];

  // The last of the sorted times that is not after the moment: where a mark stands on the chart.
  const place = (times, moment) => {
    let low = 0, high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] <= moment) low = middle + 1; else high = middle;
    }
    return times[Math.max(low - 1, 0)];
  };

  const SHAPES = {
    added: ["belowBar", "arrowUp", "accent"], loaded: ["belowBar", "circle", "good"],
    removed: ["aboveBar", "arrowDown", "soft"], failed: ["aboveBar", "square", "bad"],
    deactivated: ["aboveBar", "square", "warn"], activated: ["aboveBar", "circle", "good"],
    state: ["aboveBar", "square", "soft"],
  };

  const candles = () => {
    const box = $("candles"), select = $("symbol"), legend = $("legend");
    if (!box || !data.symbols.length) return;
    const chart = make(box, {});
    const series = chart.addSeries(Charts.CandlestickSeries, { priceLineVisible: false });
    const volume = chart.addSeries(Charts.HistogramSeries, {
      priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false,
    });
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    series.priceScale().applyOptions({ scaleMargins: { top: 0.14, bottom: 0.26 } });
    const marks = Charts.createSeriesMarkers(series, []);
    let now = data.symbols.find((symbol) => symbol.marks.length) || data.symbols[0];

    const figures = (symbol, k) => {
      const ohlc = `open ${number(symbol.o[k])}  high ${number(symbol.h[k])}  low ${number(symbol.l[k])}  close ${number(symbol.c[k])}`;
      return `${at(full, symbol.t[k])}  ${ohlc}  volume ${number(symbol.v[k])}`;
    };
    const tell = (k) => {
      const drawn = now.step ? `${now.bars.toLocaleString("en-US")} bars of ${now.interval} in candles of ${now.step}` : `${now.t.length} bars of ${now.interval}`;
      legend.textContent = now.t.length ? `${now.name}, ${drawn}\n${figures(now, k)}` : `${now.name}: no bars`;
    };
    // Those of the session concern a symbol while it is in it: from its addition to its removal.
    const moments = () => {
      let isHere = !now.marks.length || now.marks[0][1] !== "added";
      return [...data.marks.map((mark) => [mark, false]), ...now.marks.map((mark) => [mark, true])]
        .sort(([a], [b]) => a[3] - b[3])
        .filter(([mark, isOwn]) => {
          if (isOwn) isHere = mark[1] !== "removed" && mark[1] !== "failed";
          return isOwn || isHere;
        })
        .map(([mark, isOwn]) => [...mark, isOwn]);
    };

    const paint = () => {
      const up = color("up"), down = color("down");
      series.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false });
      volume.setData(now.t.map((time, k) => ({ time, value: now.v[k], color: now.c[k] < now.o[k] ? color("down-soft") : color("up-soft") })));
      const drawn = new Map(); // several of a kind on one candle are drawn once; the list below has them all
      for (const [moment, kind, , , isOwn] of now.t.length ? moments() : []) {
        const [position, shape, tint] = SHAPES[kind] || SHAPES.state;
        const time = place(now.t, moment);
        drawn.set(`${time} ${kind}`, { time, position, shape, color: color(tint), text: isOwn ? kind : "" });
      }
      marks.setMarkers([...drawn.values()].sort((a, b) => a.time - b.time));
    };

    const listed = () => {
      const list = $("moments");
      list.replaceChildren(...moments().map(([moment, kind, text]) => {
        const [item, name, dot] = ["li", "b", "i"].map((tag) => document.createElement(tag));
        dot.style.background = `var(--${(SHAPES[kind] || SHAPES.state)[2]})`;
        name.textContent = kind;
        item.append(dot, `${at(full, moment)} `, name, text && text !== kind ? ` (${text})` : "");
        return item;
      }));
    };

    const table = () => {
      const holder = $("figures");
      holder.replaceChildren();
      if (!$("more").open) return;
      const all = document.createElement("table");
      const row = (tag, cells) => {
        const line = document.createElement("tr");
        cells.forEach((text, k) => {
          const cell = document.createElement(tag);
          cell.textContent = text;
          if (k) cell.className = "n";
          line.append(cell);
        });
        all.append(line);
      };
      row("th", ["start", "open", "high", "low", "close", "volume"]);
      now.t.forEach((time, k) => row("td", [at(full, time), ...[now.o, now.h, now.l, now.c, now.v].map((column) => number(column[k]))]));
      holder.append(all);
    };

    const show = (name) => {
      now = data.symbols.find((symbol) => symbol.name === name) || now;
      select.value = now.name;
      const top = Math.max(...now.h.map(Math.abs), 0);
      const digits = top && top < 1 ? Math.min(8, 3 - Math.floor(Math.log10(top))) : 2;
      series.applyOptions({ priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits } });
      series.setData(now.t.map((time, k) => ({ time, open: now.o[k], high: now.h[k], low: now.l[k], close: now.c[k] })));
      paint();
      chart.timeScale().fitContent();
      tell(now.t.length - 1);
      listed();
      table();
    };

    const fill = (words) => {
      const found = data.symbols.filter((symbol) => symbol.name.toLowerCase().includes(words.toLowerCase()));
      select.replaceChildren(...found.map((symbol) => new Option(symbol.name, symbol.name)));
      if (found.length) show(found.includes(now) ? now.name : found[0].name);
    };
    const step = (by) => {
      const size = select.options.length;
      if (size) show(select.options[(select.selectedIndex + by + size) % size].value);
    };

    chart.subscribeCrosshairMove((event) => {
      const k = event.time === undefined ? now.t.length - 1 : now.t.indexOf(event.time);
      if (k >= 0) tell(k);
    });
    select.addEventListener("change", () => show(select.value));
    $("find").addEventListener("input", () => fill($("find").value.trim()));
    $("previous").addEventListener("click", () => step(-1));
    $("next").addEventListener("click", () => step(1));
    $("fit").addEventListener("click", () => chart.timeScale().fitContent());
    $("more").addEventListener("toggle", table);
    byKeyboard(box, chart);
    fill("");
    charts.push([chart, paint]);
  };

  const lag = () => {
    const box = $("lag"), legend = $("lag-legend");
    if (!data.lag.length) { box.hidden = true; legend.textContent = "Nothing was measured."; return; }
    const chart = make(box, {});
    const series = chart.addSeries(Charts.AreaSeries, {
      lineType: Charts.LineType.WithSteps, lineWidth: 2, priceLineVisible: false, lastValueVisible: false,
      autoscaleInfoProvider: (original) => {
        const found = original();
        return found && { ...found, priceRange: { ...found.priceRange, minValue: 0 } };
      },
      priceFormat: { type: "custom", minMove: 0.01, formatter: (value) => `${number(Math.round(value * 100) / 100)} s` },
    });
    series.setData(data.lag.map(([time, value]) => ({ time, value })));
    series.priceScale().applyOptions({ scaleMargins: { top: 0.1, bottom: 0 } });
    let line = null;
    const paint = () => {
      series.applyOptions({ lineColor: color("accent"), topColor: color("accent-soft"), bottomColor: "transparent" });
      if (data.threshold === null) return;
      if (line) series.removePriceLine(line);
      line = series.createPriceLine({ price: data.threshold, color: color("warn"), lineStyle: Charts.LineStyle.Dashed, title: "threshold" });
    };
    const tell = ([time, value], highest) => {
      legend.textContent = `${highest ? "highest: " : ""}${at(full, time)}  ${number(Math.round(value * 100) / 100)} s`;
    };
    const highest = data.lag.reduce((a, b) => (b[1] > a[1] ? b : a));
    tell(highest, true);
    chart.subscribeCrosshairMove((event) => {
      const found = event.time !== undefined && data.lag.find(([time]) => time === event.time);
      tell(found || highest, !found);
    });
    byKeyboard(box, chart);
    paint();
    chart.timeScale().fitContent();
    charts.push([chart, paint]);
  };

  candles();
  lag();
  dark.addEventListener("change", () => charts.forEach(([chart, paint]) => { chart.applyOptions(look()); paint(); }));
})();
