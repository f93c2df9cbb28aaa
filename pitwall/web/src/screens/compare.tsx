// Laps laid over each other: where one loses time to another, and what was done differently there. The first lap is the
// reference: all distances are along its path. The choice stands in the address.

import "./compare.css";

import {signal} from "@preact/signals";
import {useEffect, useMemo} from "preact/hooks";

import {sessionPath, useAnswer, type Answer} from "../api";
import {Circle} from "../draw/circle";
import {TrackMap} from "../draw/map";
import {Plot, zoom, type Band, type Line, type Range, type Shared} from "../draw/plot";
import type {Laps} from "../laps";
import {live, sid} from "../live/live";
import {delta, digits, lapTime, number, shown} from "../numbers";
import {
  choices, keyOf, lapMetresAt, lapTimeAt, lostBy, metresAt, pointsFor, timeAt, TRACES, useDetail, useOverlay, valueAt,
  type Axis, type Channels, type Choice, type Overlaid,
} from "../overlay";
import {colourOf, dashOf, isTimed, lapName, LapPicker} from "../parts/lap-picker";
import {Empty, Trouble} from "../parts/trouble";
import {choose, route} from "../route";
import {useSections, type Section} from "../sections";
import {units} from "../settings";
import {NoSession} from "./signals";

const TITLES: Record<typeof TRACES[number], string> = {speed: "Speed", throttle: "Throttle", brake: "Brake", steering: "Steering", gear: "Gear"};
const HELD = new Set<string>(["gear"]);
const AROUND_M = 15; // a corner is at least so long either side of its slowest place
const KEPT_MS = 300; // a browser keeps no more than some changes of the address a second
const CLOUD = 700; // points of a lap in the friction circle

export function Compare() {
  const {query} = route.value;
  const asked = query.get("laps");
  const axis: Axis = query.get("axis") === "time" ? "time" : "distance";
  const usual = useUsual(asked === null);
  const chosen = useMemo(() => choices(asked ?? usual.laps), [asked, usual.laps]);
  const points = useMemo(() => pointsFor(innerWidth), []);
  const overlay = useOverlay(chosen, points);
  const reference = overlay.laps[0];
  const extent = useMemo((): Range => [0, reference ? (axis === "distance" ? reference.way[reference.way.length - 1] as number : Math.max(...overlay.laps.map(({timeS}) => timeS))) : 1], [overlay.laps, axis]);
  const shared = useShared(extent, reference !== undefined);
  const found = useSections(reference?.session);
  const sessions = useMemo(() => [...new Set(chosen.map(({session}) => session))], [chosen]);

  if (asked === null && live.session.value === null && usual.answer.trouble?.type === "no-live-session") return <NoSession />;
  const change = (laps: readonly Choice[]) => choose({laps: laps.map(keyOf).join()});
  const turn = (to: Axis) => {
    if (!reference || to === axis) return;
    const turned = (at: number) => (to === "time" ? timeAt(reference, at) : metresAt(reference, at));
    const range = shared.range.peek();
    const at = shared.cursor.peek();
    shared.range.value = range && [turned(range[0]), turned(range[1])];
    shared.cursor.value = at === null ? null : turned(at);
    choose({axis: to === "time" ? to : null, ...said(shared.range.peek())});
  };
  return (
    <div class="compare">
      <div class="row">
        <h1>Compare</h1>
        <div class="row axes" role="group" aria-label="What the laps are laid over">
          {(["distance", "time"] as const).map((one) => <button key={one} type="button" aria-pressed={axis === one} onClick={() => turn(one)}>By {one}</button>)}
        </div>
        <All shared={shared} />
        {overlay.waiting && chosen.length > 0 && <p class="soft" role="status">loading laps…</p>}
      </div>
      <Trouble answer={usual.answer} />
      {chosen.length === 0 && !usual.answer.trouble && (usual.waiting ? <p class="soft" role="status">looking for laps…</p> : <Empty title="No lap to compare yet">
        <p>As soon as a lap is timed from line to line, it is here{asked === null ? "" : "; add one below"}.</p>
      </Empty>)}
      <LapPicker chosen={chosen} laps={overlay.laps} sessions={sessions} change={change} />
      {overlay.troubles.map(({key, words}) => (
        <p key={key} class="banner bad" role="alert">{key} is not shown: {words}
          <button type="button" onClick={() => change(chosen.filter((one) => keyOf(one) !== key))}>Take it away</button>
        </p>
      ))}
      {reference && <Laid laps={overlay.laps} chosen={chosen} sessions={sessions} axis={axis} shared={shared} extent={extent} sections={found} points={points} waiting={overlay.waiting} />}
    </div>
  );
}

