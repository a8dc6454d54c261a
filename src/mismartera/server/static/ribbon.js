// The ribbon: the session's states over its day, from open to close.
// It is drawn with each frame of the stream: its size is watched, not measured.

import { color, fit, minute, percent, words } from "/static/format.js";

export class Ribbon {
  constructor(canvas, onResize) {
    this.canvas = canvas;
    this.box = canvas.getBoundingClientRect();
    new ResizeObserver(() => { this.box = canvas.getBoundingClientRect(); onResize(); }).observe(canvas);
  }

  paint(session, spans) { draw(this.canvas, this.box, session, spans); }
}

function draw(canvas, box, session, spans) {
  const { pen, width, height } = fit(canvas, box);
  if (!session?.open) return;
  const open = Date.parse(session.open), close = Date.parse(session.close), now = Math.min(Date.parse(session.now), close);
  const x = (moment) => ((moment - open) / (close - open)) * width;
  const shares = {};
  const first = spans.length ? Math.max(open, Date.parse(spans[0].from)) : now; // a run may have begun after the open
  spans.forEach((span, k) => {
    const from = Math.max(open, Date.parse(span.from)), to = Math.min(now, k + 1 < spans.length ? Date.parse(spans[k + 1].from) : now);
    if (to < from || from > close || (to === from && to <= open)) return;
    shares[span.state] = (shares[span.state] ?? 0) + (to - from);
    pen.fillStyle = color(span.state) || color("closed");
    const wide = span.state === "active" ? x(to) - x(from) : Math.max(2, x(to) - x(from)); // a short lapse can be seen
    pen.fillRect(x(from), 0, wide, height);
  });
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const moment = open + part * (close - open), at = part * width;
    pen.textAlign = part === 0 ? "left" : part === 1 ? "right" : "center";
    const middle = part === 0 ? 20 : part === 1 ? width - 20 : at; // of the text
    pen.fillStyle = middle >= x(first) && middle <= x(now) ? "#ffffff" : color("muted");
    pen.fillText(minute(moment), part === 0 ? at + 7 : part === 1 ? at - 7 : at, height / 2 + 0.5);
  }
  if (now > open && now < close) {
    pen.fillStyle = color("text");
    pen.fillRect(x(now) - 1, 0, 2, height);
  }
  const total = Math.max(1, now - open);
  const told = Object.entries(shares).map(([state, ms]) => `${words(state)} ${percent((100 * ms) / total)}`);
  const label = `States since the open: ${told.join(", ") || "none yet"}`;
  if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
}
