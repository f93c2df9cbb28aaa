// Channels' last minute in, a strip that rolls out: now at the right. Two lines are told apart by more than their colour.

import "./strip.css";

import {useRef} from "preact/hooks";

import {live, MINUTE, type Channel} from "../live/live";
import {digits, number, shown} from "../numbers";
import {Value} from "../parts/value";
import {colour, penOf, themed} from "./canvas";
import {useDrawing} from "./loop";

const COLUMN_NS = MINUTE[1];
const SECONDS = MINUTE[0] * COLUMN_NS / 1e9;
const PIECE = 60; // a long line is drawn in pieces: the time that one takes grows faster than its length
const GAP_NS = 1e9; // a line bridges no more, but for slow channels
const HZ = 10; // a strip of 600 px moves one with each

export interface Line {
  channel: Channel;
  title: string;
  colour: string;
  how?: "line" | "filled" | "steps";
  range?: readonly [number, number]; // in the channel's own unit; it grows with what is seen
}

// marks: ns since the session began, where a line stands: laps begin there
export function Strip({title, lines, marks, foot = false}: {title: string; lines: readonly Line[]; marks: () => readonly {t: number; name: string}[]; foot?: boolean}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useRef("");
  useDrawing(() => {
    const tool = canvas.current && penOf(canvas.current);
    const now = live.until();
    if (!tool || now === null) return;
    const {pen, width, height} = tool;
    const state = [themed, width, height, Math.round(now / 1e7), lines.map(({channel}) => channel.t)].join();
    if (state === drawn.current) return; // paused, or the server is gone
    drawn.current = state;
    const plot = {left: 0, right: width, top: 3, bottom: height - (foot ? 18 : 3)};
    const x = (t: number) => plot.right - (now - t) / 1e9 / SECONDS * (plot.right - plot.left);
    const step = Math.max(1, Math.ceil(MINUTE[0] / width)); // columns that stand on one pixel are one
    pen.clearRect(0, 0, width, height);
    grid(pen, plot, x, now, foot);
    for (const {t, name} of marks()) if (t <= now && x(t) > plot.left) mark(pen, plot, x(t), name);
    const labels: string[] = [];
    for (const line of lines) labels.push(trace(pen, plot, x, step, line));
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "left";
    pen.lineWidth = 3;
    pen.strokeStyle = colour("--card");
    pen.fillStyle = colour("--soft");
    pen.textBaseline = "top";
    pen.strokeText(labels[0] ?? "", 2, 2);
    pen.fillText(labels[0] ?? "", 2, 2);
  }, HZ);
  return (
    <figure class="strip">
      <figcaption>
        {lines.map(({channel, title: name, colour: ink, how = "line"}) => (
          <span key={channel.name} class="named"><Sample ink={ink} how={how} />{name} <Value channel={channel} hz={5} /></span>
        ))}
      </figcaption>
      <canvas ref={canvas} role="img" aria-label={`${title}, the last ${SECONDS} seconds`} class={foot ? "foot" : ""} />
    </figure>
  );
}

// How a line looks, beside its name.
function Sample({ink, how}: {ink: string; how: NonNullable<Line["how"]>}) {
  return (
    <svg class="sample" width="20" height="10" aria-hidden="true" style={{color: `var(${ink})`}}>
      {how === "filled" && <rect x="0" y="2" width="20" height="8" fill="currentColor" opacity=".35" />}
      <path d={how === "steps" ? "M0 8h7V3h6v5h7" : how === "filled" ? "M0 2h20" : "M0 5h20"} fill="none" stroke="currentColor" stroke-width="2" />
    </svg>
  );
}

