// At the pit wall: laps, the last minute, where the car is, and what is getting hot.

import "./stall.css";

import {useMemo} from "preact/hooks";

import {sessionPath, query, useAnswer} from "../api";
import {TrackMap, type Dot, type Path} from "../draw/map";
import {Strip, type Line} from "../draw/strip";
import {lapsSoFar, laps} from "../laps";
import {live, MINUTE, sid, type Channel} from "../live/live";
import {useMinute} from "../live/minute";
import {useCourse} from "../parts/course";
import {bestOf, Tower} from "../parts/tower";
import {Trends} from "../parts/trends";
import {sampled, type Window} from "../series";
import {NoSession} from "./signals";

const TRAIL = 8 * 20; // columns of the minute: 8 s
const POINTS = 4000; // of a lap: more than a fix every 0.1 s for six minutes

export function Stall() {
  if (live.session.value === null) return <NoSession />;
  return (
    <div class="stall">
      <h1 class="unseen">Stall</h1>
      <div class="column"><Tower /><Minute /></div>
      <div class="column"><Where /><Trends /></div>
    </div>
  );
}

function Minute() {
  const [speed, throttle, brake, steering, rpm, gear] = (["speed", "throttle", "brake", "steering", "rpm", "gear"] as const).map((role) => live.role(role));
  useMinute([speed, throttle, brake, steering, rpm, gear]);
  const line = (channel: Channel | undefined, title: string, colour: string, rest: Partial<Line> = {}): Line[] => (channel ? [{channel, title, colour, ...rest}] : []);
  const strips: {title: string; lines: Line[]}[] = [
    {title: "Speed", lines: line(speed, "Speed", "--lap-2", {range: [0, 30]})},
    {title: "Throttle and brake", lines: [...line(throttle, "Throttle", "--good", {range: [0, 100]}), ...line(brake, "Brake", "--bad", {how: "filled", range: [0, brake?.facts.unit === "%" ? 100 : 20]})]},
    {title: "Steering", lines: line(steering, "Steering", "--lap-5", {range: [-30, 30]})},
    {title: "Revs and gear", lines: [...line(rpm, "Revs", "--lap-3", {range: [0, 6000]}), ...line(gear, "Gear", "--lap-4", {how: "steps", range: [0, 6]})]},
  ].filter(({lines}) => lines.length > 0);
  const marks = () => (laps.value?.laps ?? []).filter(({kind}) => kind !== "in").map(({t_end: t, number}) => ({t, name: `lap ${number + 1}`}));
  return (
    <section class="card minute" aria-labelledby="minute-title">
      <h2 id="minute-title">The last minute</h2>
      {strips.length === 0 && <p class="soft">The car's definition gives no channel the role of speed, throttle, brake, steering, rpm or gear.</p>}
      {strips.map(({title, lines}, at) => <Strip key={title} title={title} lines={lines} marks={marks} foot={at === strips.length - 1} />)}
    </section>
  );
}

function Where() {
  const lat = live.role("lat");
  const lon = live.role("lon");
  useMinute([lat, lon]);
  const best = bestOf(lapsSoFar.value)?.number ?? lapsSoFar.value[lapsSoFar.value.length - 1]?.number ?? null;
  const {marks, answer} = useCourse(live.session.value, `${live.fingerprint.value} ${laps.value?.laps.length}`);
  const of = lat && lon && best !== null ? laps.value?.laps.find(({number}) => number === best) : undefined;
  const found = useAnswer<Window>(of && lat && lon ? `${sessionPath(sid())}/signals${query({channels: `${lat.name},${lon.name}`, t_from: of.t_start, t_to: of.t_end, points: POINTS})}` : null);
  const paths = useMemo(() => (lat && lon ? pathOf(found.data, lat.name, lon.name) : []), [found.data, lat, lon]);
  if (!lat || !lon) return <section class="card where"><h2>Map</h2><p class="soft">The car tells no position: its definition has no channels with the roles lat and lon.</p></section>;
  const car = (): Dot[] => {
    if (lat.v === null || lon.v === null) return [];
    return [{lat: lat.v, lon: lon.v, colour: live.stale(lat) ? "--soft" : "--trace", label: live.stale(lat) ? "not now" : undefined, trail: trailOf(lat, lon, TRAIL)}];
  };
  return (
    <section class="card where" aria-labelledby="where-title">
      <h2 id="where-title">{answer.data?.track?.name ?? "Map"}</h2>
      {paths.length === 0
        ? <FirstLap lat={lat} lon={lon} />
        : <TrackMap label="The track, and where the car is" paths={paths} marks={marks} dots={car} hz={20} />}
    </section>
  );
}

// No lap has been driven: what there is of one.
function FirstLap({lat, lon}: {lat: Channel; lon: Channel}) {
  const session = sid();
  const round = Math.floor((lat.t ?? 0) / 5e9);
  const found = useAnswer<Window>(`${sessionPath(session)}/signals${query({channels: `${lat.name},${lon.name}`, t_from: 0, points: POINTS})}`, round);
  const paths = useMemo(() => pathOf(found.data, lat.name, lon.name), [found.data, lat, lon]);
  const car = (): Dot[] => (lat.v === null || lon.v === null ? [] : [{lat: lat.v, lon: lon.v, colour: live.stale(lat) ? "--soft" : "--trace", trail: trailOf(lat, lon, TRAIL)}]);
  return <TrackMap label="Where the car has been in its first lap, and where it is" paths={paths} dots={car} hz={20} />;
}

function pathOf(found: Window | null, lat: string, lon: string): Path[] {
  const [a, o] = [found?.channels[lat], found?.channels[lon]];
  return a && o && a.t.length > 1 ? [{lat: sampled(a, o.t), lon: o.v.map((one) => one ?? NaN), colour: "--soft", width: 4}] : [];
}

function trailOf(lat: Channel, lon: Channel, columns: number): Dot["trail"] {
  const [a, o] = [lat.minute, lon.minute];
  if (!a || !o || a.first < 0 || o.first < 0) return undefined;
  const trail = {lat: [] as number[], lon: [] as number[]};
  const now = Math.floor((lat.t ?? 0) / MINUTE[1]);
  for (let i = Math.max(a.oldest, o.oldest, now - columns); i <= Math.min(a.newest, o.newest); i++) {
    const at = i % a.columns;
    if (Number.isNaN(a.low[at] as number) || Number.isNaN(o.low[at] as number)) continue;
    trail.lat.push(a.last[at] as number);
    trail.lon.push(o.last[at] as number);
  }
  return trail;
}
