// The sessions, newest first, found by words, car or tag; and captures that become some, dropped here or picked.

import {useEffect, useState} from "preact/hooks";

import {query, useAnswer, usePolled} from "../../api";
import {live} from "../../live/live";
import {bytes, duration, moment} from "../../numbers";
import {Empty, Trouble} from "../../parts/trouble";
import {choose, route} from "../../route";
import type {OneSession, Sessions} from "../../sessions";
import {upload} from "../../uploads";
import {Archived} from "./archived";
import {Opened} from "./opened";

const OFTEN_MS = 5000;
const MOST = 100; // rows at once; more come when they are asked for

const STATES: Record<string, [words: string, mark: string, tone: string]> = {
  recording: ["recording", "●", "good"], ended: ["ended", "■", "soft"], interrupted: ["broke off", "▲", "warn"],
};

export function Recorded({done}: {done: number}) {
  const {query: said} = route.value;
  const find = said.get("find") ?? "";
  const car = said.get("car") ?? "";
  const tag = said.get("tag") ?? "";
  const open = said.get("session");
  const answer = usePolled<Sessions>(`/sessions${query({find: find || null, car: car || null, tag: tag || null})}`, OFTEN_MS);
  const all = useAnswer<Sessions>("/sessions", answer.data);
  useEffect(() => answer.again(), [done, live.session.value, live.status.value.state]);
  const [most, setMost] = useState(MOST);
  const [over, setOver] = useState(false);
  const [into, setInto] = useState("");
  const found = [...(answer.data?.sessions ?? [])].reverse();
  const of = answer.data?.of ?? 0;
  const known = all.data?.sessions ?? [];
  return (
    <div class={over ? "shelf over" : "shelf"}
      onDragOver={(event) => { event.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)}
      onDrop={(event) => { event.preventDefault(); setOver(false); take(event.dataTransfer?.files, into); }}>
      <Bring onCar={setInto} open={of === 0 && answer.data !== null} />
      <section class="card" aria-labelledby="recorded">
        <div class="row">
          <h2 id="recorded">Sessions <span id="found" class="soft">{found.length === of ? of : `${found.length} of ${of}`}</span></h2>
          <label class="find"><span class="unseen">Find a session</span>
            <input id="find" type="search" placeholder="Find by name, tag or note" value={find} onInput={({currentTarget}) => choose({find: currentTarget.value || null})} />
          </label>
          <Filter label="Car" name="car" value={car} values={known.map((one) => one.car)} />
          <Filter label="Tag" name="tag" value={tag} values={known.flatMap(({tags}) => tags)} />
        </div>
        <Trouble answer={answer} />
        {answer.data && of === 0 && (
          <Empty title="Nothing was recorded yet"><p>Record with <code>pitwall run</code>, or bring a capture in above.</p></Empty>
        )}
        {of > 0 && found.length === 0 && <p class="soft">No session is like that.</p>}
        <ul class="sessions">
          {found.slice(0, most).map((one) => <Row key={one.id} one={one} open={one.id === open} done={done} again={answer.again} />)}
        </ul>
        {found.length > most && <button type="button" onClick={() => setMost(most + MOST)}>Show {Math.min(MOST, found.length - most)} more</button>}
      </section>
      <Archived when={done} />
    </div>
  );
}

function Filter({label, name, value, values}: {label: string; name: string; value: string; values: readonly string[]}) {
  const there = [...new Set(value ? [...values, value] : values)].sort();
  if (there.length === 0) return null;
  return (
    <label>{label} <select id={name} value={value} onChange={({currentTarget}) => choose({[name]: currentTarget.value || null})}>
      <option value="">any</option>
      {there.map((one) => <option key={one} value={one}>{one}</option>)}
    </select></label>
  );
}

function Row({one, open, done, again}: {one: OneSession; open: boolean; done: number; again: () => void}) {
  const [words, mark, tone] = STATES[one.state] ?? [one.state, "?", "warn"];
  return (
    <li class="one" data-session={one.id}>
      <button type="button" class="head quiet" aria-expanded={open} onClick={() => choose({session: open ? null : one.id})}>
        <span class="when">{moment(one.started_at)}</span>
        <span class="car">{one.car}</span>
        <span class="tags">
          {one.tags.map((tag) => <span key={tag} class="chip">{tag}</span>)}
          {one.notes > 0 && <span class="soft"><span aria-hidden="true">✎ {one.notes}</span><span class="unseen">{one.notes} notes</span></span>}
        </span>
        <span class={`how ${tone}`}><span aria-hidden="true">{mark}</span> {words}</span>
        <span class="long">{duration(one.duration_s)}</span>
        <span class="size soft">{bytes(one.bytes)}</span>
      </button>
      {open && <Opened session={one} done={done} again={again} />}
    </li>
  );
}

function take(files: FileList | null | undefined, car: string): void {
  for (const file of files ?? []) if (car) upload(file, car);
}

// Captures, dropped anywhere or picked: each becomes a session of the car that is chosen.
function Bring({open, onCar}: {open: boolean; onCar: (car: string) => void}) {
  const {data} = useAnswer<{cars: {name: string; valid: boolean}[]}>("/cars");
  const [chosen, setChosen] = useState("");
  const cars = data?.cars ?? [];
  const car = chosen || cars.find(({name}) => name === live.car.value)?.name || cars[0]?.name || "";
  useEffect(() => onCar(car), [car]);
  return (
    <details class="card bring" open={open}>
      <summary>Bring captures in <span class="soft">(or drop them on this page)</span></summary>
      <div class="row">
        <label>of the car <select id="bring-car" value={car} onChange={({currentTarget}) => setChosen(currentTarget.value)}>
          {cars.map(({name}) => <option key={name} value={name}>{name}</option>)}
        </select></label>
        <label class="pick">
          <input id="bring-files" type="file" multiple onChange={({currentTarget}) => { take(currentTarget.files, car); currentTarget.value = ""; }} />
          <span>Choose files</span>
        </label>
      </div>
      <p class="soft">candump, BLF, ASC, TRC, MF4, VBO, NMEA, CSV …, gzipped or not, 1 GiB at most.</p>
    </details>
  );
}
