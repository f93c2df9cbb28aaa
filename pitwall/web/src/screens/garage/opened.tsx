// One session: its laps, where it can be looked at, its notes, itself as a file; and what can be done to it.

import {useState} from "preact/hooks";

import {post, useAnswer} from "../../api";
import type {Laps} from "../../laps";
import {lapTime} from "../../numbers";
import {Refusal, useAct} from "../../parts/act";
import {Trouble} from "../../parts/trouble";
import {link} from "../../route";
import {pathOf, type OneSession} from "../../sessions";

const FILES = {parquet: "Parquet", csv: "CSV", arrow: "Arrow", mcap: "MCAP"} as const;

interface Note {
  t: number;
  text: string;
  tags: string[];
}

export function Opened({session}: {session: OneSession}) {
  const {id} = session;
  return (
    <div class="opened">
      <p class="soft">{session.id} · {session.frames.toLocaleString()} frames on {session.buses.join(", ")}</p>
      <LapsOf id={id} />
      <p class="links">
        <a href={link("compare", {laps: `${id}:best`})}>Compare</a>
        <a href={link("corners", {session: id})}>Corners</a>
        <a href={link("track", {session: id})}>Track</a>
        <a href={link("coach", {session: id})}>Coach</a>
        <a href={link("replay", {session: id})}>Replay</a>
      </p>
      <p class="links">As a file:
        {Object.entries(FILES).map(([format, name]) => <a key={format} href={`${pathOf(id)}/export?format=${format}`} download>{name}</a>)}
      </p>
      <Notes id={id} />
      {session.state === "recording" && <End id={id} />}
    </div>
  );
}

function LapsOf({id}: {id: string}) {
  const answer = useAnswer<Laps>(`${pathOf(id)}/laps`);
  const laps = answer.data;
  if (!laps) return answer.trouble ? <p class="soft">Laps: {answer.trouble.words}</p> : <p class="soft">…</p>;
  const timed = laps.laps.filter(({flying, time_s}) => flying && time_s !== null).length;
  if (timed === 0) return <p class="soft">No timed laps.</p>;
  const {lap, time_s: best, theoretical_s: theoretical} = laps.bests;
  return (
    <p>{timed} timed {timed === 1 ? "lap" : "laps"}{lap !== null && <>, best <a href={link("compare", {laps: `${id}:${lap}`})}>{lapTime(best)} (lap {lap})</a></>}
      {theoretical !== null && <span class="soft">, theoretical {lapTime(theoretical)}</span>}</p>
  );
}

function Notes({id}: {id: string}) {
  const answer = useAnswer<{notes: Note[]}>(`${pathOf(id)}/notes`);
  const [text, setText] = useState("");
  const [tags, setTags] = useState("");
  const act = useAct();
  const write = async () => {
    const said = {text: text.trim(), tags: tags.split(",").map((tag) => tag.trim()).filter(Boolean)};
    if (!said.text || !await act.run(() => post(`${pathOf(id)}/notes`, said))) return;
    setText("");
    setTags("");
    answer.again();
  };
  return (
    <div class="notes">
      <h3>Notes</h3>
      {answer.trouble?.status !== 503 && <Trouble answer={answer} />}
      <ul>
        {answer.data?.notes.map((note, i) => (
          <li key={i}>{note.text} {note.tags.map((tag) => <span key={tag} class="chip">{tag}</span>)}</li>
        ))}
      </ul>
      <form class="row" onSubmit={(event) => { event.preventDefault(); void write(); }}>
        <label class="grow"><span class="unseen">A note</span><input type="text" placeholder="A note: new tyres, 1.8 bar" value={text} onInput={({currentTarget}) => setText(currentTarget.value)} /></label>
        <label><span class="unseen">Tags, with commas between</span><input type="text" placeholder="Tags: wet, test" value={tags} onInput={({currentTarget}) => setTags(currentTarget.value)} /></label>
        <button type="submit" disabled={act.busy || !text.trim()}>Write it down</button>
      </form>
      <Refusal trouble={act.trouble} />
    </div>
  );
}

// Asked twice, for it can't be taken back: the next frame begins another session.
function End({id}: {id: string}) {
  const [sure, setSure] = useState(false);
  const act = useAct();
  return (
    <div class="row">
      {sure ? (
        <>
          <span>The session ends now, and the next frame begins another.</span>
          <button type="button" class="main" disabled={act.busy} onClick={() => void act.run(() => post(`${pathOf(id)}/end`)).then(() => setSure(false))}>End it</button>
          <button type="button" onClick={() => setSure(false)}>Let it go on</button>
        </>
      ) : <button type="button" onClick={() => setSure(true)}>End this session …</button>}
      <Refusal trouble={act.trouble} />
    </div>
  );
}