// Without a choice: the session's best lap, and the next best against it.
function useUsual(wanted: boolean): {laps: string; waiting: boolean; answer: Answer<Laps>} {
  const answer = useAnswer<Laps>(wanted ? `${sessionPath(sid())}/laps` : null, live.lap.value);
  const {data, trouble} = answer;
  const good = (data?.laps ?? []).filter((lap) => isTimed(lap) && lap.flying && lap.valid).sort((a, b) => (a.time_s as number) - (b.time_s as number));
  return {laps: good.slice(0, 2).map(({number}) => `${data?.session}:${number}`).join(), waiting: wanted && data === null && trouble === null, answer};
}

// The cursor, and what is zoomed, which the address keeps.
function useShared(extent: Range, ready: boolean): Shared {
  const {query} = route.value;
  const text = `${query.get("from")} ${query.get("to")}`;
  const shared = useMemo((): Shared => ({cursor: signal(null), range: signal(asRange(query))}), []);
  useEffect(() => {
    const {from, to} = said(shared.range.peek());
    if (text !== `${from} ${to}`) shared.range.value = asRange(query);
  }, [text]);
  useEffect(() => {
    let keeping: ReturnType<typeof setTimeout> | undefined;
    const leave = shared.range.subscribe((range) => {
      clearTimeout(keeping);
      keeping = setTimeout(() => {
        const {query: now, screen} = route.peek();
        const {from, to} = said(range);
        if (screen === "compare" && (now.get("from") !== from || now.get("to") !== to)) choose({from, to});
      }, KEPT_MS);
    });
    return () => {
      clearTimeout(keeping);
      leave();
    };
  }, []);
  useEffect(() => {
    if (!ready) return;
    const [from, to] = shared.range.peek() ?? extent;
    if (from >= extent[1] || to <= extent[0]) shared.range.value = null; // of a longer lap
    if (shared.cursor.peek() === null) shared.cursor.value = (Math.max(extent[0], from) + Math.min(extent[1], to)) / 2;
  }, [ready, extent[1]]);
  return shared;
}

function asRange(query: URLSearchParams): Range | null {
  const [from, to] = [query.get("from"), query.get("to")].map((text) => (text === null || text === "" ? NaN : Number(text))) as [number, number];
  return Number.isFinite(from) && Number.isFinite(to) && from < to ? [from, to] : null;
}

function said(range: Range | null): {from: string | null; to: string | null} {
  return {from: range && range[0].toFixed(2), to: range && range[1].toFixed(2)};
}

function All({shared}: {shared: Shared}) {
  return shared.range.value && <button type="button" id="all" onClick={() => { shared.range.value = null; }}>Show the whole lap</button>;
}

interface Given {
  laps: readonly Overlaid[];
  chosen: readonly Choice[];
  sessions: readonly string[];
  axis: Axis;
  shared: Shared;
  extent: Range;
  sections: readonly Section[];
  points: number;
  waiting: boolean;
}

interface Named {
  lap: Overlaid;
  name: string;
  colour: string;
  dash: readonly number[] | undefined;
}

function Laid({laps, chosen, sessions, axis, shared, extent, sections, points, waiting}: Given) {
  const reference = laps[0] as Overlaid;
  const range = shared.range.value;
  const detail = useDetail(laps, axis, waiting ? null : range, points);
  const named = useMemo(() => laps.map((lap): Named => {
    const at = chosen.findIndex((choice) => keyOf(choice) === lap.key);
    return {lap, name: lapName({session: chosen[at]?.session ?? lap.session, lap: lap.number}, sessions), colour: colourOf(at), dash: dashOf(at)};
  }), [laps, chosen, sessions]);
  const places = useMemo(() => sections.map((section): Place => ({...section, at: slowest(reference, section)})), [reference, sections]);
  const bands = useMemo(() => places.map((place): Band => bandOf(place, reference, axis)), [places, reference, axis]);
  const told = useMemo(() => (axis === "distance" ? (at: number) => `${number(at, 0)} m` : (at: number) => `${number(at, at % 1 ? 1 : 0)} s`), [axis]);
  const strips = TRACES.filter((role) => laps.some(({channels}) => channels.has(role)));
  const missing = TRACES.filter((role) => !strips.includes(role));
  return (
    <>
      {laps.length > 1 && <Costs named={named} places={places} shared={shared} axis={axis} extent={extent} />}
      <div class="laid">
        <div class="strips card">
          {laps.length > 1
            ? <Lost named={named} axis={axis} shared={shared} extent={extent} bands={bands} told={told} />
            : <p class="soft">Add a lap to see where it loses time to this one.</p>}
          {strips.map((role, at) => (
            <Trace key={`${role} ${laps.length === 1}`} role={role} named={named} axis={axis} detail={detail} shared={shared} extent={extent} bands={bands} told={told}
              first={at === 0 && laps.length === 1} last={at === strips.length - 1} />
          ))}
          {missing.length > 0 && <p id="left-out" class="soft">No channel of {laps.length > 1 ? "these laps" : "this lap"} plays {missing.join(", ")}: left out.</p>}
          <p class="soft hint">Drag or pinch to zoom, double-click or tap twice to show all, ← → to move the cursor.</p>
        </div>
        <div class="beside">
          <Numbers named={named} strips={strips} axis={axis} detail={detail} shared={shared} told={told} />
          <Where named={named} axis={axis} shared={shared} range={range} sections={places} />
        </div>
      </div>
    </>
  );
}

