// Columns of samples in, values at given times out.  Pure.

export interface Series {
  t: ArrayLike<number>; // ascending
  v: ArrayLike<number | null>;
}

export interface Window {
  session: string;
  t_from: number;
  t_to: number;
  channels: Record<string, {unit: string; samples: number; t: number[]; v: (number | null)[]}>;
}

// Linear between the samples either side; `held`: the one before (a gear has no halves).  NaN beyond the ends, and
// beside a missing value.
export function sampled({t, v}: Series, at: ArrayLike<number>, held = false): Float64Array {
  const found = new Float64Array(at.length).fill(NaN);
  let i = 0;
  for (let k = 0; k < at.length; k++) {
    const now = at[k] as number;
    while (i + 1 < t.length && (t[i + 1] as number) <= now) i += 1;
    const [t0, v0] = [t[i], v[i]];
    if (t0 === undefined || now < t0 || v0 === null || v0 === undefined) continue;
    const [t1, v1] = [t[i + 1], v[i + 1]];
    if (held || now === t0) found[k] = v0;
    else if (t1 !== undefined && v1 !== null && v1 !== undefined) found[k] = v0 + (v1 - v0) * (now - t0) / (t1 - t0);
  }
  return found;
}

// The number of the last that is not greater; -1: all are.
export function before(t: ArrayLike<number>, now: number): number {
  let [low, high] = [0, t.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((t[middle] as number) <= now) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
