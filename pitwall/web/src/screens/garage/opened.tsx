// One session: its laps, where it can be looked at, its notes, itself as a file; and what can be done to it.

import {useState} from "preact/hooks";

import {sessionPath, post, useAnswer, usePolled} from "../../api";
import type {Laps} from "../../laps";
import {duration, lapTime} from "../../numbers";
import {Refusal, useAct} from "../../parts/act";
import {link} from "../../route";
import type {OneSession} from "../../sessions";

const OFTEN_MS = 3000; // a note is in the log at once, and in what is shown of it a moment later
const FILES = {parquet: "Parquet", csv: "CSV", arrow: "Arrow", mcap: "MCAP"} as const;

interface Note {
  t: number;
  text: string;
  tags: string[];
}

export function Opened({session, done, again}: {session: OneSession; done: number; again: () => void}) {
  const {id} = session;
  return (
    <div class="opened">
      <p class="soft">{session.id} · {session.frames.toLocaleString()} frames on {session.buses.join(", ")}</p>
      <LapsOf id={id} when={`${done} ${session.state}`} />
      <p class="links">
        <a href={link("compare", {laps: `${id}:best`})}>Compare</a>
        <a href={link("corners", {session: id})}>Corners</a>
        <a href={link("track", {session: id})}>Track</a>
        <a href={link("coach", {session: id})}>Coach</a>
        <a href={link("replay", {session: id})}>Replay</a>
      </p>
      <p class="links">As a file:
        {Object.entries(FILES).map(([format, name]) => <a key={format} href={`${sessionPath(id)}/export?format=${format}`} download>{name}</a>)}
      </p>
      <Tags session={session} again={again} />
      <Notes id={id} />
      {session.state === "recording"
        ? <Sure ask="End this session …" what="The session ends now, and the next frame begins another." yes="End it" no="Let it go on" act={() => post(`${sessionPath(id)}/end`)} again={again} />
        : (
          <div class="row">
            <Archive id={id} />
            <Sure ask="Build anew …" what="What is shown of it is made again from its log; the log stays as it is." yes="Build it" no="Leave it" act={() => post("/rebuild", {session: id})} />
          </div>
        )}
    </div>
  );
}

function LapsOf({id, when}: {id: string; when: unknown}) {
  const answer = useAnswer<Laps>(`${sessionPath(id)}/laps`, when);
  const laps = answer.data;
  if (!laps) return answer.trouble ? <p class="soft">Laps: {answer.trouble.words}</p> : <p class="soft">…</p>;
  const timed = laps.laps.filter(({flying, time_s}) => flying && time_s !== null).length;
  if (timed === 0) return <p class="soft">{laps.stale ? "Laps: it is being rebuilt." : laps.complete ? "No timed laps." : "No timed laps yet."}</p>;
  const {lap, time_s: best, theoretical_s: theoretical} = laps.bests;
  return (
    <p>{timed} timed {timed === 1 ? "lap" : "laps"}{lap !== null && <>, best <a href={link("compare", {laps: `${id}:${lap}`})}>{lapTime(best)} (lap {lap})</a></>}
      {theoretical !== null && <span class="soft">, theoretical {lapTime(theoretical)}</span>}</p>
  );
}

// What the session is called by, so that it is found: the whole list is written at each change.
function Tags({session: {id, tags}, again}: {session: OneSession; again: () => void}) {
  const [text, setText] = useState("");
  const act = useAct();
  const write = async (next: string[]) => {
    if (!await act.run(() => post(`${sessionPath(id)}/tags`, {tags: next}))) return;
    setText("");
    again();
  };
  const add = () => {
    const more = text.split(",").map((tag) => tag.trim()).filter((tag) => tag && !tags.includes(tag));
    if (more.length > 0) void write([...tags, ...new Set(more)]);
  };
  return (
    <div class="tagging">
      <form class="row" onSubmit={(event) => { event.preventDefault(); add(); }}>
        <h3>Tags</h3>
        {tags.map((tag) => (
          <button key={tag} type="button" class="chip" disabled={act.busy} aria-label={`Take the tag ${tag} away`} onClick={() => void write(tags.filter((one) => one !== tag))}>
            {tag} <span aria-hidden="true">×</span>
          </button>
        ))}
        <label><span class="unseen">Another tag</span><input type="text" name="tag" placeholder="wet, test" size={10} value={text} onInput={({currentTarget}) => setText(currentTarget.value)} /></label>
        <button type="submit" disabled={act.busy || !text.trim()}>Tag it</button>
      </form>
      <Refusal trouble={act.trouble} />
    </div>
  );
}

function Notes({id}: {id: string}) {
  const answer = usePolled<{notes: Note[]}>(`${sessionPath(id)}/notes`, OFTEN_MS);
  const [text, setText] = useState("");
  const act = useAct();
  const write = async () => {
    if (!text.trim() || !await act.run(() => post(`${sessionPath(id)}/notes`, {text: text.trim()}))) return;
    setText("");
    answer.again();
  };
  return (
    <div class="notes">
      <form class="row" onSubmit={(event) => { event.preventDefault(); void write(); }}>
        <h3>Notes</h3>
        <label class="grow"><span class="unseen">A note</span><input type="text" name="note" placeholder="New tyres, 1.8 bar" value={text} onInput={({currentTarget}) => setText(currentTarget.value)} /></label>
        <button type="submit" disabled={act.busy || !text.trim()}>Write it down</button>
      </form>
      <Refusal trouble={act.trouble} />
      {answer.trouble && <p class="soft">Notes: {answer.trouble.words}</p>}
      <ul>
        {answer.data?.notes.map((note, i) => (
          <li key={i}><span class="soft">{duration(note.t / 1e9)} in:</span> {note.text} {note.tags.map((tag) => <span key={tag} class="chip">{tag}</span>)}</li>
        ))}
      </ul>
    </div>
  );
}

function Archive({id}: {id: string}) {
  const {data} = useAnswer<{to: string | null}>("/archive");
  if (!data) return null;
  if (data.to === null) return <p class="soft">To archive it: <code>pitwall archive {id} --to PLACE</code>, or start the server with <code>--archive-to PLACE</code>.</p>;
  return <Sure ask="Archive …" what={`Copied to ${data.to}, each byte read back, then removed here.`} yes="Archive it" no="Keep it here" act={() => post(`${sessionPath(id)}/archive`)} />;
}

// Asked twice, for it is more than a look.
function Sure({ask, what, yes, no, act, again}: {ask: string; what: string; yes: string; no: string; act: () => Promise<unknown>; again?: () => void}) {
  const [sure, setSure] = useState(false);
  const {busy, trouble, run} = useAct();
  const done = async () => {
    if (!await run(act)) return;
    setSure(false);
    again?.();
  };
  return (
    <div class="row">
      {sure ? (
        <>
          <span>{what}</span>
          <button type="button" class="main" disabled={busy} onClick={() => void done()}>{yes}</button>
          <button type="button" onClick={() => setSure(false)}>{no}</button>
        </>
      ) : <button type="button" onClick={() => setSure(true)}>{ask}</button>}
      <Refusal trouble={trouble} />
    </div>
  );
}
