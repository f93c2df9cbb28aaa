// A lap in, its way over the ground out, and what the car did at each place of it.

import {useMemo} from "preact/hooks";

import {sessionPath, query, useAnswer, type Answer} from "../api";
import type {Lap} from "../laps";
import {sampled, type Series, type Window} from "../series";

export interface LapPath {
  lat: Float64Array;
  lon: Float64Array;
  s: Float64Array; // since the lap began
  of: (role: string) => Float64Array | null; // the role's channel at each place, in its own unit
  unitOf: (role: string) => string;
}

export interface LapTime { // /session/<sid>/laps/<lap>
  lap: {number: number; time_s: number};
  length_m: number;
  distance_m: number[];
  time_s: number[];
}

export const ROLES = ["lat", "lon", "speed", "throttle", "brake", "g_lat", "g_long", "gear"] as const;
const MARGIN_NS = 2e8; // to either side of the lap, so that its very beginning has values too
const POINTS = 4000; // a fix every 0.1 s for six minutes, and 32,000 values of 100,000

// lap: null: all of the session
export function useLapPath(session: string | null, lap: Lap | null | undefined, roles: Record<string, string> | undefined): {answer: Answer<Window>; path: LapPath | null} {
  const named = ROLES.filter((role) => roles?.[role]);
  const channels = named.map((role) => roles?.[role]).join();
  const ready = session !== null && lap !== undefined && named.includes("lat") && named.includes("lon");
  const window = lap ? {t_from: lap.t_start - MARGIN_NS, t_to: lap.t_end + MARGIN_NS} : {t_from: 0};
  const answer = useAnswer<Window>(ready ? `${sessionPath(session)}/signals${query({channels, points: POINTS, ...window})}` : null);
  const path = useMemo(() => (answer.data && roles ? pathOf(answer.data, roles, lap?.t_start ?? answer.data.t_from) : null), [answer.data, roles]);
  return {answer, path};
}

function pathOf(found: Window, roles: Record<string, string>, began: number): LapPath | null {
  const series = (role: string): Series | undefined => found.channels[roles[role] ?? ""];
  const [lat, lon] = [series("lat"), series("lon")];
  if (!lat || !lon || lat.t.length < 2) return null;
  const at = lon.t;
  return {
    lat: sampled(lat, at),
    lon: Float64Array.from(lon.v as ArrayLike<number | null>, (one) => one ?? NaN),
    s: Float64Array.from(at, (t) => (t - began) / 1e9),
    of: (role) => {
      const known = series(role);
      return known ? sampled(known, at, role === "gear") : null;
    },
    unitOf: (role) => found.channels[roles[role] ?? ""]?.unit ?? "",
  };
}

// A timed lap's distance by time; of one that is not there is none.
export function useLapTime(session: string | null, lap: Lap | null | undefined): LapTime | null {
  const timed = session !== null && lap && lap.time_s !== null;
  return useAnswer<LapTime>(timed ? `${sessionPath(session)}/laps/${lap.number}` : null).data;
}

// Metres along the lap after `s` seconds.
export function along({time_s: t, distance_m: v}: LapTime, s: ArrayLike<number>): Float64Array {
  return sampled({t, v}, s);
}

// Seconds lost against `best` by each time `s` of `lap` (below 0: gained), at equal distance.
export function deltas(lap: LapTime, best: LapTime, s: ArrayLike<number>): Float64Array {
  const metres = along(lap, s);
  const then = sampled({t: best.distance_m, v: best.time_s}, metres);
  return then.map((time, i) => (s[i] as number) - time);
}
