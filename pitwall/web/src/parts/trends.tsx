// Temperatures and pressures: what they are, and where they go, in words; how old they are where that is too old.

import "./trends.css";

import {useRef} from "preact/hooks";

import {useDrawing, write} from "../draw/loop";
import {live, type Channel} from "../live/live";
import {useMinute} from "../live/minute";
import {trend} from "../live/trend";
import {number, shown} from "../numbers";
import {Age, Value} from "./value";

const ROLES: readonly (readonly [string, string])[] = [["water_temp", "Water"], ["oil_temp", "Oil"], ["oil_press", "Oil pressure"], ["fuel", "Fuel"], ["battery", "Battery"], ["ambient_temp", "Air"]];
const LEAST: Record<string, number> = {degC: .7, bar: .04, l: .1, V: .15}; // a minute: less is steady
const ARROWS = {rising: "↗", falling: "↘", steady: "→", varying: "↕"} as const;
const WHEELS: readonly (readonly [string, string])[] = [["fl", "front left"], ["fr", "front right"], ["rl", "rear left"], ["rr", "rear right"]];

export function Trends() {
  const others = ROLES.map(([role, title]) => ({title, channel: live.role(role)})).filter((one): one is {title: string; channel: Channel} => one.channel !== undefined);
  const tyres = WHEELS.map(([wheel, title]) => ({title, channels: [live.channel(`tyre_temp_${wheel}`), live.channel(`tyre_pressure_${wheel}`)].filter((one) => one !== undefined)}))
    .filter(({channels}) => channels.length > 0);
  useMinute([...others.map(({channel}) => channel), ...tyres.flatMap(({channels}) => channels)]);
  if (others.length === 0 && tyres.length === 0) return null;
  return (
    <section class="card trends" aria-labelledby="trends-title">
      <h2 id="trends-title">Temperatures and pressures</h2>
      <dl>{others.map(({title, channel}) => <div key={channel.name} class="tile" data-channel={channel.name}><dt>{title}</dt><dd><Reading channel={channel} /></dd></div>)}</dl>
      {tyres.length > 0 && (
        <>
          <h3>Tyres</h3>
          <dl class="tyres">
            {tyres.map(({title, channels}) => (
              <div key={title} class="tile"><dt>{title}</dt>{channels.map((channel) => <dd key={channel.name} data-channel={channel.name}><Reading channel={channel} /></dd>)}</div>
            ))}
          </dl>
        </>
      )}
    </section>
  );
}

function Reading({channel}: {channel: Channel}) {
  const root = useRef<HTMLSpanElement>(null);
  useDrawing(() => {
    const found = channel.minute && !live.stale(channel) ? trend(channel.minute, LEAST[channel.facts.unit] ?? 1) : null;
    const {unit, factor, places} = shown(channel.facts.unit);
    // a difference of degrees is no temperature
    const per = channel.facts.unit === "degC" && unit === "°C" ? "K" : unit;
    const much = found ? number(Math.abs(found.perMinute * factor), Math.abs(found.perMinute * factor) >= 10 ? 0 : (places ?? 1) + (channel.facts.unit === "degC" ? 0 : 1)) : "";
    write(root.current, found === null ? "" : found.way === "varying" || found.way === "steady" ? `${ARROWS[found.way]} ${found.way}` : `${ARROWS[found.way]} ${found.way} ${much} ${per}/min`);
    if (root.current) root.current.dataset["way"] = found?.way ?? "";
  }, 1);
  return <span class="reading"><Value channel={channel} hz={4} /> <span ref={root} class="trend" /> <Age channel={channel} /></span>;
}
