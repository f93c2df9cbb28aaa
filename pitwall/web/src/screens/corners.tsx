// One lap held against another, corner by corner: where the time is, what was done differently there, and how alike the
// laps are. The first three say it in words; each opens its traces.

import "./corners.css";

import {useMemo} from "preact/hooks";

import {query, sessionPath, useAnswer, type Answer} from "../api";
import {compared, comparedAcross, figure, joined, PARTS, reason, spread, type Cornering, type Found} from "../corners";
import type {Lap, Laps} from "../laps";
import {live, sid} from "../live/live";
import {delta, lapTime, moment, number, shown} from "../numbers";
import {Empty, Trouble} from "../parts/trouble";
import {choose, link, route} from "../route";
import {useSections, type Section} from "../sections";
import {useSessions} from "../sessions";

const WORTH_S = 0.02; // less is within what a position tells
const PLACES = 3; // as many as a driver keeps in mind
const COUNTS = ["", "One place", "Two places", "Three places"];

interface Column {
  title: string;
  figure: string;
  unit: string; // the API's
  hint: string;
}

// As they come along the track.
const COLUMNS: readonly Column[] = [
  {title: "Brake point", figure: "brake_m", unit: "m", hint: "metres before the apex"},
  {title: "Entry speed", figure: "entry_mps", unit: "m/s", hint: "where the car has turned in"},
  {title: "Min speed", figure: "min_mps", unit: "m/s", hint: "at the slowest point"},
  {title: "Apex", figure: "apex_off_m", unit: "m", hint: "metres outside of the best lap's path"},
  {title: "Throttle on", figure: "throttle_m", unit: "m", hint: "metres behind the apex"},
  {title: "Exit speed", figure: "exit_mps", unit: "m/s", hint: "at the corner's end"},
];

export function Corners() {
  const {query: said} = route.value;
  const session = said.get("session") ?? sid();
  const mine = useMeasured(session);
  const {laps, rows, measured} = mine;

  // of which session the lap is that it is held against: it may be another's, as `/compare` takes it
  const wanted = said.get("ref");
  const last = measured.at(-1);
  const ever = useAnswer<Against>(wanted === EVER && last ? `${sessionPath(session)}/compare${query({lap: last.number, reference: EVER})}` : null);
  const [of, name] = wanted === EVER ? [ever.data?.reference.session, ever.data?.reference.number] : parted(wanted);
  const other = of !== undefined && of !== laps.data?.session ? of : null;
  const theirs = useMeasured(other);
  const those = other ? theirs.measured : measured;
  const reference = picked(those, String(name)) ?? (wanted !== EVER && (other === null || name === "best") ? quickest(those) : undefined);
  const lap = picked(measured, said.get("lap")) ?? measured.filter((one) => one !== reference).at(-1);
  const may = useAnswer<Against>(other && lap && reference ? `${sessionPath(session)}/compare${query({lap: lap.number, reference: `${other}:${reference.number}`})}` : null);

  const all = useSessions();
  const when = all.data?.sessions.find(({id}) => id === other)?.started_at;
  const sections = useSections(other ?? laps.data?.session);
  const asked: Answer<unknown>[] = [laps, mine.corners, ever, theirs.laps, theirs.corners, may];
  const wrong = asked.find(({trouble}) => trouble);
  const asks = rows === undefined || (wanted === EVER && last && !ever.data) || (other && theirs.rows === undefined) || (other && lap && reference && !may.data);
  return (
    <div class="corners">
      <div class="row">
        <h1>Corners</h1>
        <Choosing session={laps.data?.session ?? session} wanted={wanted} other={other} measured={measured} those={those} lap={lap} reference={reference} />
      </div>
      {wrong && <Trouble answer={wrong} />}
      {asks && !wrong && <p class="soft" role="status">looking for laps…</p>}
      {!asks && !wrong && (!lap || !reference) && <Empty title={other ? "There is no such lap" : "Two laps are needed"}>
        <p>A corner is measured on each flying lap that can be trusted; as soon as there are two, they are held against each other here.</p>
      </Empty>}
      {!asks && !wrong && lap && reference && laps.data && rows && (
        <Held laps={laps.data} rows={rows} measured={measured} lap={lap} sections={sections}
          against={{session: other ?? laps.data.session, lap: reference, rows: other ? theirs.rows ?? null : null, words: `lap ${reference.number}${other ? ` of ${when ? moment(when) : other}` : ""}`}} />
      )}
    </div>
  );
}

