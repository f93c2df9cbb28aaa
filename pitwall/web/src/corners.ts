// Rows of `/corners` in, what each corner cost one lap against another, and why in a driver's words, out. Pure.

import type {Lap} from "./laps";
import {number, shown} from "./numbers";

export interface Cornering { // a row of the table `corners`
  lap: number;
  corner: string;
  [figure: string]: number | string | null;
}

export function figure(row: Cornering | undefined, name: string): number | null {
  const value = row?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export const PARTS = ["entry", "middle", "exit"] as const;
export type Part = typeof PARTS[number];

export interface Found {
  corner: string;
  mine: Cornering;
  theirs: Cornering;
  lostS: number; // above 0: to be found
  parts: Record<Part, number | null>;
}

// What `lap` lost to `reference` in every corner that both were measured in, in the order driven.
export function compared(rows: readonly Cornering[], laps: readonly Lap[], lap: number, reference: number): Found[] {
  const own = totals(rows, laps);
  return rows.filter((row) => row.lap === lap).flatMap((mine) => {
    const theirs = rows.find((row) => row.lap === reference && row.corner === mine.corner);
    if (!theirs) return [];
    const at = (which: number, part: Part) => own.get(`${which} ${mine.corner} ${part}`) ?? null;
    const parts = Object.fromEntries(PARTS.map((part) => {
      const [a, b] = [at(lap, part), at(reference, part)];
      return [part, a === null || b === null ? null : a - b];
    })) as Found["parts"];
    const [a, b] = [figure(mine, "time_s"), figure(theirs, "time_s")];
    const {entry, middle, exit} = parts;
    const lostS = entry !== null && middle !== null && exit !== null ? entry + middle + exit : a !== null && b !== null ? a - b : 0;
    return [{corner: mine.corner, mine, theirs, lostS, parts}];
  });
}

// The same against a lap of another session on the same track. Its parts stand against that session's own laps, and tell
// nothing here.
export function comparedAcross(rows: readonly Cornering[], lap: number, others: readonly Cornering[], reference: number): Found[] {
  return rows.filter((row) => row.lap === lap).flatMap((mine) => {
    const theirs = others.find((row) => row.lap === reference && row.corner === mine.corner);
    const [a, b] = [figure(mine, "time_s"), figure(theirs, "time_s")];
    if (!theirs || a === null || b === null) return [];
    const ours = ({...row}: Cornering) => ({...row, ...Object.fromEntries(OWN.map((name) => [name, null]))});
    return [{corner: mine.corner, mine: ours(mine), theirs: ours(theirs), lostS: a - b, parts: {entry: null, middle: null, exit: null}}];
  });
}

const OWN = ["apex_off_m", "grip_share"]; // by what the session's own laps were

// A part's loss stands against the best lap before it: from best to best they add up to what each lost to the first.
function totals(rows: readonly Cornering[], laps: readonly Lap[]): Map<string, number> {
  const sums = new Map<string, number>();
  let best: number | null = null;
  for (const {number: lap, best: isBest} of laps) {
    for (const row of rows) {
      if (row.lap !== lap) continue;
      for (const part of PARTS) {
        const lost = figure(row, `${part}_lost_s`);
        const base = best === null ? 0 : sums.get(`${best} ${row.corner} ${part}`);
        if (lost !== null && base !== undefined) sums.set(`${lap} ${row.corner} ${part}`, base + lost);
      }
    }
    if (isBest) best = lap;
  }
  return sums;
}

// The best of each corner, in one lap: the best lap, less what it lost in each.
export function joined(rows: readonly Cornering[], best: Lap | undefined): number | null {
  if (!best || best.time_s === null) return null;
  let seconds = best.time_s;
  for (const mine of rows.filter(({lap}) => lap === best.number)) {
    const times = rows.filter(({corner}) => corner === mine.corner).map((row) => figure(row, "time_s")).filter((value) => value !== null);
    seconds -= (figure(mine, "time_s") ?? NaN) - Math.min(...times);
  }
  return Number.isFinite(seconds) ? seconds : null;
}

interface Reason {
  part: Part;
  figure: string;
  least: number; // a difference below it is how laps differ anyhow
  sign: 1 | -1; // of the difference that costs time
  words: (by: number) => string; // "than in lap 4" follows
}

const speed = (by: number) => {
  const {unit, factor} = shown("m/s");
  return `${number(Math.abs(by) * factor, 0)} ${unit}`;
};
const metres = (by: number) => `${number(Math.abs(by), 0)} m`;
const seconds = (by: number) => `${number(Math.abs(by), 1)} s`;

// What a driver does, part by part, the cause before its effect.
const REASONS: readonly Reason[] = [
  {part: "entry", figure: "brake_m", least: 3, sign: 1, words: (by) => `you brake ${metres(by)} earlier`},
  {part: "entry", figure: "coast_s", least: 0.15, sign: 1, words: (by) => `you roll ${seconds(by)} longer with no foot down`},
  {part: "entry", figure: "lift_m", least: 5, sign: 1, words: (by) => `you lift ${metres(by)} earlier`},
  {part: "entry", figure: "brake_g", least: 0.08, sign: -1, words: (by) => `you brake ${number(Math.abs(by), 2)} g more softly`},
  {part: "entry", figure: "brake_rise_s", least: 0.12, sign: 1, words: (by) => `you take ${seconds(by)} longer to full brake pressure`},
  {part: "entry", figure: "entry_mps", least: 0.5, sign: -1, words: (by) => `you turn in ${speed(by)} slower`},
  {part: "entry", figure: "approach_mps", least: 0.5, sign: -1, words: (by) => `you arrive ${speed(by)} slower`},
  {part: "middle", figure: "apex_off_m", least: 0.8, sign: 1, words: (by) => `you pass ${number(Math.abs(by), 1)} m farther out at the apex`},
  {part: "middle", figure: "min_mps", least: 0.28, sign: -1, words: (by) => `you are ${speed(by)} slower at the slowest point`},
  {part: "middle", figure: "radius_m", least: 2, sign: -1, words: (by) => `you turn ${metres(by)} tighter`},
  {part: "middle", figure: "grip_share", least: 0.02, sign: -1, words: (by) => `you use ${number(Math.abs(by) * 100, 0)} % less of the grip`},
  {part: "exit", figure: "throttle_lifts", least: 1, sign: 1, words: () => "you take power back more often before the corner's end"},
  {part: "exit", figure: "throttle_m", least: 3, sign: 1, words: (by) => `you are back on power ${metres(by)} later`},
  {part: "exit", figure: "throttle_rise_s", least: 0.25, sign: 1, words: (by) => `you take ${seconds(by)} longer to full power`},
  {part: "exit", figure: "exit_mps", least: 0.28, sign: -1, words: (by) => `you leave ${speed(by)} slower`},
  {part: "exit", figure: "min_mps", least: 0.28, sign: -1, words: (by) => `you carry ${speed(by)} less out of the slowest point`},
];

const WHERE: Record<Part, string> = {entry: "on the way in", middle: "in the middle", exit: "on the way out"};

// What differs most where most was lost: "you brake 11 m earlier than in lap 7". Without a figure that explains it: where.
export function reason({mine, theirs, parts}: Found, against: string): string {
  const unknown = PARTS.every((part) => parts[part] === null);
  const lost = PARTS.filter((part) => (parts[part] ?? 0) > 0).sort((a, b) => (parts[b] as number) - (parts[a] as number));
  const [most] = lost;
  if (!most && !unknown) return `you are slower through all of it than in ${against}`;
  for (const {part, figure: name, least, sign, words} of REASONS) {
    const [here, there] = [figure(mine, name), figure(theirs, name)];
    if ((unknown || part === most) && here !== null && there !== null && (here - there) * sign >= least) return `${words(here - there)} than in ${against}`;
  }
  return most ? `you lose it ${WHERE[most]}, against ${against}` : `you are slower than in ${against}`;
}

// How much one figure differs from lap to lap: its deviation, by the median absolute one, so that one bad lap does not
// move it. null: fewer than four laps.
export function spread(values: readonly number[]): number | null {
  if (values.length < 4) return null;
  const middle = median(values);
  return 1.48 * median(values.map((value) => Math.abs(value - middle)));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] as number : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
}
