// A channel's last minute in, how it goes in words: rising, falling, steady, or going up and down.  Pure.

import type {Trace} from "./trace";

export interface Trend {
  perMinute: number; // in the channel's unit
  way: "rising" | "falling" | "steady" | "varying";
}

const LEAST_S = 10; // of a line through fewer seconds nothing is said

// By a straight line through it (least squares).  least: of the unit, a minute, below which it is steady.  null: too
// little is known.
export function trend({last, low, columns, columnNs, oldest, newest, first}: Trace, least: number): Trend | null {
  if (first < 0 || (newest - oldest) * columnNs / 1e9 < LEAST_S) return null;
  let [n, st, sv, stt, stv, svv] = [0, 0, 0, 0, 0, 0];
  for (let i = oldest; i <= newest; i++) {
    const at = i % columns;
    if (Number.isNaN(low[at] as number)) continue;
    const t = (i - newest) * columnNs / 6e10; // minutes
    const v = last[at] as number;
    n += 1;
    st += t;
    sv += v;
    stt += t * t;
    stv += t * v;
    svv += v * v;
  }
  const spread = stt - st * st / n;
  if (n < 3 || !(spread > 0)) return null;
  const perMinute = (stv - st * sv / n) / spread;
  const about = Math.sqrt(Math.max(0, (svv - sv * sv / n - perMinute * perMinute * spread) / n)); // how far it is from that line
  if (about > 2 * least && Math.abs(perMinute) < 2 * about) return {perMinute, way: "varying"};
  return {perMinute, way: Math.abs(perMinute) < least ? "steady" : perMinute > 0 ? "rising" : "falling"};
}
