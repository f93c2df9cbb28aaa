// What to work on before driving, what changed after it, and an answer to a question: who says it, and the plot behind it.

import "./coach.css";

import {signal} from "@preact/signals";
import type {ComponentChildren} from "preact";
import {useEffect, useRef, useState} from "preact/hooks";

import {advise, type Advice, type Figure, type Link, type Point} from "../advice";
import {query, Trouble} from "../api";
import {canSpeak, say} from "../cue";
import {live} from "../live/live";
import {digits, lapTime, number, shown} from "../numbers";
import {choose, link, route} from "../route";
import {sessionName, useSessions, type OneSession} from "../sessions";
import {LEVELS, level} from "../settings";
import {NoSession} from "./signals";

const LONGEST = 500; // characters of a question: the API takes no more
const KEPT = 30; // questions of this visit
const BEFORE_M = 150; // of what a claim is about, so that one sees how it came about
const BEHIND_M = 250;
const TALKS = {debrief: "Debrief: after driving", brief: "Brief: before driving"} as const;
type Talk = keyof typeof TALKS;

const SUGGESTED = [
  "Where do I lose the most?", "What is my fastest lap?", "How consistent am I?", "What is the theoretical best?", "How hot did it get?",
  "Did anything go wrong?", "Where was the top speed?", "How much fuel did a lap take?",
] as const;

export function Coach() {
  const {data} = useSessions();
  const {query: chosen} = route.value;
  const known = [...(data?.sessions ?? [])].reverse();
  const session = chosen.get("session") ?? live.session.value ?? known[0]?.id ?? null;
  if (session === null) return data ? <NoSession /> : null;
  const talk: Talk = chosen.get("talk") === "brief" ? "brief" : "debrief";
  const against = chosen.get("against") ?? "";
  const of = {session, level: level.value, stream: true};
  const others = known.filter(({id}) => id !== session);
  // a lap that has ended may change what there is to say
  const when = session === live.session.value ? live.lap.value : null;
  return (
    <div class="coach">
      <div class="row">
        <h1>Coach</h1>
        <Pick label="Session" value={session} sessions={known} onPick={(id) => choose({session: id, against: null})} />
        <label>For a driver who is <select value={level.value} onChange={({currentTarget}) => { level.value = currentTarget.value as typeof level.value; }}>
          {LEVELS.map((one) => <option key={one} value={one}>{one}</option>)}
        </select></label>
      </div>
      <div class="halves">
        <section class="card talk" aria-labelledby="talk">
          <h2 id="talk" class="unseen">{TALKS[talk]}</h2>
          <div class="row">
            <div class="either" role="group" aria-label="What the coach tells">
              {(Object.keys(TALKS) as Talk[]).map((one) => (
                <button key={one} type="button" aria-pressed={one === talk} onClick={() => choose({talk: one})}>{TALKS[one]}</button>
              ))}
            </div>
            {talk === "debrief" && others.length > 0 && (
              <Pick label="Held against" value={against} sessions={others} none="its own beginning" onPick={(id) => choose({against: id || null})} />
            )}
          </div>
          <Told key={`${talk} ${session}`} path={`/coach/${talk}${query({...of, against: talk === "debrief" && against ? against : null})}`} when={when} />
        </section>
        <Asking session={session} />
      </div>
    </div>
  );
}

function Pick({label, value, sessions, none, onPick}:
  {label: string; value: string; sessions: readonly OneSession[]; none?: string; onPick: (id: string) => void}) {
  const there = none !== undefined && value === "" || sessions.some(({id}) => id === value);
  return (
    <label>{label} <select value={value} onChange={({currentTarget}) => onPick(currentTarget.value)}>
      {none !== undefined && <option value="">{none}</option>}
      {!there && <option value={value}>{value}</option>}
      {sessions.map((one) => <option key={one.id} value={one.id}>{sessionName(one)}</option>)}
    </select></label>
  );
}

// A brief or a debrief, as it comes; what was there stays until the new one is.
function Told({path, when}: {path: string; when: unknown}) {
  const [advice, setAdvice] = useState<Advice | null>(null);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [asked, setAsked] = useState(0);
  useEffect(() => {
    const leaving = new AbortController();
    setTrouble(null);
    advise(path, null, setAdvice, leaving.signal).catch((error: unknown) => { if (error instanceof Trouble) setTrouble(error); });
    return () => leaving.abort();
  }, [path, when, asked]);
  return (
    <>
      {trouble && <Refused trouble={trouble} again={() => setAsked((times) => times + 1)} />}
      {advice ? <Whole advice={advice} /> : !trouble && <p class="soft waiting" role="status">The laps are looked at …</p>}
    </>
  );
}

