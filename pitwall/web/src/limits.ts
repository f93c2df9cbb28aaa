// What a car must not be beyond, as its definition says; and whether it is, now.

import {effect, signal} from "@preact/signals";

import {get} from "./api";
import {live, type Channel} from "./live/live";
import {number, shown} from "./numbers";

interface Limit {
  channel: string;
  below: number | null;
  above: number | null;
  over_rpm: number | null; // it counts only while the engine turns faster
  for_s: number; // it has to be beyond for so long
}

export const limits = signal<readonly Limit[]>([]);

// They are the car's, which an edit may change: then the pipeline is another one.
let asked = 0;
effect(() => {
  const car = live.car.value;
  live.fingerprint.value;
  const mine = ++asked;
  if (car === null) {
    limits.value = [];
    return;
  }
  get<{alarms: Limit[]}>(`/car/${encodeURIComponent(car)}`).then(
    ({alarms}) => { if (mine === asked) limits.value = alarms; },
    () => {}, // without its definition there are no limits to be told of
  );
});

const since = new Map<Limit, number>(); // performance.now() when it was found beyond

// What is beyond its limits now, in words, longest first; values that are old tell nothing.
export function alarmsNow(now: number): string[] {
  const told: [number, string][] = [];
  for (const limit of limits.value) {
    const channel = live.channel(limit.channel);
    if (!channel || !isBeyond(limit, channel)) {
      since.delete(limit);
      continue;
    }
    const began = since.get(limit) ?? now;
    since.set(limit, began);
    if (now - began >= limit.for_s * 1000) told.push([began, words(channel)]);
  }
  return told.sort(([a], [b]) => a - b).map(([, text]) => text);
}

function isBeyond({below, above, over_rpm: overRpm}: Limit, channel: Channel): boolean {
  const {v} = channel;
  if (v === null || live.stale(channel)) return false;
  if (overRpm !== null) {
    const rpm = live.role("rpm");
    if (!rpm || rpm.v === null || live.stale(rpm) || rpm.v <= overRpm) return false;
  }
  return (below !== null && v < below) || (above !== null && v > above);
}

function words({name, v, facts}: Channel): string {
  const {unit, factor, offset, places} = shown(facts.unit);
  return `${name.replaceAll("_", " ")} ${number((v as number) * factor + offset, places ?? 1)} ${unit}`;
}

// The revs that the engine must not turn faster than; null: the car says none.
export function revLimit(): number | null {
  const rpm = live.roles.value["rpm"];
  return limits.value.find(({channel, above}) => channel === rpm && above !== null)?.above ?? null;
}
