// A strip of lines over a common x. Strips that share a cursor and a range move together: both are values of x, so that
// strips of any width and any data agree. What is null or NaN is a gap.

import "uplot/dist/uPlot.min.css";
import "./plot.css";

import type {Signal} from "@preact/signals";
import {useEffect, useMemo, useRef} from "preact/hooks";
import uPlot from "uplot";

import {number} from "../numbers";
import {colour, themed} from "./canvas";
import {useDrawing, write} from "./loop";
import {pointed} from "./pointing";

export type Range = readonly [from: number, to: number];
export type Numbers = ArrayLike<number | null>;

export interface Shared {
  cursor: Signal<number | null>;
  range: Signal<Range | null>; // null: all of it
}

export interface Line {
  label: string;
  colour: string; // a variable of the theme
  values: Numbers;
  x?: ArrayLike<number>; // where it has places of its own
  dash?: readonly number[];
  stepped?: boolean; // holds a value until the next one: a gear
}

// A stretch of x with a name, such as a corner; `at` is where the name stands.
export interface Band {
  name: string;
  from: number;
  to: number;
  at: number;
}

export interface Props {
  title: string;
  unit: string;
  x: ArrayLike<number>;
  lines: readonly Line[];
  shared: Shared;
  extent: Range; // of x, when nothing is zoomed
  told: (x: number) => string; // x in words
  read?: (x: number) => readonly string[]; // what each line says there
  bands?: readonly Band[];
  named?: boolean; // the bands' names stand on this strip
  axis?: boolean; // x is told below it
  within?: Range; // y shows at least this
  focusable?: boolean; // one of the strips is a stop of the Tab key; a click gives the keys to any
}

const MIN_DRAG_PX = 6; // less is a click
const MIN_SHARE = 0.005; // of the extent: no zoom goes further
const AXIS_PX = 46;
const STEPS = 250; // of the arrow keys over what is shown
const FONT = "11px system-ui, sans-serif";