type Place = Section & {at: number};

// Where the reference was slowest in a corner; without a speed, its middle.
function slowest(reference: Overlaid, {from, to}: Section): number {
  const speed = reference.channels.get("speed");
  let found = (from + to) / 2;
  if (!speed) return found;
  const [begin, end] = [timeAt(reference, from), timeAt(reference, to)];
  let least = Infinity;
  for (let i = 0; i < speed.t.length; i++) {
    const [t, v] = [speed.t[i] as number, speed.v[i] ?? null];
    if (t < begin || t > end || v === null || v >= least) continue;
    least = v;
    found = metresAt(reference, t);
  }
  return found;
}

// From where the car turned in, to as far behind the slowest place.
function bandOf({name, from, to, at, turnInM}: Place, reference: Overlaid, axis: Axis): Band {
  const half = Math.max(AROUND_M, turnInM ?? 0);
  const x = (metres: number) => (axis === "distance" ? metres : timeAt(reference, metres));
  return {name, from: x(Math.max(from, at - half)), to: x(Math.min(to, at + half)), at: x(at)};
}

interface Strip {
  named: readonly Named[];
  axis: Axis;
  shared: Shared;
  extent: Range;
  bands: readonly Band[];
  told: (at: number) => string;
}

// What each lap had lost to the reference by then.
function Lost({named, axis, ...strip}: Strip) {
  const [{lap: reference}, ...others] = named as [Named, ...Named[]];
  const x = reference.way;
  const lines = useMemo(() => others.map(({lap, name, colour, dash}): Line => {
    const metres = Array.from(reference.way);
    return {
      label: name, colour, values: metres.map((at) => lostBy(lap, reference, at)), ...(dash ? {dash} : {}),
      ...(axis === "time" ? {x: metres.map((at) => timeAt(lap, at))} : {}),
    };
  }), [named, axis]);
  const read = useMemo(() => (at: number) => others.map(({lap}) => delta(lostBy(lap, reference, lapMetresAt(lap, axis, at)), 3)), [named, axis]);
  return <Plot {...strip} title="Lost" unit="s" x={x} lines={lines} read={read} named focusable within={[-0.05, 0.05]} />;
}

function Trace({role, named, axis, detail, first, last, ...strip}: Strip & {role: typeof TRACES[number]; detail: ReadonlyMap<string, Channels>; first: boolean; last: boolean}) {
  const kept = named.filter(({lap}) => lap.channels.has(role));
  const unit = (kept[0] as Named).lap.channels.get(role)?.unit ?? "";
  const alike = kept.filter(({lap}) => lap.channels.get(role)?.unit === unit);
  const how = shown(unit);
  const lines = useMemo(() => alike.map(({lap, name, colour, dash}): Line => {
    const {t, v} = detail.get(lap.key)?.get(role) ?? lap.channels.get(role) ?? {t: [], v: []};
    return {
      label: name, colour, x: axis === "time" ? t : Array.from(t, (at) => metresAt(lap, at)),
      values: v.map((value) => (value === null ? null : value * how.factor + how.offset)), stepped: HELD.has(role), ...(dash ? {dash} : {}),
    };
  }), [named, axis, detail, role, units.value]);
  const read = useMemo(() => (at: number) => alike.map(({lap}) => reading(lap, role, lapTimeAt(lap, axis, at), detail)), [named, axis, detail, units.value]);
  return (
    <>
      <Plot {...strip} title={TITLES[role]} unit={how.unit} x={[]} lines={lines} read={read} named={first} focusable={first} axis={last} />
      {alike.length < kept.length && <p class="soft">{TITLES[role]} of {kept.filter((one) => !alike.includes(one)).map(({name}) => name).join(", ")} is in another unit: left out.</p>}
    </>
  );
}