const EVER = "ever"; // the best of this car on this track, of all sessions

interface Against { // of `/compare`'s answer
  reference: {session: string; number: number};
}

interface Measured {
  laps: Answer<Laps>;
  corners: Answer<{session: string; corners: Cornering[]}>;
  rows: readonly Cornering[] | undefined; // undefined: not there yet
  measured: readonly Lap[]; // those that it has corners of
}

function useMeasured(session: string | null): Measured {
  const at = session === null ? null : sessionPath(session);
  const laps = useAnswer<Laps>(at && `${at}/laps`, live.lap.value);
  const corners = useAnswer<{session: string; corners: Cornering[]}>(at && `${at}/corners`, live.lap.value);
  const rows = laps.data && corners.data?.session === laps.data.session ? corners.data.corners : undefined;
  const measured = useMemo(() => {
    const numbers = new Set(rows?.map(({lap}) => lap));
    return (laps.data?.laps ?? []).filter(({number}) => numbers.has(number));
  }, [laps.data, rows]);
  return {laps, corners, rows, measured};
}

// "SESSION:LAP", or "LAP" of the session itself.
function parted(ref: string | null): [string | undefined, string | undefined] {
  const at = ref?.lastIndexOf(":") ?? -1;
  return at < 0 ? [undefined, ref ?? undefined] : [ref?.slice(0, at), ref?.slice(at + 1)];
}

const quickest = (laps: readonly Lap[]) => laps.reduce<Lap | undefined>((one, other) => (one && (one.time_s as number) <= (other.time_s as number) ? one : other), undefined);

function picked(laps: readonly Lap[], asked: string | null): Lap | undefined {
  return laps.find(({number}) => String(number) === asked);
}

interface Choices {
  session: string;
  wanted: string | null;
  other: string | null; // the session of the lap that it is held against, if it is not this one
  measured: readonly Lap[];
  those: readonly Lap[];
  lap: Lap | undefined;
  reference: Lap | undefined;
}

function Choosing({session, wanted, other, measured, those, lap, reference}: Choices) {
  const all = useSessions();
  const sessions = [...all.data?.sessions ?? []].reverse();
  const option = (one: Lap, best: Lap | undefined) => <option key={one.number} value={one.number}>{one.number}: {lapTime(one.time_s)}{one === best ? " (best)" : ""}</option>;
  const hold = (ref: string) => choose({ref: other ? `${other}:${ref}` : ref, ...(!other && Number(ref) === lap?.number ? {lap: null} : {})});
  return (
    <div class="row choosing">
      <label><span>Session</span> <select id="session-shown" value={session} onChange={({currentTarget}) => choose({session: currentTarget.value, lap: null, ref: null})}>
        {sessions.map(({id, car, started_at}) => <option key={id} value={id}>{moment(started_at)} {car}</option>)}
      </select></label>
      <label><span>Lap</span> <select id="lap-shown" value={lap?.number} disabled={!lap} onChange={({currentTarget}) => choose({lap: currentTarget.value})}>
        {measured.filter((one) => one !== reference).map((one) => option(one, quickest(measured)))}
      </select></label>
      <label><span>against</span> <select id="session-against" value={wanted === EVER ? EVER : other ?? ""} onChange={({currentTarget: {value}}) => choose({ref: value === EVER ? EVER : value ? `${value}:best` : null})}>
        <option value="">this session's</option>
        <option value={EVER}>the best ever</option>
        {sessions.filter(({id}) => id !== session).map(({id, car, started_at}) => <option key={id} value={id}>{moment(started_at)} {car}</option>)}
      </select></label>
      {wanted !== EVER && <label><span>lap</span> <select id="lap-against" value={reference?.number} disabled={!reference} onChange={({currentTarget}) => hold(currentTarget.value)}>
        {those.map((one) => option(one, quickest(those)))}
      </select></label>}
    </div>
  );
}

