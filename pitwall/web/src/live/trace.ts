// A channel's values in, the least and the greatest of every column out, so that a spike of one sample shows.
// Bounded: `columns` pairs, whatever the channel's rate.

export class Trace {
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly last: Float64Array;
  newest = -1; // number of the newest column since the session began
  first = -1; // and of the first that ever held a value
  dirty = true;

  constructor(readonly columns: number, readonly columnNs: number) {
    this.low = new Float64Array(columns);
    this.high = new Float64Array(columns);
    this.last = new Float64Array(columns);
  }

  // The first column that is still kept.
  get oldest(): number {
    return Math.max(this.first, this.newest - this.columns + 1);
  }

  add(t: number, v: number): void {
    const column = Math.floor(t / this.columnNs);
    if (!Number.isFinite(v) || column <= this.newest - this.columns) return;
    if (this.first < 0) this.first = column;
    for (let i = Math.max(this.first, this.newest + 1, column - this.columns + 1); i <= column; i++) this.low[i % this.columns] = NaN;
    for (let i = column; i < this.first; i++) this.low[i % this.columns] = NaN; // older than all: what was asked for later
    this.first = Math.min(this.first, column);
    this.newest = Math.max(this.newest, column);
    const at = column % this.columns;
    const empty = Number.isNaN(this.low[at] as number);
    this.high[at] = empty ? v : Math.max(this.high[at] as number, v);
    this.low[at] = empty ? v : Math.min(this.low[at] as number, v);
    this.last[at] = v;
    this.dirty = true;
  }

  clear(): void {
    this.newest = this.first = -1;
    this.dirty = true;
  }
}
