// The track: a lap's path coloured by what the car did, two laps driven against each other, and where laps begin.

import "./track.css";

import {useEffect, useMemo, useRef, useState} from "preact/hooks";

import {sessionPath, post, Trouble as Told, useAnswer} from "../api";
import {useDrawing, write} from "../draw/loop";
import {TrackMap, type Dot, type Marks, type Path} from "../draw/map";
import {across, nearest} from "../draw/plane";
import {Legend, type Scale} from "../draw/scale";
import type {Lap, Laps} from "../laps";
import {live} from "../live/live";
import {lapTime, number, shown} from "../numbers";
import {useCourse} from "../parts/course";
import {along, deltas, useLapPath, useLapTime, type LapPath, type LapTime} from "../parts/lap-path";
import {ChooseSession} from "../parts/choose-session";
import {Empty, Trouble} from "../parts/trouble";
import {choose, route} from "../route";
import {sampled} from "../series";
import {NoSession} from "./signals";

const HALF_M = 12; // of a start line: a wide track's half, and what a receiver is off by
const AGAIN_MS = 1500;
const SAME_DEG = 1e-6; // 0.1 m
const TRIES = 40; // a session of an hour is cut anew within a minute

interface Capabilities {
  roles: Record<string, string>;
}

export function Track() {
  const session = route.value.query.get("session") ?? live.session.value;
  if (session === null) return <NoSession />;
  return <OfSession key={session} session={session} />;
}

function OfSession({session}: {session: string}) {
  const {query} = route.value;
  const [cut, setCut] = useState(0); // grows when laps were cut anew
  const when = `${session === live.session.value ? `${live.fingerprint.value} ${live.lap.value}` : ""} ${cut}`;
  const path = sessionPath(session);
  const known = useAnswer<Laps>(`${path}/laps`, when);
  const able = useAnswer<Capabilities>(`${path}/capabilities`);
  const {marks, answer: course} = useCourse(session, when);
  const laps = known.data?.laps ?? [];
  const best = laps.find((one) => one.number === known.data?.bests.lap);
  const one = known.data ? lapOf(query.get("lap"), laps, best) ?? null : undefined;
  const other = known.data ? lapOf(query.get("with"), laps, undefined) : undefined;
  const roles = able.data?.roles;
  const first = useLapPath(session, one, roles);
  const second = useLapPath(session, other ?? undefined, roles);
  const times = {one: useLapTime(session, one), other: useLapTime(session, other), best: useLapTime(session, best)};
  const [proposed, setProposed] = useState<number | null>(null);
  const [setting, setSetting] = useState(false);

  const by = BY.find(({name}) => name === query.get("by")) ?? BY[0] as By;
  const painted = useMemo(() => (first.path ? by.paint(first.path, times.one, times.best) : null), [first.path, by, times.one, times.best]);
  const paths = useMemo(() => layers(first.path, second.path, painted), [first.path, second.path, painted]);
  const shownMarks = useMemo(() => withProposed(marks, setting ? first.path : null, proposed), [marks, first.path, setting, proposed]);
  const race = useRace(first.path, second.path, one, other);

  if (able.data && !(roles?.["lat"] && roles["lon"])) {
    return <Empty title="No map of this session"><p>Its car tells no position: no channel has the roles <code>lat</code> and <code>lon</code>.</p></Empty>;
  }
  const propose = (lat: number, lon: number) => { if (first.path) setProposed(nearest(first.path, lat, lon)?.at ?? null); };
  return (
    <div class="track">
      <div class="row">
        <h1>{course.data?.track?.name ?? "Track"}</h1>
        {course.data?.track && <p class="soft">{course.data.track.length_m ? `${number(course.data.track.length_m, 0)} m; ` : ""}start line: {course.data.track.source}</p>}
      </div>
      <Trouble answer={known} />
      <Trouble answer={first.answer} />
      <div class="row choices">
        <ChooseSession session={session} onChoose={(id) => choose({session: id, lap: null, with: null})} />
        <ChooseLap label="Lap" id="lap" laps={laps} value={one ? String(one.number) : "all"} empty="all of it" none="all" onChoose={(lap) => choose({lap})} />
        <ChooseLap label="Against" id="with" laps={laps.filter((lap) => lap !== one)} value={other ? String(other.number) : ""} empty="no other" none="" onChoose={(lap) => choose({with: lap || null})} />
      </div>
      <div class="row by" role="group" aria-label="Coloured by">
        {BY.map(({name, title}) => <button key={name} type="button" aria-pressed={by.name === name} onClick={() => choose({by: name})}>{title}</button>)}
      </div>
      <section class="card ground" aria-label="Map">
        {first.path
          ? <TrackMap label={mapLabel(by, one, painted)} paths={paths} marks={shownMarks} dots={race.dots} hz={60} {...(setting ? {onTap: propose} : {})} />
          : <p class="soft">{first.answer.data ? "There is no position in this lap." : "The path is on its way."}</p>}
        {painted
          ? <Legend {...painted} title={by.title} />
          : first.path && <p class="soft">{by.why}</p>}
      </section>
      <div class="beside">
        {first.path && one && <Race race={race} one={one} other={other} paths={[first.path, second.path]} times={times} />}
        {first.path && <StartLine session={session} path={first.path} proposed={proposed} start={course.data?.track?.start?.a} setting={setting} onSetting={setSetting} onPropose={setProposed} onCut={() => setCut((times) => times + 1)} />}
      </div>
    </div>
  );
}