function Refused({trouble, again}: {trouble: Trouble; again: () => void}) {
  return (
    <p class="banner bad" role="alert">
      {trouble.status === 429 && "Asked too often. "}{trouble.message}
      {trouble.hint && <span class="hint"> {trouble.hint}</span>}
      <button type="button" onClick={again}>Ask again</button>
    </p>
  );
}

function Whole({advice}: {advice: Advice}) {
  const points = advice.points ?? [];
  return (
    <>
      <Words advice={advice}>{advice.words || "There is nothing to say yet: no timed laps."}</Words>
      {advice.kind === "debrief" && advice.best_lap !== null && advice.best_lap !== undefined && (
        <p class="soft">Of {advice.laps} {advice.laps === 1 ? "lap" : "laps"} that count the best is{" "}
          <a href={link("compare", {laps: `${advice.session}:${advice.best_lap}`})}>lap {advice.best_lap}, {lapTime(advice.best_s)}</a>.</p>
      )}
      {points.length > 0 && (
        <ol class="points" aria-label="What to work on">
          {points.map((point) => <OnePoint key={`${point.rule} ${point.where}`} point={point} best={advice.best_lap ?? null} />)}
        </ol>
      )}
      {(advice.changes?.length ?? 0) > 0 && (
        <>
          <h2>What changed</h2>
          <ul class="changes">{advice.changes?.map(({words}) => <li key={words}>{words}</li>)}</ul>
        </>
      )}
      {(advice.sessions?.length ?? 0) > 0 && <p class="soft">From {advice.sessions?.length === 1 ? "one session" : `${advice.sessions?.length} sessions`} of this car.</p>}
    </>
  );
}

// What is said, and by whom.
function Words({advice, children}: {advice: Advice; children: ComponentChildren}) {
  return (
    <>
      <p class="words" aria-live="polite">{children}</p>
      <p class="who" data-source={advice.source}>
        <Who advice={advice} />
        {canSpeak && <button type="button" class="quiet" onClick={() => say(advice.words)}>Read it out</button>}
      </p>
      {advice.stale && <p class="soft">It stands on what an older pipeline made; the session is being rebuilt.</p>}
    </>
  );
}

function Who({advice}: {advice: Advice}) {
  if (advice.source === "model" && advice.pending) return <span>The model is writing; each number is checked before it is shown.</span>;
  if (advice.source === "model") return <span>Worded by the model, every number checked.</span>;
  if (advice.pending) return <span>By the rules; the model is still writing.</span>;
  return <span>By the rules{advice.why && ` (${advice.why})`}.</span>;
}

function OnePoint({point, best}: {point: Point; best: number | null}) {
  const first = point.links[0];
  return (
    <li class="point">
      <h3>{point.where || first?.corner || (first ? `Lap ${first.lap}` : "Everywhere")}{(point.worth_s ?? 0) >= 0.005 && <span class="worth">{point.worth_s?.toFixed(2)} s a lap</span>}</h3>
      <p>{point.words}</p>
      <Figures figures={point.figures} at={() => (first ? plot(point.session, first, best) : null)} />
      <p class="links">
        {point.links.map((one) => (
          <a key={one.lap} href={plot(point.session, one, best)}>
            {best === one.lap ? `Lap ${one.lap}, the best` : `Lap ${one.lap} beside the best`}{one.corner && `, ${one.corner}`}
          </a>
        ))}
      </p>
    </li>
  );
}

// Numbers that it stands on: each leads to where it can be seen.
function Figures({figures, at}: {figures: readonly Figure[]; at: (figure: Figure) => string | null}) {
  if (figures.length === 0) return null;
  return (
    <ul class="figures" aria-label="What it stands on">
      {figures.map((figure, i) => {
        const where = at(figure);
        const told = <>{figureName(figure)} <b>{figureText(figure)}</b>{figure.usual !== null && figure.usual !== undefined && <> at your best {figureText({...figure, value: figure.usual})}</>}</>;
        return <li key={i}>{where ? <a class="chip" href={where}>{told}</a> : <span class="chip">{told}</span>}</li>;
      })}
    </ul>
  );
}

