// Who draws says how often; the browser says when. Nothing is drawn on a page that nobody sees.
//
// All draw on one beat (20, 10, 5, … a second fall together): what a frame costs a browser beside what is drawn, it costs once.

import {useEffect, useRef} from "preact/hooks";

interface Drawer {
  draw: (now: number) => void;
  every: number; // ms
  drawn: number; // the number of the beat, one `every` ms
}

const EARLY_MS = 4; // a frame that comes a little early is the one that was meant
const drawers = new Set<Drawer>();
let asked = 0;

function frame(now: number): void {
  asked = drawers.size > 0 ? requestAnimationFrame(frame) : 0;
  for (const drawer of drawers) {
    const beat = Math.floor((now + EARLY_MS) / drawer.every);
    if (beat === drawer.drawn) continue;
    drawer.drawn = beat;
    drawer.draw(now);
  }
}

export function drawing(draw: (now: number) => void, hz: number): () => void {
  const drawer = {draw, every: 1000 / hz, drawn: -Infinity};
  drawers.add(drawer);
  asked ||= requestAnimationFrame(frame);
  return () => drawers.delete(drawer);
}

// `draw` at most `hz` times a second, for as long as the component is there; always the newest `draw`.
export function useDrawing(draw: (now: number) => void, hz: number): void {
  const newest = useRef(draw);
  newest.current = draw;
  useEffect(() => drawing((now) => newest.current(now), hz), [hz]);
}

// Text is written only where it differs (a write that changes nothing still costs a layout), into the node that is there.
export function write(node: Element | null | undefined, text: string): void {
  if (!node || node.textContent === text) return;
  const {firstChild} = node;
  if (firstChild instanceof Text && firstChild === node.lastChild) firstChild.data = text;
  else node.textContent = text;
}
