// The laps that are compared: which there are, by colour and name; add one of any session, take one away, hold all
// against another.

import "./lap-picker.css";

import {useState} from "preact/hooks";

import {sessionPath, useAnswer} from "../api";
import {LAP_COLOURS} from "../draw/canvas";
import type {Lap, Laps} from "../laps";
import {live, sid} from "../live/live";
import {delta, lapTime, moment} from "../numbers";
import {keyOf, type Choice, type Overlaid} from "../overlay";
import {useSessions, type Sessions} from "../sessions";
import {Trouble} from "./trouble";

export const colourOf = (at: number) => LAP_COLOURS[at % LAP_COLOURS.length] as string;
// beyond the colours that there are, a line is dashed
export const dashOf = (at: number): readonly number[] | undefined => (at >= LAP_COLOURS.length ? [5, 4] : undefined);

export const isTimed = ({kind, time_s}: Lap) => time_s !== null && (kind === "flying" || kind === "cooling");

// "Lap 3", and of which session where there are several: "Lap 3 B".
export function lapName(choice: {session: string; lap: string | number}, sessions: readonly string[]): string {
  const mark = sessions.length > 1 ? ` ${String.fromCharCode(65 + sessions.indexOf(choice.session))}` : "";
  return `${choice.lap === "best" ? "Best lap" : `Lap ${choice.lap}`}${mark}`;
}

interface Given {
  chosen: readonly Choice[];
  laps: readonly Overlaid[]; // those of them that are there
  sessions: readonly string[]; // of the chosen, each once
  change: (chosen: readonly Choice[]) => void;
}

export function LapPicker({chosen, laps, sessions, change}: Given) {
  const all = useSessions();
  const about = new Map(all.data?.sessions.map((one) => [one.id, `${moment(one.started_at)} ${one.car}`]));
  const whens = new Map(all.data?.sessions.map((one) => [one.id, moment(one.started_at)]));
  const reference = laps[0];
  return (
    <section class="picker" aria-label="The laps that are compared">
      <ol>
        {chosen.map((choice, at) => {
          const lap = laps.find(({key}) => key === keyOf(choice));
          const name = lapName({session: choice.session, lap: lap?.number ?? choice.lap}, sessions);
          const others = chosen.filter((one) => one !== choice);
          return (
            <li key={keyOf(choice)} class="chip">
              <i class="swatch" style={{background: `var(${colourOf(at)})`}} />
              <b>{name}</b> {lap && <span>{lapTime(lap.timeS)}</span>}
              {at === 0 ? <span class="soft">reference</span> : lap && reference && <span class={lap.timeS > reference.timeS ? "bad" : "good"}>{delta(lap.timeS - reference.timeS, 3)}</span>}
              {sessions.length > 1 && <span class="soft of">{whens.get(choice.session) ?? choice.session}</span>}
              {at > 0 && <button type="button" class="quiet" aria-label={`Hold all against ${name}`} title="make it the reference" onClick={() => change([choice, ...others])}>⇤</button>}
              {chosen.length > 1 && <button type="button" class="quiet" aria-label={`Take ${name} away`} title="take it away" onClick={() => change(others)}>✕</button>}
            </li>
          );
        })}
      </ol>
      <Trouble answer={all} />
      {all.data && <Adding sessions={all.data} chosen={chosen} about={about} add={(choice) => change([...chosen, choice])} />}
    </section>
  );
}

function Adding({sessions, chosen, about, add}: {sessions: Sessions; chosen: readonly Choice[]; about: ReadonlyMap<string, string>; add: (choice: Choice) => void}) {
  const [session, setSession] = useState<string | null>(null);
  const [lap, setLap] = useState("");
  const shown = session ?? chosen[0]?.session ?? sid();
  const laps = useAnswer<Laps>(`${sessionPath(shown)}/laps`, live.lap.value);
  const timed = laps.data?.session === shown ? laps.data.laps.filter(isTimed) : [];
  const taken = new Set(chosen.map(keyOf));
  const best = laps.data?.bests.lap;
  const free = timed.filter(({number}) => !taken.has(`${shown}:${number}`));
  const picked = free.find(({number}) => String(number) === lap) ?? free[0];
  return (
    <form class="adding" onSubmit={(event) => { event.preventDefault(); if (picked) add({session: shown, lap: String(picked.number)}); }}>
      <label><span>Session</span> <select id="of-session" value={shown} onChange={({currentTarget}) => { setSession(currentTarget.value); setLap(""); }}>
        {[...sessions.sessions].reverse().map(({id}) => <option key={id} value={id}>{about.get(id)}</option>)}
      </select></label>
      <label><span>Lap</span> <select id="lap-to-add" value={picked?.number ?? ""} disabled={free.length === 0} onChange={({currentTarget}) => setLap(currentTarget.value)}>
        {free.length === 0 && <option value="">{timed.length ? "all are shown" : "none is timed"}</option>}
        {free.map((one) => <option key={one.number} value={one.number}>{one.number}: {lapTime(one.time_s)}{one.number === best ? " (best)" : ""}{one.valid ? "" : `, ${one.why}`}</option>)}
      </select></label>
      <button type="submit" id="add-lap" disabled={!picked}>Add lap</button>
    </form>
  );
}