function figureName(figure: Figure): string {
  const name = figure.name.replaceAll("_", " ");
  return figure.corner ? `${figure.corner} ${name}` : name;
}

function figureText({name, value, unit}: Figure): string {
  if (value === null) return "–";
  if (name.endsWith("lap_time")) return lapTime(value);
  const {factor, offset, places, unit: said} = shown(unit);
  const v = value * factor + offset;
  return `${number(v, places ?? digits(unit, Math.abs(v), Number.isInteger(v)))} ${said}`.trim();
}

// The plot that shows it: the lap against the best one, around the place.
function plot(session: string, {lap, distance_m: at}: Link, best: number | null): string {
  const around = at ? {from: Math.max(0, Math.round(at - BEFORE_M)), to: Math.round(at + BEHIND_M)} : {};
  return link("compare", {laps: best === lap ? `${session}:${lap}` : `${session}:best,${session}:${lap}`, ...around});
}

interface Question {
  id: number;
  session: string;
  asked: string;
  advice: Advice | null;
  trouble: Trouble | null;
  over: boolean;
}

// Of this visit, the newest first; they go on while one looks at another screen.
const questions = signal<readonly Question[]>([]);
let asked = 0;

function change(id: number, changes: Partial<Question>): void {
  questions.value = questions.value.map((one) => (one.id === id ? {...one, ...changes} : one));
}

async function ask(session: string, question: string): Promise<void> {
  const id = ++asked;
  questions.value = [{id, session, asked: question, advice: null, trouble: null, over: false}, ...questions.value].slice(0, KEPT);
  try {
    await advise("/coach/ask", {question, session, level: level.peek(), stream: true}, (advice) => change(id, {advice}), new AbortController().signal);
    change(id, {over: true});
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    change(id, {trouble: error, over: true});
  }
}

function Asking({session}: {session: string}) {
  const [text, setText] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const put = (question: string) => {
    const said = question.trim();
    if (said) void ask(session, said);
  };
  return (
    <section class="card asking" aria-labelledby="ask">
      <h2 id="ask">Ask</h2>
      <form class="row" onSubmit={(event) => { event.preventDefault(); put(text); setText(""); field.current?.focus(); }}>
        <label class="grow"><span class="unseen">A question about this session</span>
          <input ref={field} type="text" maxLength={LONGEST} placeholder="Where do I lose the most?" value={text} onInput={({currentTarget}) => setText(currentTarget.value)} />
        </label>
        <button type="submit" class="main" disabled={!text.trim()}>Ask</button>
      </form>
      <div class="suggested" role="group" aria-label="Questions to begin with">
        {SUGGESTED.map((one) => <button key={one} type="button" onClick={() => put(one)}>{one}</button>)}
      </div>
      <ol class="questions" aria-label="What was asked in this visit">
        {questions.value.map((one) => <OneQuestion key={one.id} question={one} />)}
      </ol>
    </section>
  );
}

function OneQuestion({question: {session, asked: text, advice, trouble, over}}: {question: Question}) {
  const links = advice?.links ?? [];
  const figures = (Array.isArray(advice?.figures) ? advice.figures : []) as (Figure & {lap?: number | null})[];
  const at = (figure: Figure & {lap?: number | null}) => {
    const there = links.find(({corner}) => figure.corner && corner === figure.corner) ??
      (figure.lap ? {lap: figure.lap, corner: null, distance_m: null} : null);
    if (there) return plot(session, there, null);
    const channel = figure.name.split(" ")[0] as string;
    return session === live.session.value && live.channels.value.has(channel) ? link("signals", {find: channel}) : null;
  };
  return (
    <li class="question">
      <h3>{text}</h3>
      {trouble && <Refused trouble={trouble} again={() => void ask(session, text)} />}
      {advice ? <Words advice={advice}>{advice.words}</Words> : !over && <p class="soft waiting" role="status">…</p>}
      {advice && <Figures figures={figures} at={at} />}
      {links.length > 0 && (
        <p class="links">{links.map((one, i) => (
          <a key={i} href={plot(one.session ?? session, one, null)}>Lap {one.lap}{one.corner && `, ${one.corner}`}</a>
        ))}</p>
      )}
    </li>
  );
}
