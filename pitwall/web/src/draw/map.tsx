// Paths, corners and lines by latitude and longitude in, a map out, north up; dots move on it.
//
// What stands still is drawn once, into a canvas of its own; a frame copies that and draws the dots. Zoom by the
// buttons, + and −, a pinch, or the wheel with Ctrl (the bare wheel is the page's); a drag moves what is zoomed.

import "./map.css";

import {useEffect, useMemo, useRef} from "preact/hooks";

import {colour, penOf, themed} from "./canvas";
import {useDrawing} from "./loop";
import {box, plane, type Places, type Plane} from "./plane";
import {ramp, step, type Scale} from "./scale";

export interface Path extends Places {
  values?: ArrayLike<number> | undefined; // one a place: coloured by `scale` over `range`; without, in one colour
  range?: readonly [number, number] | undefined;
  scale?: Scale | undefined;
  colour?: string | undefined; // of the theme: "--trace"
  width?: number | undefined; // px
  dash?: readonly number[] | undefined;
}

export type Place = readonly [lat: number, lon: number];

export interface Marks {
  corners: readonly {name: string; at: Place}[];
  lines: readonly {name: string; a: Place; b: Place; main?: boolean}[]; // main: start and finish
}

export interface Dot {
  lat: number;
  lon: number;
  colour: string; // of the theme
  label?: string | undefined;
  trail?: Places | undefined; // where it was, oldest first: fades towards its beginning
  hollow?: boolean | undefined;
}

interface Given {
  label: string; // what is shown, for who can't see it
  paths: readonly Path[];
  marks?: Marks | null;
  dots?: () => readonly Dot[]; // read for every frame
  hz?: number;
  onTap?: (lat: number, lon: number) => void;
  onHover?: (place: Place | null) => void;
}

interface View { // how it is zoomed: 1 shows all; the middle in metres from all's middle
  zoom: number;
  x: number;
  y: number;
}

interface Frame { // from the plane to the canvas
  plane: Plane;
  scale: number; // px a metre
  left: number;
  top: number;
}

const PAD = 26; // px: names stand beside the path
const MOST_ZOOM = 40;
const NAMED_BY = 400; // places of the path that a name keeps away from
const TAP_PX = 6; // a finger that moved less has tapped
const FONT = "system-ui, sans-serif";