// null: all of the session; undefined: it is not chosen, and there is no usual one.
function lapOf(chosen: string | null, laps: readonly Lap[], usual: Lap | undefined): Lap | null | undefined {
  if (chosen === "all") return null;
  const found = chosen === null || chosen === "best" ? undefined : laps.find(({number}) => String(number) === chosen);
  return found ?? usual ?? (chosen === null && usual === undefined ? undefined : null);
}

function ChooseLap({label, id, laps, value, empty, none, onChoose}: {label: string; id: string; laps: readonly Lap[]; value: string; empty: string; none: string; onChoose: (lap: string) => void}) {
  return (
    <label>{label} <select id={id} value={value} onChange={({currentTarget}) => onChoose(currentTarget.value)}>
      <option value={none}>{empty}</option>
      {laps.map((lap) => <option key={lap.number} value={String(lap.number)}>{lap.number}: {lap.time_s === null ? lap.kind : lapTime(lap.time_s)}{lap.time_s !== null && !lap.valid ? " (not valid)" : ""}</option>)}
    </select></label>
  );
}

interface Painted {
  values: Float64Array;
  range: readonly [number, number];
  scale: Scale;
  unit: string;
  places: number;
}

interface By {
  name: string;
  title: string;
  why: string; // it can't be: where it is missing
  paint: (path: LapPath, lap: LapTime | null, best: LapTime | null) => Painted | null;
}

const BY: readonly By[] = [
  {name: "speed", title: "Speed", why: "No channel has the role speed.", paint: (path) => plain(path.of("speed"), path.unitOf("speed"))},
  {name: "throttle", title: "Throttle", why: "No channel has the role throttle.", paint: (path) => plain(path.of("throttle"), path.unitOf("throttle"), 0)},
  {name: "brake", title: "Brake", why: "No channel has the role brake.", paint: (path) => plain(path.of("brake"), path.unitOf("brake"), 0)},
  {name: "g", title: "g, combined", why: "No channels have the roles g_lat and g_long.", paint: (path) => {
    const [side, along] = [path.of("g_lat"), path.of("g_long")];
    return side && along ? plain(side.map((g, i) => Math.hypot(g, along[i] as number)), "g", 0) : null;
  }},
  {name: "gear", title: "Gear", why: "No channel has the role gear.", paint: (path) => plain(path.of("gear"), "")},
  {name: "delta", title: "Delta to the best", why: "There is no delta: the lap is not timed, or there is no best one yet.", paint: (path, lap, best) => {
    if (!lap || !best) return null;
    const values = deltas(lap, best, path.s);
    const most = Math.max(.05, ...values.filter(Number.isFinite).map(Math.abs));
    return {values, range: [-most, most], scale: "balance", unit: "s (− gained, + lost)", places: 2};
  }},
];

// In the reader's unit, over what there is of it.
function plain(values: Float64Array | null, unit: string, floor?: number): Painted | null {
  const known = values?.filter(Number.isFinite);
  if (!values || !known || known.length === 0) return null;
  const {factor, offset, unit: name, places} = shown(unit);
  const told = values.map((v) => v * factor + offset);
  const finite = told.filter(Number.isFinite);
  let [low, high] = [Infinity, -Infinity];
  for (const v of finite) [low, high] = [Math.min(low, v), Math.max(high, v)];
  return {values: told, range: [floor ?? low, Math.max(high, floor ?? high)], scale: "rising", unit: name, places: places ?? 0};
}

function mapLabel({title}: By, lap: Lap | null | undefined, painted: Painted | null): string {
  const what = lap ? `The path of lap ${lap.number}` : "The path of the session";
  return painted ? `${what}, coloured by ${title.toLowerCase()}, ${number(painted.range[0], painted.places)} to ${number(painted.range[1], painted.places)} ${painted.unit}` : what;
}

