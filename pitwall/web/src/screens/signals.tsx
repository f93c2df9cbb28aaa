// Every channel: value, unit, its last half minute, rate, age; found by name, pinned on top. Or the raw frames of every id.
// A click on a channel asks why it is what it is.

import "./signals.css";

import {useMemo, useRef} from "preact/hooks";

import {Spark} from "../draw/spark";
import {useDrawing, write} from "../draw/loop";
import {live, type Channel} from "../live/live";
import {digits, number, unitName} from "../numbers";
import {Empty} from "../parts/trouble";
import {Age} from "../parts/value";
import {choose, route} from "../route";
import {pins} from "../settings";
import {RawFrames} from "./signals/frames";
import {Why} from "./signals/why";

export function Signals() {
  const {query} = route.value;
  const find = query.get("find") ?? "";
  const raw = query.get("show") === "frames";
  const why = query.get("why");
  if (live.session.value === null) return <NoSession />;
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  return (
    <div class={why ? "signals asking-why" : "signals"}>
      <div class="row">
        <h1>Signals</h1>
        <div class="either" role="group" aria-label="What is listed">
          <button type="button" aria-pressed={!raw} onClick={() => choose({show: null})}>Channels</button>
          <button type="button" aria-pressed={raw} onClick={() => choose({show: "frames"})}>Raw frames</button>
        </div>
        <label class="find"><span class="unseen">{raw ? "Find an id or a message" : "Find a channel"}</span>
          <input id="find" type="search" placeholder={raw ? "Find an id or a message" : "Find a channel"} value={find} onInput={({currentTarget}) => choose({find: currentTarget.value || null})} />
        </label>
      </div>
      <div class="listed">
        {raw ? <RawFrames words={words} /> : <Channels words={words} />}
      </div>
      {why && <Why key="why" channel={why} />}
    </div>
  );
}

function Channels({words}: {words: readonly string[]}) {
  const channels = live.channels.value;
  const groups = useMemo(() => grouped([...channels.values()]), [channels]);
  const found = (channel: Channel) => words.every((word) => `${channel.name} ${channel.facts.table}`.toLowerCase().includes(word));
  const pinned = pins.value.map((name) => channels.get(name)).filter((channel) => channel !== undefined).filter(found);
  const shown = groups.map(([title, members]) => [title, members.filter(found)] as const).filter(([, members]) => members.length > 0);
  const count = shown.reduce((sum, [, members]) => sum + members.length, 0);
  return (
    <>
      <p class="soft"><span id="count">{words.length ? `${count} of ${channels.size}` : channels.size}</span> channels{count === 0 && ": none has all of these words in its name or its message"}</p>
      <div class="groups">
        {pinned.length > 0 && <Group title="pinned" members={pinned} />}
        {shown.map(([title, members]) => <Group key={title} title={title} members={members} />)}
      </div>
    </>
  );
}

export function NoSession() {
  return (
    <Empty title="No session yet">
      <p>As soon as a frame is recorded, its channels are here.</p>
      <p>Without a car: <code>pitwall run --simulate</code></p>
    </Empty>
  );
}

// A message's channels stand together; derived ones, each alone in its table, in one group at the end.
function grouped(channels: readonly Channel[]): [string, Channel[]][] {
  const tables = new Map<string, Channel[]>();
  const derived: Channel[] = [];
  for (const channel of channels) {
    const {table} = channel.facts;
    if (table === channel.name) derived.push(channel);
    else tables.set(table, [...(tables.get(table) ?? []), channel]);
  }
  return [...tables, ...(derived.length ? [["derived", derived] as [string, Channel[]]] : [])];
}

function Group({title, members}: {title: string; members: readonly Channel[]}) {
  return (
    <section class="card group">
      <h2>{title}</h2>
      <ul>{members.map((channel) => <Row key={channel.name} channel={channel} />)}</ul>
    </section>
  );
}

function Row({channel}: {channel: Channel}) {
  const root = useRef<HTMLLIElement>(null);
  const value = useRef<HTMLSpanElement>(null);
  const rate = useRef<HTMLSpanElement>(null);
  const {facts, name} = channel;
  useDrawing(() => {
    const {v, most, whole, period} = channel;
    write(value.current, v === null ? "–" : number(v, facts.unit === "deg" && isPlace(name) ? 6 : digits(facts.unit, most, whole)));
    write(rate.current, period > 0 ? `${period < 0.1 ? Math.round(1 / period) : (1 / period).toFixed(1)}/s` : "");
    if (root.current) root.current.dataset["is"] = channel.t === null ? "never" : live.stale(channel) ? "stale" : "now";
  }, 5);
  const asked = route.value.query.get("why") === name;
  const isPinned = pins.value.includes(name);
  const pin = () => { pins.value = isPinned ? pins.value.filter((one) => one !== name) : [...pins.value, name]; };
  return (
    <li ref={root} class="signal" data-is="never" title={facts.source}>
      <button type="button" class="quiet pin" aria-pressed={isPinned} aria-label={`Pin ${name}`} onClick={pin}>{isPinned ? "★" : "☆"}</button>
      <button type="button" class="quiet name" aria-label={`Why ${name}`} aria-pressed={asked} onClick={() => choose({why: asked ? null : name})}>
        {name.split(/(?<=_)/).map((part, at) => <>{at > 0 && <wbr />}{part}</>)}
      </button>
      <Spark channel={channel} />
      <span ref={value} class="number">–</span>
      <span class="unit">{unitName(facts.unit)}</span>
      <span ref={rate} class="rate" />
      <Age channel={channel} always />
    </li>
  );
}

// Degrees of a place have six digits: 0.1 m.
function isPlace(name: string): boolean {
  return name === live.roles.value["lat"] || name === live.roles.value["lon"];
}