export function TrackMap({label, paths, marks = null, dots, hz = 30, onTap, onHover}: Given) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const still = useRef<HTMLCanvasElement | null>(null);
  const view = useRef<View>({zoom: 1, x: 0, y: 0});
  const drawn = useRef({still: "", dots: "", given: [] as unknown[]});
  const all = useMemo(() => box([...paths, ...(marks?.lines ?? []).map(({a, b}) => ({lat: [a[0], b[0]], lon: [a[1], b[1]]}))]), [paths, marks]);

  const frameOf = (width: number, height: number): Frame | null => {
    if (!all) return null;
    const made = plane((all.south + all.north) / 2, (all.west + all.east) / 2);
    const wide = Math.max(20, made.x(all.east) - made.x(all.west));
    const high = Math.max(20, made.y(all.north) - made.y(all.south));
    const {zoom, x, y} = view.current;
    const scale = Math.min(Math.max(1, width - 2 * PAD) / wide, Math.max(1, height - 2 * PAD) / high) * zoom;
    return {plane: made, scale, left: width / 2 - x * scale, top: height / 2 + y * scale};
  };

  useDrawing(() => {
    const tool = canvas.current && penOf(canvas.current);
    if (!tool) return;
    const {pen, width, height} = tool;
    const frame = frameOf(width, height);
    const moving = frame ? dots?.() ?? [] : [];
    const key = [themed, width, height, devicePixelRatio, ...Object.values(view.current)].join();
    const dotted = JSON.stringify(moving.map(({trail, ...dot}) => [dot, trail?.lat.length]));
    const same = key === drawn.current.still && drawn.current.given[0] === paths && drawn.current.given[1] === marks;
    if (same && dotted === drawn.current.dots) return;
    drawn.current = {still: key, dots: dotted, given: [paths, marks]};
    still.current ??= document.createElement("canvas");
    if (!same) drawStill(still.current, pen, frame, paths, marks, width, height);
    pen.clearRect(0, 0, width, height);
    pen.drawImage(still.current, 0, 0, width, height);
    if (frame) for (const dot of moving) drawDot(pen, frame, dot);
  }, hz);

  const zoomBy = (factor: number, px?: number, py?: number) => {
    const el = canvas.current;
    if (!el) return;
    const {width, height} = el.getBoundingClientRect();
    const frame = frameOf(width, height);
    if (!frame) return;
    const now = view.current;
    const zoom = Math.max(1, Math.min(MOST_ZOOM, now.zoom * factor));
    // what is under the finger stays there
    const [dx, dy] = [(px ?? width / 2) - width / 2, (py ?? height / 2) - height / 2];
    const [x, y] = [now.x + dx / frame.scale, now.y - dy / frame.scale];
    const scale = frame.scale * zoom / now.zoom;
    view.current = zoom === 1 ? {zoom, x: 0, y: 0} : {zoom, x: x - dx / scale, y: y + dy / scale};
    el.style.touchAction = zoom > 1 ? "none" : "pan-y";
  };
  const moveBy = (dx: number, dy: number) => {
    const el = canvas.current;
    const frame = el && frameOf(el.clientWidth, el.clientHeight);
    if (!frame || view.current.zoom <= 1) return;
    view.current = {...view.current, x: view.current.x - dx / frame.scale, y: view.current.y + dy / frame.scale};
  };
  const placeAt = (px: number, py: number): Place | null => {
    const el = canvas.current;
    const frame = el && frameOf(el.clientWidth, el.clientHeight);
    return frame ? [frame.plane.lat((frame.top - py) / frame.scale), frame.plane.lon((px - frame.left) / frame.scale)] : null;
  };

  const hands = useRef({zoomBy, moveBy, placeAt, onTap, onHover});
  hands.current = {zoomBy, moveBy, placeAt, onTap, onHover};
  useEffect(() => (canvas.current ? touching(canvas.current, () => hands.current) : undefined), []);

  const onKey = (event: KeyboardEvent) => {
    const act: Record<string, () => void> = {
      "+": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), 0: () => zoomBy(0),
      ArrowLeft: () => moveBy(40, 0), ArrowRight: () => moveBy(-40, 0), ArrowUp: () => moveBy(0, 40), ArrowDown: () => moveBy(0, -40),
    };
    const found = act[event.key];
    if (!found || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    found();
  };
  return (
    <div class="map">
      <canvas ref={canvas} role="img" aria-label={label} />
      <div class="zoom" role="group" aria-label="Zoom" onKeyDown={onKey}>
        <button type="button" aria-label="Zoom in" onClick={() => zoomBy(1.5)}>+</button>
        <button type="button" aria-label="Zoom out" onClick={() => zoomBy(1 / 1.5)}>−</button>
      </div>
    </div>
  );
}

interface Hands {
  zoomBy: (factor: number, px?: number, py?: number) => void;
  moveBy: (dx: number, dy: number) => void;
  placeAt: (px: number, py: number) => Place | null;
  onTap: ((lat: number, lon: number) => void) | undefined;
  onHover: ((place: Place | null) => void) | undefined;
}