function valueOf(lap: Overlaid, role: string, seconds: number, detail: ReadonlyMap<string, Channels>): number | null {
  const sampled = detail.get(lap.key)?.get(role) ?? lap.channels.get(role);
  return sampled ? valueAt(sampled, seconds, HELD.has(role)) : null;
}

function reading(lap: Overlaid, role: string, seconds: number, detail: ReadonlyMap<string, Channels>): string {
  const {unit} = lap.channels.get(role) ?? {unit: ""};
  const v = valueOf(lap, role, seconds, detail);
  const {factor, offset} = shown(unit);
  return v === null ? "–" : number(v * factor + offset, placesOf(role, unit));
}

const placesOf = (role: string, unit: string) => (HELD.has(role) ? 0 : shown(unit).places ?? digits(unit, 100, false));

// What each corner gained or lost; a click shows it.
function Costs({named, places, shared, axis, extent}: {named: readonly Named[]; places: readonly Place[]; shared: Shared; axis: Axis; extent: Range}) {
  const [{lap: reference, name: against}, ...others] = named as [Named, ...Named[]];
  const show = ({from, to, at}: Place) => {
    const x = (metres: number) => (axis === "distance" ? metres : timeAt(reference, metres));
    zoom(shared, [x(from), x(to)], extent);
    shared.cursor.value = x(at);
  };
  if (places.length === 0) return null;
  return (
    <section class="costs scroll" aria-label={`What each corner gained or lost against ${against}`}>
      {others.map(({lap, name, colour}) => (
        <div key={lap.key} class="row">
          <h2><i class="swatch" style={{background: `var(${colour})`}} /> {name}</h2>
          <ul>
            {places.map((place) => {
              const cost = lostBy(lap, reference, place.to) - lostBy(lap, reference, place.from);
              const text = delta(cost);
              return (
                <li key={place.name}><button type="button" class="chip" title={`Show ${place.name}`} onClick={() => show(place)}>
                  {place.name} <b class={text.startsWith("+") ? "bad" : text.startsWith("−") ? "good" : "soft"}>{text}</b>
                </button></li>
              );
            })}
          </ul>
        </div>
      ))}
    </section>
  );
}

