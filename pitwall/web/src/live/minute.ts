// Channels in, their last minute kept: what was told since, and what the API has of the time before; so a page that was
// just opened, or whose server was away, has no gap.

import {effect, untracked} from "@preact/signals";
import {useEffect} from "preact/hooks";

import {get, query, Trouble} from "../api";
import {live, MINUTE, sid, type Channel} from "./live";
import {Trace} from "./trace";

const SPAN_NS = MINUTE[0] * MINUTE[1];
const POINTS = 2 * MINUTE[0]; // the least and the greatest of each column
const ONCE_MORE_MS = 1500; // what was written last is projected within a quarter of a second

interface Signals {
  channels: Record<string, {t: number[]; v: (number | null)[]}>;
}

// Keeps the minute of these channels, for as long as the component is there.
export function useMinute(channels: readonly (Channel | undefined)[]): void {
  const names = channels.filter((one) => one !== undefined).map(({name}) => name).join();
  useEffect(() => {
    if (!names) return;
    let asking = new AbortController();
    let later: ReturnType<typeof setTimeout> | undefined;
    const stop = effect(() => {
      live.missed.value;
      if (live.session.value === null) return;
      asking.abort();
      clearTimeout(later);
      const {signal} = asking = new AbortController();
      untracked(() => void fill(names.split(","), signal));
      later = setTimeout(() => void fill(names.split(","), signal), ONCE_MORE_MS);
    });
    return () => {
      stop();
      asking.abort();
      clearTimeout(later);
    };
  }, [names]);
}

async function fill(names: string[], signal: AbortSignal): Promise<void> {
  const session = live.session.value;
  const now = live.now();
  for (const name of names) minute(live.channel(name));
  const window = live.replay.value && now !== null ? {t_from: Math.round(now) - SPAN_NS, t_to: Math.round(now)} : {};
  try {
    const found = await get<Signals>(`/session/${encodeURIComponent(sid())}/signals${query({channels: names.join(), points: POINTS, ...window})}`, signal);
    if (signal.aborted || session !== live.session.value) return;
    for (const [name, {t, v}] of Object.entries(found.channels)) {
      const kept = minute(live.channel(name));
      t.forEach((at, i) => kept?.add(at, v[i] ?? NaN));
    }
  } catch (error) {
    if (!(error instanceof Trouble) && !signal.aborted) throw error; // without it there is a gap, and the plot shows that
  }
}

function minute(channel: Channel | undefined): Trace | undefined {
  return channel && (channel.minute ??= new Trace(...MINUTE));
}
