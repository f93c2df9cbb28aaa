// Laps of any sessions in, the same laps on one path out: when each was where along the path of the first, and what its
// channels said then. A lap of another session is placed by `/compare`, so that a distance is one place for all.

import {useEffect, useRef, useState} from "preact/hooks";

import {get, sessionPath, query, Trouble} from "./api";
import type {Lap} from "./laps";

export interface Choice {
  session: string;
  lap: string; // its number, or "best"
}

export type Axis = "distance" | "time";
type Numbers = ArrayLike<number>;

export interface Sampled {
  name: string;
  unit: string;
  t: Float64Array; // s since the lap began
  v: readonly (number | null)[];
}

export type Channels = ReadonlyMap<string, Sampled>; // by role

export interface Overlaid {
  key: string; // as it was chosen
  session: string;
  number: number;
  timeS: number;
  startNs: number;
  roles: Readonly<Record<string, string>>;
  way: Numbers; // m along the path of the first lap, ascending
  time: Numbers; // s since its own line, at those places
  channels: Channels; // TRACES over all of the lap, and PLACES
}

export interface Overlay {
  laps: readonly Overlaid[]; // in the order chosen, those that are there
  troubles: readonly {key: string; words: string}[];
  waiting: boolean;
}

export interface OneLap {
  session: string;
  lap: Lap;
  length_m: number;
  distance_m: number[];
  time_s: number[];
}

interface Compared {
  by_distance: {distance_m: number; time_s: number; delta_s: number}[];
}

interface Signals {
  channels: Record<string, {unit: string; t: number[]; v: (number | null)[]}>;
}

export const TRACES = ["speed", "throttle", "brake", "steering", "gear"] as const;
const PLACES = ["lat", "lon", "g_lat", "g_long"];
const PLACES_POINTS = 800; // a map and a friction circle are small
const MOST_POINTS = 2000; // of a channel: more than the widest screen has columns
const SETTLED_MS = 250; // a zoom by fingers changes with every frame

export const keyOf = ({session, lap}: Choice) => `${session}:${lap}`;

// "SESSION:3,SESSION:best", each once.
export function choices(text: string | null): Choice[] {
  const found = new Map<string, Choice>();
  for (const one of (text ?? "").split(",")) {
    const at = one.lastIndexOf(":");
    if (at > 0 && at < one.length - 1) found.set(one, {session: one.slice(0, at), lap: one.slice(at + 1)});
  }
  return [...found.values()];
}

// Two for each column that the widest strip can have: the least and the greatest.
export function pointsFor(width: number): number {
  return Math.min(MOST_POINTS, Math.max(400, Math.ceil(width * 2 / 200) * 200));
}

// `y` at `at`, linear between the two `x` either side; the ends beyond them. x ascends.
export function interpolated(at: number, x: Numbers, y: Numbers): number {
  const n = x.length;
  if (n === 0) return NaN;
  const i = before(at, x);
  if (i < 0) return y[0] as number;
  if (i >= n - 1) return y[n - 1] as number;
  const [x0, x1, y0, y1] = [x[i] as number, x[i + 1] as number, y[i] as number, y[i + 1] as number];
  return x1 === x0 ? y1 : y0 + (y1 - y0) * (at - x0) / (x1 - x0);
}