// Every lap's channels where the cursor is, and how they differ from the reference's.
function Numbers({named, strips, axis, detail, shared, told}: {named: readonly Named[]; strips: readonly string[]; axis: Axis; detail: ReadonlyMap<string, Channels>; shared: Shared; told: (at: number) => string}) {
  const at = shared.cursor.value;
  const [first, ...others] = named as [Named, ...Named[]];
  const when = (lap: Overlaid) => (at === null ? NaN : lapTimeAt(lap, axis, at));
  const place = (lap: Overlaid) => (at === null ? NaN : lapMetresAt(lap, axis, at));
  const differs = (role: string, lap: Overlaid) => {
    const [mine, theirs] = [valueOf(lap, role, when(lap), detail), valueOf(first.lap, role, when(first.lap), detail)];
    const unit = lap.channels.get(role)?.unit ?? "";
    if (mine === null || theirs === null || unit !== first.lap.channels.get(role)?.unit) return "";
    const text = number((mine - theirs) * shown(unit).factor, placesOf(role, unit));
    return text.startsWith("−") || Number(text) === 0 ? text : `+${text}`;
  };
  return (
    <section class="card scroll" aria-label="Numbers at the cursor" tabIndex={0}>
      <table id="numbers" class={named.length > 2 ? "many" : undefined}>
        <caption><span class="unseen">At the cursor, </span><b id="at">{at === null ? "–" : told(at)}</b></caption>
        <thead><tr>
          <th scope="col"><span class="unseen">Channel</span></th>
          {named.map(({lap, name, colour}) => <th key={lap.key} scope="col"><i class="swatch" style={{background: `var(${colour})`}} /> {name}</th>)}
        </tr></thead>
        <tbody>
          <tr data-channel={axis === "distance" ? "time" : "distance"}>
            <th scope="row">{axis === "distance" ? "Time" : "Distance"}</th>
            {named.map(({lap}) => <td key={lap.key}>{axis === "distance" ? lapTime(when(lap)) : `${number(place(lap), 1)} m`}</td>)}
          </tr>
          {others.length > 0 && <tr data-channel="lost">
            <th scope="row">Lost <span class="soft">s</span></th>
            <td />
            {others.map(({lap}) => <td key={lap.key}>{at === null ? "–" : delta(lostBy(lap, first.lap, place(lap)), 3)}</td>)}
          </tr>}
          {strips.map((role) => (
            <tr key={role} data-channel={role}>
              <th scope="row">{TITLES[role as typeof TRACES[number]]} <span class="soft">{shown(named.find(({lap}) => lap.channels.has(role))?.lap.channels.get(role)?.unit ?? "").unit}</span></th>
              {named.map(({lap}, i) => <td key={lap.key}>{at === null ? "–" : reading(lap, role, when(lap), detail)}{i > 0 && at !== null && <small class="soft">{differs(role, lap)}</small>}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

// The same cursor on the map and in the friction circle.
function Where({named, axis, shared, range, sections}: {named: readonly Named[]; axis: Axis; shared: Shared; range: Range | null; sections: readonly Place[]}) {
  const paths = useMemo(() => named.map(({lap, colour, dash}) => ({...pair(lap, "lat", "lon"), colour, ...(dash ? {dash} : {})}))
    .map(({a: lat, b: lon, ...rest}) => ({lat, lon, ...rest})).filter(({lat}) => lat.length > 0), [named]);
  const marks = useMemo(() => {
    const first = named[0] as Named;
    const corners = sections.map(({name, at}) => ({name, at: placeAt(first.lap, timeAt(first.lap, at))})).filter((one): one is {name: string; at: [number, number]} => one.at !== null);
    return {corners, lines: []};
  }, [named, sections]);
  const clouds = useMemo(() => named.map(({lap, colour}) => {
    const window = range ? [lapTimeAt(lap, axis, range[0]), lapTimeAt(lap, axis, range[1])] as const : undefined;
    const {a: lateral, b: longitudinal} = pair(lap, "g_lat", "g_long", window);
    return {colour, lateral, longitudinal};
  }).filter(({lateral}) => lateral.length > 0), [named, range, axis]);
  const dots = () => {
    const at = shared.cursor.peek();
    return at === null ? [] : named.flatMap(({lap, colour}) => {
      const place = placeAt(lap, lapTimeAt(lap, axis, at));
      return place ? [{lat: place[0], lon: place[1], colour}] : [];
    });
  };
  const spots = () => {
    const at = shared.cursor.peek();
    return at === null ? [] : named.flatMap(({lap, colour}) => {
      const [lateral, longitudinal] = ["g_lat", "g_long"].map((role) => valueOf(lap, role, lapTimeAt(lap, axis, at), new Map()));
      return lateral != null && longitudinal != null ? [{colour, lateral, longitudinal}] : [];
    });
  };
  const names = named.map(({name}) => name).join(", ");
  return (
    <>
      {paths.length > 0 && <section class="card where"><h2>Map</h2><TrackMap label={`The track, with ${names} where the cursor is`} paths={paths} marks={marks} dots={dots} /></section>}
      {clouds.length > 0 && <section class="card"><h2>Friction circle{range && <span class="soft"> of what is zoomed</span>}</h2><Circle label={`Lateral and longitudinal g of ${names}`} clouds={clouds} spots={spots} /></section>}
    </>
  );
}

function placeAt(lap: Overlaid, seconds: number): [number, number] | null {
  const [lat, lon] = ["lat", "lon"].map((role) => valueOf(lap, role, seconds, new Map()));
  return lat != null && lon != null ? [lat, lon] : null;
}

// Two channels at the same times, evenly over the lap or a part of it (s); empty where one is missing.
function pair(lap: Overlaid, one: string, other: string, [from, to]: readonly [number, number] = [0, lap.timeS]): {a: number[]; b: number[]} {
  const [first, second] = [lap.channels.get(one), lap.channels.get(other)];
  const [a, b]: [number[], number[]] = [[], []];
  if (!first || !second) return {a, b};
  for (let i = 0; i <= CLOUD; i++) {
    const seconds = from + (to - from) * i / CLOUD;
    const [x, y] = [valueAt(first, seconds), valueAt(second, seconds)];
    if (x === null || y === null) continue;
    a.push(x);
    b.push(y);
  }
  return {a, b};
}