interface Reference {
  session: string;
  lap: Lap;
  rows: readonly Cornering[] | null; // of its session, where that is another one
  words: string; // "lap 3"
}

interface Given {
  laps: Laps;
  rows: readonly Cornering[];
  measured: readonly Lap[];
  lap: Lap;
  against: Reference;
  sections: readonly Section[]; // along the reference's path
}

function Held({laps, rows, measured, lap, against, sections}: Given) {
  const found = useMemo(
    () => (against.rows ? comparedAcross(rows, lap.number, against.rows, against.lap.number) : compared(rows, laps.laps, lap.number, against.lap.number)).sort((a, b) => b.lostS - a.lostS),
    [rows, laps, lap.number, against.rows, against.lap.number],
  );
  const places = found.filter(({lostS}) => lostS >= WORTH_S).slice(0, PLACES);
  const open = (corner: string) => {
    const section = sections.find(({name}) => name === corner);
    return link("compare", {
      laps: `${against.session}:${against.lap.number},${laps.session}:${lap.number}`, from: section?.from.toFixed(2), to: section?.to.toFixed(2),
    });
  };
  return (
    <>
      <section class="card to-find" aria-label="Where the time is">
        {places.length === 0
          ? <h2>Nothing to find: lap {lap.number} is as quick as {against.words} in every corner</h2>
          : <h2>{COUNTS[places.length]} to find {number(places.reduce((sum, {lostS}) => sum + lostS, 0), places.length > 1 ? 1 : 2)} s</h2>}
        <ol>
          {places.map((one) => (
            <li key={one.corner}><a href={open(one.corner)}>
              <b class="name">{one.corner}</b>
              <span class="grow">{reason(one, against.words)}; worth {number(one.lostS, 2)} s</span>
              <span class="soft open"><span>traces </span>›</span>
            </a></li>
          ))}
        </ol>
      </section>
      <div class="sums">
        <Bests laps={laps} rows={rows} measured={measured} />
        <Consistency rows={rows} measured={measured} />
      </div>
      <Table found={found} rows={rows} lap={lap} against={against} open={open} />
    </>
  );
}

// What could be driven, by measures that are not the same.
function Bests({laps: {bests}, rows, measured}: {laps: Laps; rows: readonly Cornering[]; measured: readonly Lap[]}) {
  const byCorners = useMemo(() => joined(rows, measured.find(({number}) => number === bests.lap)), [rows, measured, bests.lap]);
  const row = (id: string, title: string, seconds: number | null) => (
    <div id={id}><dt>{title}</dt><dd>{lapTime(seconds)}</dd><dd class="soft">{seconds === null || bests.time_s === null ? "" : id === "best-lap" ? `lap ${bests.lap}` : delta(seconds - bests.time_s, 3)}</dd></div>
  );
  return (
    <section class="card bests">
      <h2>What is in it</h2>
      <dl>
        {row("best-lap", "Best lap", bests.time_s)}
        {row("achievable", "Achievable", bests.rolling_s)}
        {row("theoretical", "Theoretical, by corners", byCorners)}
        {row("theoretical-sectors", "Theoretical, by sectors", bests.theoretical_s)}
      </dl>
      <p class="soft"><b>Achievable</b> was driven: in one go, from some point of the track round to the same point again. <b>Theoretical</b> joins the best corners, or the best
        sectors, of all laps: they may not go together, as who comes out of one fast may pay for it at the next.</p>
    </section>
  );
}