interface Plot {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

function grid(pen: CanvasRenderingContext2D, {left, right, top, bottom}: Plot, x: (t: number) => number, now: number, foot: boolean): void {
  pen.lineWidth = 1;
  pen.strokeStyle = colour("--line");
  pen.beginPath();
  pen.moveTo(left, bottom);
  pen.lineTo(right, bottom);
  for (let s = 10; s < SECONDS; s += 10) {
    const at = Math.round(x(now - s * 1e9)) + .5;
    pen.moveTo(at, top);
    pen.lineTo(at, bottom);
  }
  pen.stroke();
  if (!foot) return;
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "top";
  pen.textAlign = "center";
  pen.fillStyle = colour("--soft");
  for (let s = 10; s < SECONDS; s += 10) pen.fillText(`−${s} s`, x(now - s * 1e9), bottom + 4);
  pen.textAlign = "right";
  pen.fillText("now", right - 1, bottom + 4);
}

function mark(pen: CanvasRenderingContext2D, {top, bottom}: Plot, x: number, name: string): void {
  pen.strokeStyle = colour("--soft");
  pen.lineWidth = 1.5;
  pen.setLineDash([3, 3]);
  pen.beginPath();
  pen.moveTo(x, top);
  pen.lineTo(x, bottom);
  pen.stroke();
  pen.setLineDash([]);
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "left";
  pen.textBaseline = "top";
  pen.fillStyle = colour("--soft");
  pen.fillText(name, x + 3, top);
}

interface Seen {
  i: number; // its newest column
  low: number;
  high: number;
  last: number;
}

// Draws it, every `step` columns as one; what its top and bottom mean.
function trace(pen: CanvasRenderingContext2D, {right, top, bottom}: Plot, x: (t: number) => number, step: number, {channel, colour: ink, how = "line", range}: Line): string {
  const kept = channel.minute;
  if (!kept || kept.first < 0) return "";
  const {low, high, last, columns, oldest, newest} = kept;
  let [least, most] = range ?? [Infinity, -Infinity];
  const seen: Seen[] = [];
  for (let i = oldest; i <= newest; i++) {
    const at = i % columns;
    const [under, over, v] = [low[at] as number, high[at] as number, last[at] as number];
    if (Number.isNaN(under)) continue;
    least = Math.min(least, under);
    most = Math.max(most, over);
    const before = seen[seen.length - 1];
    // by columns of the session, not of the screen: what has been drawn keeps its shape while it moves
    if (before && Math.floor(before.i / step) === Math.floor(i / step)) Object.assign(before, {low: Math.min(before.low, under), high: Math.max(before.high, over), last: v, i});
    else seen.push({i, low: under, high: over, last: v});
  }
  if (!(least <= most)) return "";
  const scale = most > least ? (bottom - top - 4) / (most - least) : 0;
  const y = (v: number) => bottom - 2 - (v - least) * scale;
  const gap = Math.max(GAP_NS, 4 * channel.period * 1e9) / COLUMN_NS;
  const zero = y(Math.max(least, Math.min(most, 0)));
  if (least < 0 && most > 0) {
    pen.strokeStyle = colour("--line");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(0, zero);
    pen.lineTo(right, zero);
    pen.stroke();
  }
  pen.strokeStyle = pen.fillStyle = colour(ink);
  pen.lineWidth = 1.6;
  for (let from = 0, to = 0; from < seen.length; from = to) {
    to = from + 1;
    while (to < seen.length && (seen[to] as Seen).i - (seen[to - 1] as Seen).i <= gap) to += 1;
    const run = seen.slice(from, to);
    const first = x((run[0] as Seen).i * COLUMN_NS);
    pen.beginPath();
    let before = NaN;
    let until = first;
    for (const [at, {i, low: under, high: over, last: v}] of run.entries()) {
      if (at > 0 && at % PIECE === 0) {
        pen.stroke();
        pen.beginPath();
        pen.moveTo(until, y(before));
      }
      until = Math.min(right, x((i + .5) * COLUMN_NS));
      if (how === "steps") {
        if (!Number.isNaN(before)) pen.lineTo(until, y(before));
      } else if (over > under) {
        pen.lineTo(until, y(under));
        pen.lineTo(until, y(over));
      }
      pen.lineTo(until, y(v));
      before = v;
    }
    pen.stroke();
    if (how !== "filled") continue;
    pen.beginPath();
    pen.moveTo(first, zero);
    for (const {i, high: over} of run) pen.lineTo(Math.min(right, x((i + .5) * COLUMN_NS)), y(over));
    pen.lineTo(until, zero);
    pen.globalAlpha = .25;
    pen.fill();
    pen.globalAlpha = 1;
  }
  const {factor, offset, places, unit} = shown(channel.facts.unit);
  const say = (v: number) => number(v * factor + offset, places ?? digits(channel.facts.unit, channel.most, channel.whole));
  return `${say(most)} ${unit}`;
}