function layers(one: LapPath | null, other: LapPath | null, painted: Painted | null): Path[] {
  const made: Path[] = [];
  if (other) made.push({lat: other.lat, lon: other.lon, width: 1.5, colour: "--lap-3", dash: [4, 3]}); // seen where it leaves the wide one
  if (one) made.push({lat: one.lat, lon: one.lon, width: 6, colour: "--soft", ...(painted ? {values: painted.values, range: painted.range, scale: painted.scale} : {})});
  return made;
}

function withProposed(marks: Marks | null, path: LapPath | null, at: number | null): Marks | null {
  const line = path && at !== null ? across(path, at, HALF_M) : null;
  if (!line) return marks;
  return {corners: marks?.corners ?? [], lines: [...(marks?.lines ?? []), {name: "new start", a: line[0], b: line[1], main: true}]};
}

interface Racing {
  s: {current: number}; // since both laps began
  most: number;
  playing: boolean;
  play: (on: boolean) => void;
  dots: () => readonly Dot[];
}

// Two laps from one moment on: as if they had begun together.
function useRace(one: LapPath | null, other: LapPath | null, lap: Lap | null | undefined, against: Lap | null | undefined): Racing {
  const s = useRef(0);
  const [playing, setPlaying] = useState(false);
  const last = useRef<number | null>(null);
  const lasting = (path: LapPath | null) => (path ? path.s[path.s.length - 1] ?? 0 : 0);
  const most = Math.max(lasting(one), lasting(other));
  useEffect(() => { s.current = 0; }, [one]);
  useDrawing((now) => {
    const since = last.current === null ? 0 : Math.min(.25, (now - last.current) / 1000);
    last.current = now;
    if (!playing) return;
    s.current = Math.min(most, s.current + since);
    if (s.current >= most) setPlaying(false);
  }, 60);
  const dotOf = (path: LapPath, of: Lap | null | undefined, ink: string, hollow: boolean): Dot => {
    const at = [Math.min(s.current, lasting(path))];
    return {lat: sampled({t: path.s, v: path.lat}, at)[0] as number, lon: sampled({t: path.s, v: path.lon}, at)[0] as number, colour: ink, hollow, label: of ? `lap ${of.number}` : undefined};
  };
  const dots = () => [...(other ? [dotOf(other, against, "--lap-3", true)] : []), ...(one && lap ? [dotOf(one, lap, "--lap-2", false)] : [])];
  const play = (on: boolean) => {
    if (on && s.current >= most) s.current = 0;
    setPlaying(on);
  };
  return {s, most, playing, play, dots};
}

function Race({race, one, other, paths: [path, against], times}: {race: Racing; one: Lap; other: Lap | null | undefined; paths: readonly [LapPath, LapPath | null]; times: {one: LapTime | null; other: LapTime | null}}) {
  const slider = useRef<HTMLInputElement>(null);
  const time = useRef<HTMLOutputElement>(null);
  const said = useRef<HTMLParagraphElement>(null);
  const speeds = useRef<(HTMLElement | null)[]>([]);
  const {factor, unit} = shown("m/s");
  const speedOf = useMemo(() => [path, against].map((one) => one && {s: one.s, v: one.of("speed")}), [path, against]);
  useDrawing(() => {
    const at = [race.s.current];
    write(time.current, lapTime(race.s.current, 1));
    if (slider.current) slider.current.value = String(race.s.current);
    slider.current?.setAttribute("aria-valuetext", `${lapTime(race.s.current, 1)} since they began`);
    speedOf.forEach((known, i) => {
      const v = known?.v ? sampled({t: known.s, v: known.v}, at)[0] as number : NaN;
      write(speeds.current[i], Number.isFinite(v) ? number(v * factor, 0) : "–");
    });
    write(said.current, apart(times.one, times.other, race.s.current, one, other));
  }, 20);
  return (
    <section class="card race" aria-labelledby="race-title">
      <h2 id="race-title">{other ? `Lap ${one.number} against lap ${other.number}` : `Lap ${one.number}`}</h2>
      <div class="row player">
        <button id="play" type="button" class="main" onClick={() => race.play(!race.playing)}>{race.playing ? "Pause" : "Play"}</button>
        <input ref={slider} id="at" class="grow" type="range" min="0" max={race.most} step="0.05" aria-label="Time since the laps began"
          onInput={({currentTarget}) => { race.s.current = Number(currentTarget.value); }} />
        <output ref={time} id="elapsed" for="at">0.0</output>
      </div>
      <dl class="speeds">
        <div><dt><i class="dot" /> lap {one.number}</dt><dd><span ref={(el) => { speeds.current[0] = el; }}>–</span> <span class="soft">{unit}</span></dd></div>
        {other && <div><dt><i class="dot hollow" /> lap {other.number}</dt><dd><span ref={(el) => { speeds.current[1] = el; }}>–</span> <span class="soft">{unit}</span></dd></div>}
      </dl>
      <p ref={said} id="apart" class="soft" />
    </section>
  );
}

