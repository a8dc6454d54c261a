// The stream: connected again and again, resumed by the number of the last event. Whoever listens is told when it is
// lost, and when everything has to be read anew.

const FIRST_WAIT = 500, LONGEST_WAIT = 10_000;

export class Link {
  constructor(listener) {
    this.listener = listener;
    this.seq = null;
    this.run = null;
    this.wait = FIRST_WAIT;
    this.socket = null;
    this.timer = 0;
    this.lost = false;
    addEventListener("online", () => this.again(0));
    document.addEventListener("visibilitychange", () => { if (!document.hidden && this.lost) this.again(0); });
  }

  start(run, seq) {
    this.run = run;
    this.seq = seq;
    this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    if (this.socket) { this.socket.onclose = null; this.socket.close(); }
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = this.socket = new WebSocket(`${scheme}://${location.host}/api/stream?after=${this.seq}`);
    socket.onmessage = (message) => this.hear(JSON.parse(message.data));
    socket.onclose = () => this.drop();
  }

  hear(frame) {
    if (frame.type === "hello") {
      this.wait = FIRST_WAIT;
      const isOther = this.run !== null && frame.run !== this.run;
      this.run = frame.run;
      this.lost = false;
      if (isOther) { this.seq = frame.seq; this.listener.anew("another run"); }
      this.listener.connected();
    } else if (frame.type === "reset") {
      this.seq = frame.seq;
      this.listener.anew(frame.reason);
    } else if (frame.type === "events") {
      const first = frame.events[0].seq;
      if (first > this.seq + 1) this.listener.anew("a hole");
      const fresh = frame.events.filter((event) => event.seq > this.seq);
      if (fresh.length) this.seq = fresh[fresh.length - 1].seq;
      this.listener.events(fresh);
    } else if (frame.type === "session") {
      this.listener.session(frame);
    } else if (frame.type === "rows") {
      this.listener.rows(frame.rows, frame.gone);
    }
  }

  drop() {
    if (!this.lost) { this.lost = true; this.listener.lost(Date.now()); }
    this.again(this.wait);
    this.wait = Math.min(this.wait * 1.7, LONGEST_WAIT);
  }

  again(wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), wait * (0.7 + Math.random() * 0.3));
  }
}
