// The laps of the session that is shown, asked for again whenever the car begins another one.

import {computed, effect, signal} from "@preact/signals";

import {get, sessionPath, Trouble} from "./api";
import {live} from "./live/live";

const SOON_MS = 400; // a lap's row is committed a quarter of a second after its end
const TRIES = 6;

export interface Lap {
  number: number;
  kind: string; // "out", "flying", "in", "cooling", …
  t_start: number; // ns since the session began
  t_end: number;
  time_s: number | null;
  flying: boolean;
  valid: boolean;
  why: string | null; // it can't be trusted
  best: boolean;
  best_so_far_s: number | null; // before this lap
  delta_s: number | null;
  distance_m: number | null;
  top_speed_mps: number | null;
  min_speed_mps: number | null;
  fuel_used: number | null;
  sectors_s: (number | null)[];
}

export interface Laps {
  session: string;
  fingerprint: string;
  stale: boolean;
  complete: boolean;
  laps: Lap[];
  bests: {lap: number | null; time_s: number | null; theoretical_s: number | null; rolling_s: number | null};
}

export const laps = signal<Laps | null>(null);

// Of those, the ones that are over at what is shown: a replay knows no more than live did.
export const lapsSoFar = computed<Lap[]>(() => {
  const known = laps.value?.laps ?? [];
  const under = live.lap.value;
  return live.replay.value ? known.filter(({number}) => under !== null && number < under) : known;
});

let asked = 0;
effect(() => {
  const session = live.session.value;
  const under = live.lap.value;
  live.fingerprint.value;
  const mine = ++asked;
  if (session === null) {
    laps.value = null;
    return;
  }
  if (laps.peek()?.session !== session) laps.value = null;
  void (async () => {
    for (let times = 0; times < TRIES && mine === asked; times++) {
      if (times > 0) await new Promise((done) => setTimeout(done, SOON_MS * times));
      try {
        const answer = await get<Laps>(`${sessionPath(session)}/laps`);
        if (mine !== asked) return;
        laps.value = answer;
        const last = answer.laps[answer.laps.length - 1];
        if (under === null || (last !== undefined && last.number >= under - 1)) return;
      } catch (error) {
        if (!(error instanceof Trouble)) return;
      }
    }
  })();
});

// How a time stands among those before it: purple is the best of the session, green better than the one before, yellow
// slower. Each has a word as well: no colour says anything alone.
export type Standing = "best" | "better" | "slower" | "none";

export function standing(lap: Lap, before: readonly Lap[]): Standing {
  if (lap.time_s === null || !lap.flying || !lap.valid) return "none";
  const counted = before.filter((one) => one.flying && one.valid && one.time_s !== null && one.number < lap.number);
  if (counted.every((one) => (one.time_s as number) > (lap.time_s as number))) return "best";
  const last = counted[counted.length - 1];
  return last && (last.time_s as number) > lap.time_s ? "better" : "slower";
}
