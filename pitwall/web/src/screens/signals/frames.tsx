// What every id sent last, known to a DBC or not: its bytes, and which of their bits move.

import {useEffect, useState} from "preact/hooks";

import {sessionPath, query, usePolled} from "../../api";
import {live, sid} from "../../live/live";
import {age, number} from "../../numbers";
import {Bits, Payload} from "../../parts/payload";
import {Trouble} from "../../parts/trouble";
import {choose, route} from "../../route";

const LIVE_MS = 500; // the server has them at hand
const PAST_MS = 3000; // for a past moment it reads the log
const SILENT_S = 2;

interface Frame {
  bus: string;
  id: number;
  id_hex: string;
  extended: boolean;
  fd: boolean;
  remote: boolean;
  error: boolean;
  sent: boolean;
  data: string;
  t: number;
  age_s: number;
  count: number;
  rate_hz: number | null;
  message: string | null;
  changed: string;
  changed_ever: string;
}

interface Frames {
  t: number;
  live: boolean;
  left_out: number;
  damages: number;
  frames: Frame[];
}

export function RawFrames({words}: {words: readonly string[]}) {
  const at = useReplayed();
  const answer = usePolled<Frames>(`${sessionPath(sid())}/frames${query({t: at})}`, live.running() && at === null ? LIVE_MS : PAST_MS);
  const {query: said} = route.value;
  const only = said.get("unknown") !== null;
  const open = said.get("frame");
  const frames = answer.data?.frames ?? [];
  const shown = frames.filter((one) => (!only || one.message === null) &&
    words.every((word) => `${one.bus} ${one.id_hex} 0x${one.id_hex} ${one.id} ${one.message ?? "unknown"}`.toLowerCase().includes(word)));
  const unknown = frames.filter(({message}) => message === null).length;
  return (
    <>
      <div class="row">
        <p class="soft" id="frames-count">{shown.length === frames.length ? frames.length : `${shown.length} of ${frames.length}`} ids, {unknown} of them in no DBC</p>
        <label><input type="checkbox" checked={only} onChange={({currentTarget}) => choose({unknown: currentTarget.checked ? 1 : null})} /> only unknown ones</label>
        <p class="soft legend"><span class="byte moving" style={{backgroundImage: "linear-gradient(var(--accent), var(--accent))"}}>bits</span> changed in the last 10 s <span class="byte" style={{backgroundImage: "linear-gradient(var(--soft), var(--soft))"}}>bits</span> before</p>
      </div>
      <Trouble answer={answer} />
      {(answer.data?.left_out ?? 0) > 0 && <p class="banner warn">More ids than can be kept: {answer.data?.left_out.toLocaleString()} frames are not shown.</p>}
      {(answer.data?.damages ?? 0) > 0 && <p class="banner warn">{answer.data?.damages} places of the log could not be read.</p>}
      {answer.data && frames.length === 0 && <p class="soft">No frame in the last 10 s of what is shown.</p>}
      <ul class="frames card">
        {shown.map((one) => <OneFrame key={keyOf(one)} one={one} open={keyOf(one) === open} now={answer.data?.live ?? false} />)}
      </ul>
    </>
  );
}

function OneFrame({one, open, now}: {one: Frame; open: boolean; now: boolean}) {
  const kinds = (["fd", "remote", "error", "sent"] as const).filter((kind) => one[kind]);
  const name = `${one.bus} ${one.id_hex}`;
  return (
    <li class={now && one.age_s > SILENT_S ? "frame stale" : "frame"} data-frame={keyOf(one)}>
      <button type="button" class="head quiet" aria-expanded={open} onClick={() => choose({frame: open ? null : keyOf(one)})}>
        <span class="id"><span class="soft">{one.bus}</span> <b>{one.id_hex}</b></span>
        <span class={one.message === null ? "message warn" : "message"}>{one.message ?? "? unknown"}{kinds.length > 0 && <span class="soft"> {kinds.join(", ")}</span>}</span>
        <Payload data={one.data} lately={one.changed} ever={one.changed_ever} name={name} />
        <span class="rate">{one.rate_hz === null ? "" : `${number(one.rate_hz, one.rate_hz < 10 ? 1 : 0)}/s`}</span>
        <span class={now && one.age_s > SILENT_S ? "age old" : "age"}>{age(one.age_s)}</span>
      </button>
      {open && <Inside one={one} name={name} />}
    </li>
  );
}

function Inside({one, name}: {one: Frame; name: string}) {
  const of = `${one.bus} ${one.message}.`;
  const made = [...live.channels.value.values()].filter(({facts}) => one.message !== null && facts.source.startsWith(of));
  return (
    <div class="inside">
      <p class="soft">Id {one.id} ({one.extended ? "extended, " : ""}0x{one.id_hex}), {one.count.toLocaleString()} frames, the newest {(one.t / 1e9).toFixed(3)} s into the session. <b class="now">1</b> changed in the last 10 s, <i class="ever">1</i> before.</p>
      <Bits data={one.data} lately={one.changed} ever={one.changed_ever} name={`Bits of ${name}`} />
      {made.length > 0 && (
        <p class="made">It gives {made.map((channel) => <button key={channel.name} type="button" onClick={() => choose({why: channel.name})}>{channel.name}</button>)}</p>
      )}
      {one.message === null && <p class="soft">No DBC of this car has it: add one to the car to decode it.</p>}
    </div>
  );
}

function keyOf({bus, id_hex: id, remote, error, sent}: Frame): string {
  return [bus, id, remote && "remote", error && "error", sent && "sent"].filter(Boolean).join("-");
}

// ns on the session's clock that a replay is at, now and then; null: it is live.
function useReplayed(): number | null {
  const [at, setAt] = useState<number | null>(null);
  const replayed = live.replay.value !== null;
  useEffect(() => {
    if (!replayed) {
      setAt(null);
      return;
    }
    const look = () => setAt(Math.round(live.now() ?? 0));
    look();
    const looking = setInterval(look, PAST_MS);
    return () => clearInterval(looking);
  }, [replayed]);
  return at;
}
