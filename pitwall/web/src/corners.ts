// Rows of `/corners` in; where corners lie along the path, what each cost one lap against another, and why in a
// driver's words out. Pure.

import type {Lap} from "./laps";
import {number, shown} from "./numbers";
import {interpolated} from "./overlay";

export interface Cornering { // a row of the table `corners`
  lap: number;
  corner: string;
  [figure: string]: number | string | null;
}

// A corner's part of the lap; those of a lap tile it.
export interface Section {
  name: string;
  from: number; // m along the path
  to: number;
  turnInM: number | null; // before the apex
}

// A lap takes its corners one after the other, and each one's time reaches from the exit of the one before to its own:
// so where they lie is where the lap was by then.
export function sections(rows: readonly Cornering[], one: {lap: {number: number}; length_m: number; distance_m: number[]; time_s: number[]}): Section[] {
  const mine = rows.filter(({lap}) => lap === one.lap.number);
  let seconds = 0;
  let from = 0;
  return mine.map((row, at) => {
    seconds += figure(row, "time_s") ?? 0;
    const to = at === mine.length - 1 ? one.length_m : interpolated(seconds, one.time_s, one.distance_m);
    const section = {name: row.corner, from, to, turnInM: figure(row, "turn_in_m")};
    from = to;
    return section;
  });
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

interface Reason {
  part: Part;
  figure: string;
  least: number; // a difference below it is how laps differ anyhow
  sign: 1 | -1; // of the difference that costs time
  words: (by: number, corner: Found) => string;
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
  {part: "exit", figure: "throttle_lifts", least: 1, sign: 1, words: () => "you take power back before the corner's end"},
  {part: "exit", figure: "throttle_m", least: 3, sign: 1, words: (by) => `you are back on power ${metres(by)} later`},
  {part: "exit", figure: "throttle_rise_s", least: 0.25, sign: 1, words: (by) => `you take ${seconds(by)} longer to full power`},
  {part: "exit", figure: "exit_mps", least: 0.28, sign: -1, words: (by) => `you leave ${speed(by)} slower`},
  {part: "exit", figure: "min_mps", least: 0.28, sign: -1, words: (by) => `you carry ${speed(by)} less out of the slowest point`},
];

const WHERE: Record<Part, string> = {entry: "on the way in", middle: "in the middle", exit: "on the way out"};

// What differs most where most was lost: "you brake 11 m earlier". Without a figure that explains it: where.
export function reason(found: Found): {part: Part | null; words: string} {
  const parts = PARTS.filter((part) => found.parts[part] !== null).sort((a, b) => (found.parts[b] as number) - (found.parts[a] as number));
  for (const part of parts) {
    if ((found.parts[part] as number) <= 0) break;
    for (const {part: of, figure: name, least, sign, words} of REASONS) {
      if (of !== part) continue;
      const [mine, theirs] = [figure(found.mine, name), figure(found.theirs, name)];
      if (mine !== null && theirs !== null && (mine - theirs) * sign >= least) return {part, words: words(mine - theirs, found)};
    }
    return {part, words: `you lose it ${WHERE[part]}`};
  }
  return {part: null, words: "you are slower through all of it"};
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