// Who is ahead after so many seconds, and by how much: at the place of who is behind.
function apart(one: LapTime | null, other: LapTime | null, s: number, lap: Lap, against: Lap | null | undefined): string {
  if (!against) return "Choose another lap to see them driven against each other.";
  if (!one || !other) return "A lap that is not timed has no distance: only the places are shown.";
  const [a, b] = [along(one, [Math.min(s, one.lap.time_s)])[0] as number, along(other, [Math.min(s, other.lap.time_s)])[0] as number];
  if (!Number.isFinite(a) || !Number.isFinite(b)) return "";
  const [ahead, behind, place] = a >= b ? [lap, against, b] : [against, lap, a];
  const then = (of: LapTime) => sampled({t: of.distance_m, v: of.time_s}, [place])[0] as number;
  const lead = Math.abs(then(one) - then(other));
  if (Math.abs(a - b) < 1 || !Number.isFinite(lead)) return "They are side by side.";
  return `Lap ${ahead.number} is ${number(Math.abs(a - b), 0)} m ahead of lap ${behind.number}: ${lead.toFixed(2)} s at ${number(place, 0)} m.`;
}

interface Asker {
  name: string | null;
  read_only: boolean;
}

// Where laps begin, by a tap on the path or by the slider; asked once more before it is in the log.
function StartLine({session, path, proposed, start, setting, onSetting, onPropose, onCut}: {
  session: string; path: LapPath; proposed: number | null; start: readonly [number, number] | undefined; setting: boolean; onSetting: (on: boolean) => void; onPropose: (at: number | null) => void; onCut: () => void;
}) {
  const who = useAnswer<Asker>("/token");
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<{good: boolean; text: string} | null>(null);
  const leaving = useRef(new AbortController());
  useEffect(() => () => leaving.current.abort(), []);
  const line = proposed === null ? null : across(path, proposed, HALF_M);
  const now = useRef(start);
  now.current = start;
  const readOnly = who.data?.read_only === true;
  const set = async () => {
    if (!line) return;
    setBusy(true);
    setSaid(null);
    try {
      await post(`${sessionPath(session)}/start-line`, {line});
      setSaid({good: true, text: "It is in the log. The laps are being cut anew."});
      onSetting(false);
      onPropose(null);
      for (let times = 0; times < TRIES && !leaving.current.signal.aborted; times++) {
        await new Promise((done) => setTimeout(done, AGAIN_MS));
        if (leaving.current.signal.aborted) return;
        if (line.some((end) => now.current && Math.hypot(end[0] - now.current[0], end[1] - now.current[1]) < SAME_DEG)) {
          setSaid({good: true, text: "Laps begin there now."});
          return;
        }
        onCut();
      }
    } catch (error) {
      if (!(error instanceof Told)) throw error;
      setSaid({good: false, text: error.words});
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="card start" aria-labelledby="start-title">
      <h2 id="start-title">Where laps begin</h2>
      {said && <p class={`banner ${said.good ? "good" : "bad"}`} role={said.good ? "status" : "alert"}>{said.text}</p>}
      {readOnly && <p id="read-only" class="soft">The token that this page was opened with may only read: it can't set the start line.</p>}
      {!setting
        ? <button id="set-line" type="button" disabled={readOnly} onClick={() => { setSaid(null); onSetting(true); }}>Set the start line</button>
        : (
          <>
            <p>{line ? "Laps of this session begin here, those before it too." : "Tap the path where laps begin, or move this along it."}</p>
            <input id="place" type="range" min="0" max={path.lat.length - 1} step="1" value={proposed ?? 0} aria-label="Place along the path"
              onInput={({currentTarget}) => onPropose(Number(currentTarget.value))} />
            {line && <p class="soft">{number((line[0][0] + line[1][0]) / 2, 6)}, {number((line[0][1] + line[1][1]) / 2, 6)}; {2 * HALF_M} m across the path</p>}
            <div class="row">
              <button id="confirm-line" type="button" class="main" disabled={!line || busy} onClick={() => void set()}>Begin laps here</button>
              <button type="button" onClick={() => { onSetting(false); onPropose(null); }}>Leave it</button>
            </div>
          </>
        )}
    </section>
  );
}
