// A session in, played for all screens as if it were live; steered by the server, which plays it.
//
// A replay lives as long as its stream. Where that ends (the server was started anew, nobody looked for a while) another
// one begins at the place, with the speed, that it had.

import {effect, signal, untracked} from "@preact/signals";

import {post, query, Trouble} from "../api";
import {live} from "./live";

export const SPEEDS = [.25, .5, 1, 2, 4, 8, 16, 32] as const;

export interface Playing {
  session: string;
  speed: number;
  paused: boolean;
}

export const playing = signal<Playing | null>(null); // null: what is shown is live
export const unsteered = signal<Trouble | null>(null); // what the server said to the last wish

let place: number | null = null; // ns: where it is taken up; null: at the session's beginning
let times = 0;

export function play(session: string, from: number | null = null): void {
  place = from;
  unsteered.value = null;
  playing.value = {session, speed: playing.value?.speed ?? 1, paused: false};
  live.follow(address);
}

export function stop(): void {
  playing.value = unsteered.value = null;
  live.follow("/live");
}

// Where it is: ns since the session began.
export function placeNow(): number | null {
  return (live.replay.value && live.now()) ?? place;
}

export async function steer(wish: {speed?: number; pause?: boolean; seek_s?: number}): Promise<void> {
  const now = playing.value;
  if (!now) return;
  playing.value = {...now, speed: wish.speed ?? now.speed, paused: wish.pause ?? now.paused};
  if (wish.seek_s !== undefined) place = Math.round(wish.seek_s * 1e9);
  const replay = live.replay.value?.replay;
  if (!replay || live.gone.value !== null) return; // it begins so when it is taken up
  try {
    await post(`/replay/${replay}`, wish);
    unsteered.value = null;
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    unsteered.value = error;
  }
}

// The fragment makes it this page's own: two tabs that play one session don't steer each other.
function address(): string {
  place = placeNow();
  const now = playing.value;
  times += 1;
  return `/replay${query({session: now?.session, speed: now?.speed, t_from: place})}#${Date.now()}-${times}`;
}

effect(() => {
  if (live.gone.value === null) return;
  untracked(() => { if (playing.value) live.follow(address, live.replay.value); });
});

effect(() => {
  if (live.replay.value) untracked(() => { if (playing.value?.paused) void steer({pause: true}); });
});
