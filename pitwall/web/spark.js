// A channel's values in, a tiny picture of its last half minute out: the least and the greatest of every column, so
// that a spike of one sample shows. Bounded: COLUMNS pairs a channel, whatever its rate.

const COLUMNS = 60;
const COLUMN_NS = 5e8;

export class Spark {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.low = new Float64Array(COLUMNS);
    this.high = new Float64Array(COLUMNS);
    this.last = new Float64Array(COLUMNS);
    this.column = -1; // number of the newest column since the session began
    this.first = -1; // and of the first that ever held a value
    this.dirty = true;
  }

  add(t, v) {
    const column = Math.floor(t / COLUMN_NS);
    if (!Number.isFinite(v) || column <= this.column - COLUMNS) return;
    if (this.first < 0) this.first = column;
    for (let i = Math.max(this.first, this.column + 1, column - COLUMNS + 1); i <= column; i++) this.low[i % COLUMNS] = NaN;
    this.column = Math.max(this.column, column);
    const at = column % COLUMNS;
    this.high[at] = Number.isNaN(this.low[at]) ? v : Math.max(this.high[at], v);
    this.low[at] = Number.isNaN(this.low[at]) ? v : Math.min(this.low[at], v);
    this.last[at] = v;
    this.dirty = true;
  }

  draw(colour) {
    if (!this.dirty || this.first < 0) return;
    this.dirty = false;
    const ratio = devicePixelRatio || 1;
    const width = Math.round(this.canvas.clientWidth * ratio);
    const height = Math.round(this.canvas.clientHeight * ratio);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, {width, height});
    const pen = this.canvas.getContext("2d");
    const from = Math.max(this.first, this.column - COLUMNS + 1);
    let least = Infinity;
    let greatest = -Infinity;
    for (let i = from; i <= this.column; i++) {
      if (Number.isNaN(this.low[i % COLUMNS])) continue;
      least = Math.min(least, this.low[i % COLUMNS]);
      greatest = Math.max(greatest, this.high[i % COLUMNS]);
    }
    const pad = 2 * ratio;
    const scale = greatest > least ? (height - 2 * pad) / (greatest - least) : 0;
    const y = (v) => scale === 0 ? height / 2 : height - pad - (v - least) * scale;
    const x = (i) => ((i - (this.column - COLUMNS + 1)) + 0.5) * width / COLUMNS;
    pen.clearRect(0, 0, width, height);
    pen.strokeStyle = colour;
    pen.lineWidth = 1.3 * ratio;
    pen.lineJoin = "bevel";
    pen.beginPath();
    for (let i = from; i <= this.column; i++) {
      const at = i % COLUMNS;
      if (Number.isNaN(this.low[at])) continue;
      pen.lineTo(x(i), y(this.low[at]));
      if (this.high[at] > this.low[at]) pen.lineTo(x(i), y(this.high[at]));
      pen.lineTo(x(i), y(this.last[at]));
    }
    if (from === this.column) pen.lineTo(x(from) + ratio, y(this.last[from % COLUMNS]));
    pen.stroke();
  }
}
