// The sessions, newest first, found by words, car or tag; and captures that become some, dropped here or picked.

import {useEffect, useState} from "preact/hooks";

import {useAnswer, usePolled} from "../../api";
import {live} from "../../live/live";
import {bytes, duration, moment} from "../../numbers";
import {Empty, Trouble} from "../../parts/trouble";
import {choose, route} from "../../route";
import type {OneSession, Sessions} from "../../sessions";
import {upload} from "../../uploads";
import {Opened} from "./opened";

const OFTEN_MS = 5000;
const MOST = 100; // rows at once; more come when they are asked for

export const STATES: Record<string, [words: string, mark: string, tone: string]> = {
  recording: ["recording", "●", "good"], ended: ["ended", "■", "soft"], interrupted: ["broke off", "▲", "warn"], archived: ["archived", "⇪", "soft"],
};

export function Recorded({done}: {done: number}) {
  const answer = usePolled<Sessions>("/sessions", OFTEN_MS);
  useEffect(() => answer.again(), [done, live.session.value, live.status.value.state]);
  const [most, setMost] = useState(MOST);
  const {query} = route.value;
  const find = query.get("find") ?? "";
  const car = query.get("car") ?? "";
  const open = query.get("session");
  const all = [...(answer.data?.sessions ?? [])].reverse();
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (one: OneSession) => {
    const text = `${one.id} ${one.car} ${moment(one.started_at)} ${one.state} ${one.buses.join(" ")}`.toLowerCase();
    return (!car || one.car === car) && words.every((word) => text.includes(word));
  };
  const found = all.filter(fits);
  const cars = [...new Set(all.map((one) => one.car))].sort();
  return (
    <>
      <Bring />
      <section class="card" aria-labelledby="recorded">
        <div class="row">
          <h2 id="recorded">Sessions <span id="found" class="soft">{found.length === all.length ? all.length : `${found.length} of ${all.length}`}</span></h2>
          <label class="find"><span class="unseen">Find a session</span>
            <input id="find" type="search" placeholder="Find a session" value={find} onInput={({currentTarget}) => choose({find: currentTarget.value || null})} />
          </label>
          <label>Car <select value={car} onChange={({currentTarget}) => choose({car: currentTarget.value || null})}>
            <option value="">any</option>
            {cars.map((one) => <option key={one} value={one}>{one}</option>)}
          </select></label>
        </div>
        <Trouble answer={answer} />
        {answer.data && all.length === 0 && (
          <Empty title="Nothing was recorded yet"><p>Record with <code>pitwall run</code>, or bring a capture in above.</p></Empty>
        )}
        {all.length > 0 && found.length === 0 && <p class="soft">No session is like that.</p>}
        <ul class="sessions">
          {found.slice(0, most).map((one) => <Row key={one.id} one={one} open={one.id === open} />)}
        </ul>
        {found.length > most && <button type="button" onClick={() => setMost(most + MOST)}>Show {Math.min(MOST, found.length - most)} more</button>}
      </section>
    </>
  );
}

function Row({one, open}: {one: OneSession; open: boolean}) {
  const [words, mark, tone] = STATES[one.state] ?? [one.state, "?", "warn"];
  return (
    <li class="one" data-session={one.id}>
      <button type="button" class="head quiet" aria-expanded={open} onClick={() => choose({session: open ? null : one.id})}>
        <span class="when">{moment(one.started_at)}</span>
        <span class="car">{one.car}</span>
        <span class={`how ${tone}`}><span aria-hidden="true">{mark}</span> {words}</span>
        <span class="long">{duration(one.duration_s)}</span>
        <span class="size soft">{bytes(one.bytes)}</span>
      </button>
      {open && <Opened session={one} />}
    </li>
  );
}

// Captures, dropped or picked: each becomes a session of the car that is chosen.
function Bring() {
  const {data} = useAnswer<{cars: {name: string; valid: boolean}[]}>("/cars");
  const [chosen, setChosen] = useState("");
  const [over, setOver] = useState(false);
  const cars = data?.cars ?? [];
  const car = chosen || cars.find(({name}) => name === live.car.value)?.name || cars[0]?.name || "";
  const take = (files: FileList | null | undefined) => {
    for (const file of files ?? []) upload(file, car);
  };
  return (
    <section class={over ? "card bring over" : "card bring"} aria-labelledby="bring"
      onDragOver={(event) => { event.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)}
      onDrop={(event) => { event.preventDefault(); setOver(false); take(event.dataTransfer?.files); }}>
      <h2 id="bring">Bring captures in</h2>
      <div class="row">
        <label>of the car <select id="bring-car" value={car} onChange={({currentTarget}) => setChosen(currentTarget.value)}>
          {cars.map(({name}) => <option key={name} value={name}>{name}</option>)}
        </select></label>
        <label class="pick">
          <input id="bring-files" type="file" multiple onChange={({currentTarget}) => { take(currentTarget.files); currentTarget.value = ""; }} />
          <span>Choose files, or drop them here</span>
        </label>
      </div>
      <p class="soft">candump, BLF, ASC, TRC, MF4, VBO, NMEA, CSV …, gzipped or not, 1 GiB at most.</p>
    </section>
  );
}
