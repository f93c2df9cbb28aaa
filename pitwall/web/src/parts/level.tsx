// A bar that fills with a channel: from its left, or out of its middle for what has two signs.

import {useRef} from "preact/hooks";

import {useDrawing} from "../draw/loop";
import type {Channel} from "../live/live";

// What fills it, until more has been seen: noise at a standstill is no full bar.
const FULL: Record<string, number> = {"%": 100, rpm: 6000, bar: 40, psi: 600};

export function Level({channel, centred = false, full}: {channel: Channel; centred?: boolean; full?: number}) {
  const fill = useRef<HTMLElement>(null);
  useDrawing(() => {
    const most = full ?? Math.max(channel.most, FULL[channel.facts.unit] ?? 0);
    const share = most > 0 && channel.v !== null ? channel.v / most : 0;
    if (fill.current) fill.current.style.transform = `scaleX(${centred ? Math.max(-1, Math.min(1, share)) : Math.max(0, Math.min(1, share))})`;
  }, 20);
  return <div class={centred ? "level centred" : "level"} aria-hidden="true"><i ref={fill} /></div>;
}
