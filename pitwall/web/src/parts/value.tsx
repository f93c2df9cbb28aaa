// A channel's newest value in a driver's unit, and how old it is where that is too old.

import {useRef} from "preact/hooks";

import {useDrawing, write} from "../draw/loop";
import {live, type Channel} from "../live/live";
import {age, digits, number, shown} from "../numbers";

export interface Tile {
  title: string;
  channel: Channel;
}

// hz: how often it is written; a driver reads no more than ten numbers a second.
export function Value({channel, hz = 10, places}: {channel: Channel; hz?: number; places?: number}) {
  const root = useRef<HTMLSpanElement>(null);
  useDrawing(() => {
    const {factor, offset, places: usual} = shown(channel.facts.unit);
    const {v, most, whole} = channel;
    write(root.current?.firstElementChild, v === null ? "–" : number(v * factor + offset, places ?? usual ?? digits(channel.facts.unit, most, whole)));
    root.current?.classList.toggle("stale", live.stale(channel));
  }, hz);
  return (
    <span ref={root} class="value">
      <span class="number">–</span> <span class="unit">{shown(channel.facts.unit).unit}</span>
    </span>
  );
}

// How old a channel's value is, in words, and nothing where it is now.
export function Age({channel, always = false}: {channel: Channel; always?: boolean}) {
  const root = useRef<HTMLSpanElement>(null);
  useDrawing(() => {
    const seconds = live.age(channel);
    const told = seconds !== null && (always || live.stale(channel));
    write(root.current, told ? `${age(seconds)}${always ? "" : " old"}` : "");
    root.current?.classList.toggle("old", told && live.stale(channel));
  }, 5);
  return <span ref={root} class="age" />;
}
