// A mouse and fingers in, what they mean out: a mouse and one finger move the cursor, two fingers zoom so that each keeps
// the place it holds, two taps reset. Up and down stay the page's own, to scroll it.

import type {Range} from "./plot";

const TAP_MS = 300;
const TAP_PX = 25;

interface Meaning {
  at: (left: number) => void;
  value: (left: number) => number; // of x at that many pixels
  pinched: (range: Range) => void;
  reset: () => void;
}

export function pointed(over: HTMLElement, {at, value, pinched, reset}: Meaning): () => void {
  const fingers = new Map<number, {left: number; held: number}>(); // where each is, and the x it took hold of
  let tapped = {time: -Infinity, left: 0};
  let first = 0; // where the finger came down that may become a tap

  const left = (event: PointerEvent) => event.clientX - over.getBoundingClientRect().left;
  const down = (event: PointerEvent) => {
    if (event.pointerType !== "touch") return;
    first = left(event);
    fingers.set(event.pointerId, {left: first, held: value(first)});
    if (fingers.size === 1) at(first);
    for (const finger of fingers.values()) finger.held = value(finger.left);
  };
  const move = (event: PointerEvent) => {
    if (event.pointerType === "mouse") at(left(event));
    const finger = fingers.get(event.pointerId);
    if (!finger) return;
    finger.left = left(event);
    const [a, b] = [...fingers.values()].sort((one, other) => one.held - other.held);
    if (!a) return;
    if (!b) at(finger.left);
    else if (b.left - a.left > 10) {
      const scale = (b.held - a.held) / (b.left - a.left);
      const from = a.held - a.left * scale;
      pinched([from, from + over.clientWidth * scale]);
    }
  };
  const up = (event: PointerEvent) => {
    if (!fingers.delete(event.pointerId) || fingers.size > 0 || event.type !== "pointerup") return;
    const here = left(event);
    const now = performance.now();
    const still = Math.abs(here - first) < TAP_PX;
    if (still && now - tapped.time < TAP_MS && Math.abs(here - tapped.left) < TAP_PX) reset();
    tapped = {time: still ? now : -Infinity, left: here};
  };
  over.addEventListener("pointerdown", down);
  over.addEventListener("pointermove", move);
  over.addEventListener("pointerup", up);
  over.addEventListener("pointercancel", up);
  return () => {
    over.removeEventListener("pointerdown", down);
    over.removeEventListener("pointermove", move);
    over.removeEventListener("pointerup", up);
    over.removeEventListener("pointercancel", up);
  };
}