// What fingers, a mouse and its wheel do on it.
function touching(canvas: HTMLCanvasElement, hands: () => Hands): () => void {
  const down = new Map<number, {x: number; y: number}>();
  let moved = 0;
  const at = (event: MouseEvent) => {
    const {left, top} = canvas.getBoundingClientRect();
    return {x: event.clientX - left, y: event.clientY - top};
  };
  const spread = () => {
    const [one, other] = [...down.values()];
    return one && other ? Math.hypot(one.x - other.x, one.y - other.y) : 0;
  };
  const listen: {[K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void} = {
    pointerdown: (event) => {
      down.set(event.pointerId, at(event));
      if (down.size === 1) moved = 0;
      if (event.isTrusted) canvas.setPointerCapture(event.pointerId);
    },
    pointermove: (event) => {
      const now = at(event);
      const before = down.get(event.pointerId);
      if (!before) {
        const place = hands().onHover && hands().placeAt(now.x, now.y);
        if (place) hands().onHover?.(place);
        return;
      }
      const wide = spread();
      down.set(event.pointerId, now);
      moved += Math.hypot(now.x - before.x, now.y - before.y);
      if (down.size === 1) hands().moveBy(now.x - before.x, now.y - before.y);
      else if (wide > 0) hands().zoomBy(spread() / wide, now.x, now.y);
    },
    pointerup: (event) => {
      const now = at(event);
      const tapped = down.delete(event.pointerId) && down.size === 0 && moved < TAP_PX;
      const place = tapped ? hands().placeAt(now.x, now.y) : null;
      if (!place) return;
      hands().onTap?.(...place);
      if (event.pointerType !== "mouse") hands().onHover?.(place);
    },
    pointercancel: (event) => { down.delete(event.pointerId); },
    pointerleave: (event) => { if (event.pointerType === "mouse") hands().onHover?.(null); },
    dblclick: () => { if (!hands().onTap) hands().zoomBy(0); },
    wheel: (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const {x, y} = at(event);
      hands().zoomBy(Math.exp(-event.deltaY / 200), x, y);
    },
  };
  const all = Object.entries(listen) as [string, EventListener][];
  for (const [name, listener] of all) canvas.addEventListener(name, listener, {passive: false});
  return () => { for (const [name, listener] of all) canvas.removeEventListener(name, listener); };
}

type Pen2D = CanvasRenderingContext2D;

function drawStill(into: HTMLCanvasElement, like: Pen2D, frame: Frame | null, paths: readonly Path[], marks: Marks | null, width: number, height: number): void {
  Object.assign(into, {width: like.canvas.width, height: like.canvas.height}); // which empties it
  const pen = into.getContext("2d");
  if (!pen || !frame) return;
  pen.setTransform(like.getTransform());
  pen.lineJoin = "bevel";
  for (const path of paths) drawPath(pen, frame, path);
  if (marks) drawMarks(pen, frame, paths, marks, width, height);
}

const xOf = ({plane: {x}, scale, left}: Frame, lon: number) => left + x(lon) * scale;
const yOf = ({plane: {y}, scale, top}: Frame, lat: number) => top - y(lat) * scale;

function drawPath(pen: Pen2D, frame: Frame, {lat, lon, values, range = [0, 1], scale = "rising", colour: name = "--trace", width = 2, dash = []}: Path): void {
  const colours = values ? ramp(scale) : [];
  const inkOf = (i: number) => {
    const found = values ? step(values[i] as number, range) : -1;
    return found < 0 ? colour(values ? "--line" : name) : colours[found] as string;
  };
  pen.lineWidth = width;
  pen.setLineDash(dash as number[]);
  let ink = "";
  let open = false;
  pen.beginPath();
  for (let i = 0; i < lat.length; i++) {
    const [x, y] = [xOf(frame, lon[i] as number), yOf(frame, lat[i] as number)];
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      open = false;
      continue;
    }
    if (open) pen.lineTo(x, y);
    const next = inkOf(i);
    if (open && next === ink) continue;
    if (ink && next !== ink) {
      pen.strokeStyle = ink;
      pen.stroke();
      pen.beginPath();
    }
    pen.moveTo(x, y);
    [ink, open] = [next, true];
  }
  pen.strokeStyle = ink || colour(name);
  pen.stroke();
  pen.setLineDash([]);
}