// The index of the last x that is not beyond `at`; -1: all are.
function before(at: number, x: Numbers): number {
  let [low, high] = [-1, x.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((x[middle] as number) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

export const timeAt = (lap: Overlaid, metres: number) => interpolated(metres, lap.way, lap.time);
export const metresAt = (lap: Overlaid, seconds: number) => interpolated(seconds, lap.time, lap.way);

// When, since its own line, a lap is at a place of the axis.
export const lapTimeAt = (lap: Overlaid, axis: Axis, at: number) => (axis === "distance" ? timeAt(lap, at) : at);
export const lapMetresAt = (lap: Overlaid, axis: Axis, at: number) => (axis === "distance" ? at : metresAt(lap, at));

// What `lap` has lost to `reference` by that place.
export const lostBy = (lap: Overlaid, reference: Overlaid, metres: number) => timeAt(lap, metres) - timeAt(reference, metres);

// null: it said nothing there. held: its value lasts until the next one, as a gear does.
export function valueAt({t, v}: Sampled, seconds: number, held = false): number | null {
  const i = before(seconds, t);
  const last = v[i] ?? null;
  if (held || last === null || seconds === t[i]) return last;
  const next = v[i + 1] ?? null;
  return next === null ? null : last + (next - last) * (seconds - (t[i] as number)) / ((t[i + 1] as number) - (t[i] as number));
}

// The laps that are chosen, on the path of the first. What is there stays while others come; what is no longer wanted
// is not waited for.
export function useOverlay(chosen: readonly Choice[], points: number): Overlay {
  const known = useRef(new Map<string, Overlaid>());
  const [overlay, setOverlay] = useState<Overlay>({laps: [], troubles: [], waiting: true});
  const wanted = chosen.map(keyOf).join();
  useEffect(() => {
    const leaving = new AbortController();
    const {signal} = leaving;
    const found = new Map<string, Overlaid>();
    const wrong = new Map<string, string>();
    const used = new Set<string>();
    const tell = (waiting: boolean) => {
      if (signal.aborted) return;
      const laps = chosen.map((one) => found.get(keyOf(one))).filter((lap) => lap !== undefined);
      setOverlay({laps, troubles: [...wrong].map(([key, words]) => ({key, words})), waiting});
    };
    const one = async (choice: Choice, reference: Overlaid | null) => {
      const key = keyOf(choice);
      const name = `${reference?.key ?? ""}>${key}>${points}`;
      used.add(name);
      try {
        const lap = known.current.get(name) ?? await load(choice, reference, points, signal);
        known.current.set(name, lap);
        found.set(key, lap);
      } catch (error) {
        if (error instanceof Trouble) wrong.set(key, error.words);
        else if (!signal.aborted) throw error;
      }
    };
    void (async () => {
      const [first, ...others] = chosen;
      if (first) await one(first, null);
      const reference = first && found.get(keyOf(first));
      if (reference) {
        tell(others.length > 0);
        await Promise.all(others.map((choice) => one(choice, reference).then(() => tell(true))));
      }
      tell(false);
      for (const name of known.current.keys()) if (!signal.aborted && !used.has(name)) known.current.delete(name);
    })();
    setOverlay((now) => ({...now, waiting: true}));
    return () => leaving.abort();
  }, [wanted, points]);
  return overlay;
}

async function load({session, lap}: Choice, reference: Overlaid | null, points: number, signal: AbortSignal): Promise<Overlaid> {
  const at = sessionPath(session);
  const [one, {roles}] = await Promise.all([
    get<OneLap>(`${at}/laps/${encodeURIComponent(lap)}`, signal), get<{roles: Record<string, string>}>(`${at}/capabilities`, signal),
  ]);
  const {number, time_s: timeS, t_start: startNs, t_end: endNs} = one.lap;
  const window = {t_from: startNs, t_to: endNs};
  const [{way, time}, traces, places] = await Promise.all([
    placed(one, reference ?? {session: one.session, number}, signal),
    sampled(one.session, roles, TRACES, {...window, points}, startNs, signal),
    sampled(one.session, roles, PLACES, {...window, points: Math.min(points, PLACES_POINTS)}, startNs, signal),
  ]);
  return {
    key: `${session}:${lap}`, session: one.session, number, timeS: timeS ?? NaN, startNs, roles, way, time, channels: new Map([...traces, ...places]),
  };
}

// Where on the reference's path a lap was, and when: `/compare` says when it passed some twenty places of that path, to
// the microsecond; between those the two paths go alike, and the lap's own rows tell.
async function placed(one: OneLap, reference: {session: string; number: number}, signal: AbortSignal): Promise<{way: Numbers; time: Numbers}> {
  const asked = query({lap: reference.number, reference: `${one.session}:${one.lap.number}`});
  const {by_distance: places} = await get<Compared>(`${sessionPath(reference.session)}/compare${asked}`, signal);
  const passed = places.map(({distance_m: metres, time_s: mine, delta_s: lost}) => ({metres, seconds: mine - lost}));
  const theirs = [0, ...passed.map(({seconds}) => interpolated(seconds, one.time_s, one.distance_m))];
  const ours = [0, ...passed.map(({metres}) => metres)];
  const rows = one.distance_m.map((metres, at) => ({metres: interpolated(metres, theirs, ours), seconds: one.time_s[at] as number}));
  const all = [...rows, ...passed].sort((a, b) => a.metres - b.metres || a.seconds - b.seconds);
  return {way: Float64Array.from(all, ({metres}) => metres), time: Float64Array.from(all, ({seconds}) => seconds)};
}

async function sampled(
  session: string, roles: Readonly<Record<string, string>>, wanted: readonly string[], window: {t_from: number; t_to: number; points: number},
  startNs: number, signal: AbortSignal,
): Promise<[string, Sampled][]> {
  const here = wanted.filter((role) => role in roles);
  if (here.length === 0) return [];
  const asked = query({channels: [...new Set(here.map((role) => roles[role]))].join(), ...window});
  const {channels} = await get<Signals>(`${sessionPath(session)}/signals${asked}`, signal);
  return here.flatMap((role): [string, Sampled][] => {
    const name = roles[role] as string;
    const told = channels[name];
    return told && told.t.length > 0 ? [[role, {name, unit: told.unit, t: Float64Array.from(told.t, (t) => (t - startNs) / 1e9), v: told.v}]] : [];
  });
}

// The traces of a part of the laps, as fine as the screen shows it, once a zoom has come to rest; an empty map until
// then, or where nothing is zoomed.
export function useDetail(laps: readonly Overlaid[], axis: Axis, range: readonly [number, number] | null, points: number): ReadonlyMap<string, Channels> {
  const [detail, setDetail] = useState<{of: string; laps: ReadonlyMap<string, Channels>}>({of: "", laps: new Map()});
  const of = range ? [axis, ...range.map((end) => end.toFixed(2)), ...laps.map(({key}) => key)].join() : "";
  useEffect(() => {
    if (!range) return;
    const leaving = new AbortController();
    const settled = setTimeout(() => {
      const pad = (range[1] - range[0]) * 0.05; // lines go on beyond the edge
      const asked = laps.map(async (lap): Promise<[string, Channels]> => {
        const [from, to] = [range[0] - pad, range[1] + pad].map((end) => lap.startNs + Math.round(lapTimeAt(lap, axis, end) * 1e9)) as [number, number];
        return [lap.key, new Map(await sampled(lap.session, lap.roles, TRACES, {t_from: from, t_to: to, points}, lap.startNs, leaving.signal))];
      });
      // where it can't be had, what is there is shown
      void Promise.all(asked).then((found) => { if (!leaving.signal.aborted) setDetail({of, laps: new Map(found)}); }, () => {});
    }, SETTLED_MS);
    return () => {
      clearTimeout(settled);
      leaving.abort();
    };
  }, [of]);
  return detail.of === of ? detail.laps : NOTHING;
}

const NOTHING: ReadonlyMap<string, Channels> = new Map();
