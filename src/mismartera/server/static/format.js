// How numbers and moments look. Times are those of the exchange.

const plain = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const price = (value) => (value === null || value === undefined ? "–" : Math.abs(value) >= 1 ? plain.format(value) : small.format(value));
export const count = (value) => whole.format(value);
export const percent = (value, sign = false) => (value === null || value === undefined ? "–" : `${sign && value > 0 ? "+" : ""}${value.toFixed(sign ? 2 : value === 100 ? 0 : 1)} %`);

export function lag(seconds) {
  if (!seconds) return "0 s";
  if (seconds < 120) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

let zone = "UTC";
let clockFormat, minuteFormat, dayFormat;

export function setZone(name) {
  if (name === zone && clockFormat) return;
  zone = name;
  const base = { timeZone: zone, hourCycle: "h23" };
  clockFormat = new Intl.DateTimeFormat("en-GB", { ...base, hour: "2-digit", minute: "2-digit", second: "2-digit" });
  minuteFormat = new Intl.DateTimeFormat("en-GB", { ...base, hour: "2-digit", minute: "2-digit" });
  dayFormat = new Intl.DateTimeFormat("en-GB", { ...base, weekday: "short", day: "numeric", month: "short", year: "numeric" });
}
setZone("UTC");

export const clock = (moment) => clockFormat.format(new Date(moment));
export const minute = (moment) => minuteFormat.format(new Date(moment));
export const day = (moment) => dayFormat.format(new Date(moment));
export const wall = (moment) => new Date(moment).toLocaleTimeString("en-GB");
// Moments in texts of the server are those of UTC.
export const inZone = (text) => String(text).replace(/\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?\+00:00/g, clock);
export const words = (text) => String(text).replaceAll("_", " ");

const colors = new Map(); // to ask for one makes the browser work out all styles that have changed

export function color(name) {
  let found = colors.get(name);
  if (found === undefined) {
    found = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    colors.set(name, found);
  }
  return found;
}

export const forgetColors = () => colors.clear();

export function put(node, text) { // a text that is the same costs no layout
  if (node.textContent !== text) node.textContent = text;
}

// Tell whenever a box comes into sight (or nearly) and when it leaves it: on a phone most of the page is out of it.
export function watch(box, tell) {
  new IntersectionObserver((found) => tell(found[found.length - 1].isIntersecting), { rootMargin: "150px" }).observe(box);
}

// Its pixels are those of the screen. Whoever knows the size of the canvas spares the browser a layout.
export function fit(canvas, box = canvas.getBoundingClientRect()) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(box.width), height = Math.round(box.height);
  if (canvas.width !== width * ratio || canvas.height !== height * ratio) {
    canvas.width = width * ratio;
    canvas.height = height * ratio;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}