// Lines, and names: each where it is furthest from the path and from the names before it.
function drawMarks(pen: Pen2D, frame: Frame, paths: readonly Path[], {corners, lines}: Marks, width: number, height: number): void {
  for (const {a, b, main} of lines) {
    pen.strokeStyle = colour(main ? "--ink" : "--soft");
    pen.lineWidth = main ? 3 : 2;
    pen.beginPath();
    pen.moveTo(xOf(frame, a[1]), yOf(frame, a[0]));
    pen.lineTo(xOf(frame, b[1]), yOf(frame, b[0]));
    pen.stroke();
  }
  const named = [
    ...lines.map(({name, a, b, main}) => ({name, at: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] as Place, ink: main ? "--ink" : "--soft"})),
    ...corners.map(({name, at}) => ({name, at, ink: "--ink"})),
  ];
  const [path] = paths;
  const every = path ? Math.max(1, Math.floor(path.lat.length / NAMED_BY)) : 1;
  const taken: {x: number; y: number; half: number}[] = [];
  for (let i = 0; path && i < path.lat.length; i += every) taken.push({x: xOf(frame, path.lon[i] as number), y: yOf(frame, path.lat[i] as number), half: 0});
  pen.font = `600 12px ${FONT}`;
  pen.textBaseline = "middle";
  pen.textAlign = "center";
  pen.lineWidth = 3;
  pen.lineJoin = "round";
  for (const {name, at, ink} of named) {
    const [x, y] = [xOf(frame, at[1]), yOf(frame, at[0])];
    if (x < -20 || x > width + 20 || y < -20 || y > height + 20) continue;
    const half = pen.measureText(name).width / 2;
    let found = {x, y, half, room: -Infinity};
    for (let turn = 0; turn < 8; turn++) {
      const [dx, dy] = [Math.cos(turn * Math.PI / 4), Math.sin(turn * Math.PI / 4)];
      const to = {x: Math.max(half + 2, Math.min(width - half - 2, x + dx * (12 + half))), y: Math.max(8, Math.min(height - 8, y + dy * 16))};
      let room = Infinity;
      for (const one of taken) room = Math.min(room, Math.max(Math.abs(one.x - to.x) - one.half - half, Math.abs(one.y - to.y) - (one.half ? 13 : 7)));
      if (room > found.room + 1) found = {...to, half, room};
    }
    taken.push(found);
    pen.strokeStyle = colour("--card");
    pen.strokeText(name, found.x, found.y);
    pen.fillStyle = colour(ink);
    pen.fillText(name, found.x, found.y);
  }
  pen.lineJoin = "bevel";
}

const RADIUS = 7;
const BANDS = 12; // steps in which a trail fades: each is a line of its own to draw

function drawDot(pen: Pen2D, frame: Frame, {lat, lon, colour: name, label, trail, hollow}: Dot): void {
  const ink = colour(name);
  if (trail) {
    const count = trail.lat.length;
    pen.strokeStyle = ink;
    pen.lineWidth = 4;
    for (let band = 0; band < BANDS; band++) {
      const [from, to] = [band, band + 1].map((one) => Math.round(one * (count - 1) / BANDS)) as [number, number];
      pen.globalAlpha = .1 + .7 * (band + 1) / BANDS;
      pen.beginPath();
      for (let i = from; i <= to && i < count; i++) pen.lineTo(xOf(frame, trail.lon[i] as number), yOf(frame, trail.lat[i] as number));
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }
  const [x, y] = [xOf(frame, lon), yOf(frame, lat)];
  if (!Number.isFinite(x) || !Number.isFinite(y)) return;
  pen.beginPath();
  pen.arc(x, y, RADIUS, 0, 2 * Math.PI);
  pen.fillStyle = hollow ? colour("--card") : ink;
  pen.fill();
  pen.lineWidth = 2.5;
  pen.strokeStyle = hollow ? ink : colour("--card");
  pen.stroke();
  if (!label) return;
  pen.font = `700 12px ${FONT}`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.lineWidth = 3;
  pen.strokeStyle = colour("--card");
  pen.strokeText(label, x + RADIUS + 4, y);
  pen.fillStyle = colour("--ink");
  pen.fillText(label, x + RADIUS + 4, y);
}
