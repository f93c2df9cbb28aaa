// Channels in, their last minute kept: what was told since, and what the API has of the time before; so a page that was
// just opened, or whose server was away, has no gap.

import {effect, untracked} from "@preact/signals";
import {useEffect} from "preact/hooks";

import {get, sessionPath, query, Trouble} from "../api";
import {live, MINUTE, sid, type Channel} from "./live";
import {Trace} from "./trace";

const SPAN_NS = MINUTE[0] * MINUTE[1];
const POINTS = 2 * MINUTE[0]; // the least and the greatest of each column
const AGAIN_MS = [1500, 2500, 4000, 6000, 8000, 8000, 8000, 8000, 8000]; // what is told is projected within a quarter of a second, or much later by a machine that is busy

interface Signals {
  t_to: number;
  channels: Record<string, {t: number[]; v: (number | null)[]}>;
}

// Keeps the minute of these channels, for as long as the component is there.
export function useMinute(channels: readonly (Channel | undefined)[]): void {
  const names = channels.filter((one) => one !== undefined).map(({name}) => name).join();
  useEffect(() => {
    if (!names) return;
    let asking = new AbortController();
    const stop = effect(() => {
      live.missed.value;
      if (live.session.value === null) return;
      asking.abort();
      asking = new AbortController();
      untracked(() => void fill(names.split(","), asking.signal));
    });
    return () => {
      stop();
      asking.abort();
    };
  }, [names]);
}

// Asks until what the API has reaches what was told: between them nothing is missing then.
async function fill(names: string[], signal: AbortSignal): Promise<void> {
  const session = live.session.value;
  const told = live.until();
  for (const name of names) minute(live.channel(name));
  const window = live.replay.value && told !== null ? {t_from: Math.round(told) - SPAN_NS, t_to: Math.round(told)} : {};
  for (const wait of AGAIN_MS) {
    try {
      const found = await get<Signals>(`${sessionPath(sid())}/signals${query({channels: names.join(), points: POINTS, ...window})}`, signal);
      if (signal.aborted || session !== live.session.value) return;
      for (const [name, {t, v}] of Object.entries(found.channels)) {
        const kept = minute(live.channel(name));
        t.forEach((at, i) => kept?.add(at, v[i] ?? NaN));
      }
      if (live.replay.value || told === null || found.t_to >= told || live.status.value.state === "ended") return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Trouble)) throw error; // without it there is a gap, and the plot shows that
    }
    await new Promise((done) => setTimeout(done, wait));
    if (signal.aborted) return;
  }
}

function minute(channel: Channel | undefined): Trace | undefined {
  return channel && (channel.minute ??= new Trace(...MINUTE));
}