function Consistency({rows, measured}: {rows: readonly Cornering[]; measured: readonly Lap[]}) {
  const laps = spread(measured.map(({time_s}) => time_s as number));
  const uneven = useMemo(() => [...new Set(rows.map(({corner}) => corner))].map((corner) => ({corner, by: spreadOf(rows, corner)}))
    .filter((one): one is {corner: string; by: number} => one.by !== null).sort((a, b) => b.by - a.by)[0], [rows]);
  return (
    <section class="card" id="consistency">
      <h2>Consistency</h2>
      {laps === null
        ? <p class="soft">Told from four laps on; there {measured.length === 1 ? "is" : "are"} {measured.length}.</p>
        : <>
          <p><b class="big">±{number(laps, 2)} s</b> lap to lap, over {measured.length} laps.</p>
          {uneven && <p>{uneven.corner} differs most: ±{number(uneven.by, 2)} s.</p>}
          <p class="soft">The usual deviation from the median, so that one bad lap does not move it.</p>
        </>}
    </section>
  );
}

const spreadOf = (rows: readonly Cornering[], corner: string) => spread(rows.filter((row) => row.corner === corner).map((row) => figure(row, "time_s")).filter((value) => value !== null));

function Table({found, rows, lap, against, open}: {found: readonly Found[]; rows: readonly Cornering[]; lap: Lap; against: Reference; open: (corner: string) => string}) {
  const columns = COLUMNS.filter((column) => found.some(({mine}) => figure(mine, column.figure) !== null));
  const missing = COLUMNS.filter(({figure: name}) => rows.every((row) => figure(row, name) === null));
  const parts = PARTS.filter((part) => found.some((one) => one.parts[part] !== null));
  const hasApex = columns.some(({figure: name}) => name === "apex_off_m");
  return (
    <section class="card table">
      <h2>Lap {lap.number} against {against.words}, corner by corner</h2>
      <div class="scroll" role="region" aria-label="Every corner's figures" tabIndex={0}>
        <table id="corners">
          <thead><tr>
            <th scope="col">Corner</th><th scope="col">Lost <span class="soft">s</span></th>
            {parts.map((part) => <th key={part} scope="col">{part}</th>)}
            {columns.map(({title, unit, hint}) => <th key={title} scope="col" title={hint}>{title} <span class="soft">{shown(unit).unit}</span></th>)}
            <th scope="col" title="from lap to lap">Spread <span class="soft">s</span></th>
          </tr></thead>
          <tbody>
            {found.map((one) => (
              <tr key={one.corner} data-corner={one.corner}>
                <th scope="row"><a href={open(one.corner)}>{one.corner}</a></th>
                <td class={tone(one.lostS)}><b>{delta(one.lostS)}</b></td>
                {parts.map((part) => <td key={part} class={tone(one.parts[part])}>{delta(one.parts[part])}</td>)}
                {columns.map((column) => <td key={column.title}><Figure column={column} found={one} /></td>)}
                <td>{(() => { const by = spreadOf(rows, one.corner); return by === null ? "–" : `±${number(by, 2)}`; })()}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="soft">Brake point in metres before the apex, {hasApex && "apex in metres outside of the best lap's path there, "}throttle on in metres behind the apex; small beside each, how it
        differs from {against.words}.{against.rows && " Entry, middle, exit and the line stand against a session's own laps, and are not told of two sessions."}{missing.length > 0 && ` This car has no channel that tells ${missing.map(({title}) => title.toLowerCase()).join(", ")}.`}</p>
    </section>
  );
}

function tone(seconds: number | null): string {
  if (seconds === null || Math.abs(seconds) < WORTH_S) return "";
  return seconds > 0 ? "bad" : "good";
}

function Figure({column: {figure: name, unit}, found: {mine, theirs}}: {column: Column; found: Found}) {
  const {factor} = shown(unit);
  const places = name === "apex_off_m" ? 1 : 0;
  const [here, there] = [figure(mine, name), figure(theirs, name)];
  if (here === null) return <>–</>;
  const by = there === null ? "" : number((here - there) * factor, places);
  return <>{number(here * factor, places)} <small class="soft">{by === "" || by.startsWith("−") || Number(by) === 0 ? by : `+${by}`}</small></>;
}