export function Plot(props: Props) {
  const {title, unit, x, lines, shared, extent, read, bands, named = false, axis = false, within, focusable = false} = props;
  const root = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLSpanElement>(null);
  const plot = useRef<uPlot | null>(null);
  const newest = useRef(props);
  newest.current = props;
  const drawn = useRef(themed);
  const data = useMemo(() => aligned(x, lines), [x, lines]);
  const shape = lines.map((line) => `${line.colour} ${line.dash?.join(" ") ?? ""} ${line.stepped ?? false}`).join("|");

  useEffect(() => {
    const into = box.current as HTMLDivElement;
    const made = new uPlot(options(newest, into), data, into);
    plot.current = made;
    const {over} = made;
    const leave = pointed(over, {
      at: (left) => { shared.cursor.value = held(made.posToVal(left, "x"), newest.current.extent); },
      value: (left) => made.posToVal(left, "x"),
      pinched: (range) => { zoom(shared, range, newest.current.extent); },
      reset: () => { shared.range.value = null; },
    });
    const follow = shared.cursor.subscribe((at) => point(made, at));
    const frame = shared.range.subscribe((range) => {
      const [min, max] = range ?? newest.current.extent;
      made.batch(() => made.setScale("x", {min, max}));
      point(made, shared.cursor.peek());
    });
    const sizes = new ResizeObserver(() => {
      const {clientWidth: width, clientHeight: height} = into;
      if (width > 0 && height > 0 && (width !== made.width || height !== made.height)) {
        made.setSize({width, height});
        point(made, shared.cursor.peek());
      }
    });
    sizes.observe(into);
    return () => {
      leave();
      follow();
      frame();
      sizes.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, axis, named, shared]);

  useEffect(() => {
    const made = plot.current;
    if (!made) return;
    const [min, max] = shared.range.peek() ?? extent;
    made.batch(() => {
      made.setData(data, false);
      made.setScale("x", {min, max});
    });
    point(made, shared.cursor.peek());
  }, [data, bands, extent[0], extent[1], within?.[0], within?.[1], shape]);

  useEffect(() => shared.cursor.subscribe((at) => {
    const texts = at === null ? [] : newest.current.read?.(at) ?? [];
    const spans = head.current?.children ?? [];
    for (let i = 0; i < spans.length; i++) write(spans[i], texts[i] ?? "");
    if (!root.current || !newest.current.focusable) return;
    root.current.setAttribute("aria-valuenow", String(Math.round(at ?? newest.current.extent[0])));
    root.current.setAttribute("aria-valuetext", at === null ? "no place is chosen" : newest.current.told(at));
  }), [lines, read, shared]);

  // the units changed, or the theme
  useDrawing(() => {
    if (drawn.current === themed) return;
    drawn.current = themed;
    plot.current?.redraw(false);
  }, 5);

  const keys = (event: KeyboardEvent) => { if (press(event, shared, newest.current.extent)) event.preventDefault(); };
  const name = `${title}${unit && `, ${unit}`}: ${lines.map(({label}) => label).join(", ")}`;
  const slides = {role: "slider", tabIndex: 0, "aria-valuemin": Math.round(extent[0]), "aria-valuemax": Math.round(extent[1]), "aria-valuenow": Math.round(extent[0])} as const;
  return (
    <div ref={root} class={`plot${axis ? " with-axis" : ""}${named ? " with-names" : ""}`} aria-label={focusable ? `Cursor. ${name}` : name}
      onKeyDown={keys} {...(focusable ? slides : {role: "img" as const, tabIndex: -1})}>
      <p class="head">
        <b>{title}</b>{unit && <span class="soft"> {unit}</span>}
        <span ref={head} class="readings">{lines.map((line, at) => <i key={at} style={{color: `var(${line.colour})`}} />)}</span>
      </p>
      <div ref={box} class="box" />
    </div>
  );
}

// One x for all lines. A place that a line does not have is no gap in it; a null that it has, is.
function aligned(x: ArrayLike<number>, lines: readonly Line[]): uPlot.AlignedData {
  if (lines.every((line) => line.x === undefined)) return [Array.from(x), ...lines.map((line) => gaps(line.values))];
  return uPlot.join(lines.map((line) => [Array.from(line.x ?? x), gaps(line.values)] as uPlot.AlignedData));
}

function gaps(values: Numbers): (number | null)[] {
  return Array.from(values, (v) => (v === null || !Number.isFinite(v) ? null : v));
}

function options(newest: {current: Props}, into: HTMLElement): uPlot.Options {
  const {lines, axis, named, shared} = newest.current;
  const soft = () => colour("--soft");
  const grid = {stroke: () => colour("--line"), width: 1};
  return {
    width: Math.max(50, into.clientWidth),
    height: Math.max(30, into.clientHeight),
    padding: [named ? 16 : 6, 8, axis ? null : 5, 0],
    legend: {show: false},
    cursor: {
      y: false,
      drag: {x: true, y: false, setScale: false, dist: MIN_DRAG_PX},
      points: {size: 7, width: 1.5, stroke: () => colour("--card"), fill: (_, at) => colour(lines[at - 1]?.colour ?? "--trace")},
      bind: {mouseleave: () => null, dblclick: () => () => { shared.range.value = null; return null; }},
    },
    scales: {
      x: {time: false, range: (_, min, max) => [min, max]},
      y: {range: (_, min, max) => padded(min, max, newest.current.within)},
    },
    axes: [
      {stroke: soft, font: FONT, size: axis ? 26 : 0, gap: 4, grid, ticks: {show: false}, values: (_, places) => places.map((v) => (axis ? newest.current.told(v) : ""))},
      {stroke: soft, font: FONT, size: AXIS_PX, gap: 4, space: 24, grid, ticks: {show: false},
        values: (_, places, _axis, _space, step) => places.map((v) => number(v, step >= 1 ? 0 : step >= 0.1 ? 1 : 2))},
    ],
    series: [{}, ...lines.map((line): uPlot.Series => ({
      label: line.label, stroke: () => colour(line.colour), width: 1.6, points: {show: false},
      ...(line.dash ? {dash: [...line.dash]} : {}),
      ...(line.stepped && uPlot.paths.stepped ? {paths: uPlot.paths.stepped({align: 1})} : {}),
    }))],
    hooks: {
      drawClear: [(u) => drawBands(u, newest.current.bands ?? [], named ?? false)],
      setSelect: [(u) => {
        const {left, width} = u.select;
        if (width < MIN_DRAG_PX) return;
        zoom(shared, [u.posToVal(left, "x"), u.posToVal(left + width, "x")], newest.current.extent);
        u.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
      }],
    },
  };
}

function padded(min: number | null, max: number | null, within?: Range): [number, number] {
  const low = Math.min(min ?? Infinity, within?.[0] ?? Infinity);
  const high = Math.max(max ?? -Infinity, within?.[1] ?? -Infinity);
  if (low > high) return [0, 1];
  const pad = (high - low || 1) * 0.06;
  return [low - pad, high + pad];
}

function drawBands(u: uPlot, bands: readonly Band[], named: boolean): void {
  const {ctx: pen, bbox} = u;
  const ratio = devicePixelRatio || 1;
  pen.save();
  pen.beginPath();
  pen.rect(bbox.left, 0, bbox.width, bbox.top + bbox.height);
  pen.clip();
  pen.fillStyle = colour("--raised");
  for (const {from, to} of bands) {
    const left = u.valToPos(from, "x", true);
    pen.fillRect(left, bbox.top, u.valToPos(to, "x", true) - left, bbox.height);
  }
  if (named) {
    pen.font = `${11 * ratio}px system-ui, sans-serif`;
    pen.fillStyle = colour("--soft");
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    let free = -Infinity; // names that would stand on each other are left out
    for (const {name, at} of bands) {
      const middle = u.valToPos(at, "x", true);
      const half = pen.measureText(name).width / 2;
      if (middle - half < free) continue;
      pen.fillText(name, middle, bbox.top - 2 * ratio);
      free = middle + half + 4 * ratio;
    }
  }
  pen.restore();
}

function point(u: uPlot, at: number | null): void {
  const {min, max} = u.scales["x"] ?? {};
  const seen = at !== null && min != null && max != null && at >= min && at <= max;
  const left = seen ? u.valToPos(at, "x") : -10;
  if (Math.abs((u.cursor.left ?? -10) - left) > 0.5) u.setCursor({left, top: seen ? 1 : -10}, false);
}

function held(x: number, [from, to]: Range): number {
  return Math.min(to, Math.max(from, x));
}

// Shows that part of the extent; all of it where the part is not less.
export function zoom(shared: Shared, [from, to]: Range, extent: Range): void {
  const whole = extent[1] - extent[0];
  const size = Math.min(whole, Math.max(whole * MIN_SHARE, to - from));
  const begin = Math.min(Math.max(extent[0], (from + to - size) / 2), extent[1] - size);
  shared.range.value = size >= whole * 0.999 ? null : [begin, begin + size];
}

// Whether a key was one of ours: ← → (with Shift: ten times as far), Home, End, + and −, 0 or Escape for all of it.
function press(event: KeyboardEvent, shared: Shared, extent: Range): boolean {
  const [from, to] = shared.range.peek() ?? extent;
  const at = shared.cursor.peek() ?? from;
  const step = (to - from) / STEPS * (event.shiftKey ? 10 : 1);
  const places: Record<string, number> = {ArrowLeft: at - step, ArrowRight: at + step, Home: from, End: to};
  const closer: Record<string, number> = {"+": 0.5, "=": 0.5, "-": 2, "−": 2};
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.key in places) {
    const next = held(places[event.key] as number, extent);
    if (next < from || next > to) zoom(shared, [next - (to - from) / 2, next + (to - from) / 2], extent);
    shared.cursor.value = next;
  } else if (event.key in closer) {
    const size = (to - from) * (closer[event.key] as number);
    zoom(shared, [at - size * (at - from) / (to - from), at + size * (to - at) / (to - from)], extent);
  } else if (event.key === "0" || event.key === "Escape") shared.range.value = null;
  else return false;
  return true;
}
