// A canvas as sharp as the screen is, and the colours of the theme for it.

import {effect} from "@preact/signals";

import {theme} from "../settings";

export interface Pen {
  pen: CanvasRenderingContext2D;
  width: number; // CSS pixels
  height: number;
}

const boxes = new WeakMap<Element, DOMRectReadOnly>();
const watcher = new ResizeObserver((entries) => {
  for (const {target, contentRect} of entries) boxes.set(target, contentRect);
});

// What to draw with, in CSS pixels; null while the canvas has no size. Asks no layout: an observer tells sizes.
export function penOf(canvas: HTMLCanvasElement): Pen | null {
  let box = boxes.get(canvas);
  if (!box) {
    watcher.observe(canvas);
    box = canvas.getBoundingClientRect();
    boxes.set(canvas, box);
  }
  const {width, height} = box;
  if (width < 1 || height < 1) return null;
  const ratio = devicePixelRatio || 1;
  const wide = Math.round(width * ratio);
  const high = Math.round(height * ratio);
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, {width: wide, height: high});
  const pen = canvas.getContext("2d");
  if (!pen) return null;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.lineJoin = "bevel"; // round joins cost half as much again
  return {pen, width, height};
}

const found = new Map<string, string>();
let styles: CSSStyleDeclaration | null = null;

// A colour of the theme: colour("--trace").
export function colour(name: string): string {
  let value = found.get(name);
  if (value === undefined) {
    styles ??= getComputedStyle(document.documentElement);
    value = styles.getPropertyValue(name).trim();
    found.set(name, value);
  }
  return value;
}

// Grows when the theme has changed: what was drawn has to be drawn again.
export let themed = 0;
const changed = () => {
  found.clear();
  themed += 1;
};
effect(() => {
  theme.value;
  changed();
});
matchMedia("(prefers-color-scheme: light)").addEventListener("change", changed);

// The colours of laps that are laid over each other: the reference first.
export const LAP_COLOURS = ["--lap-1", "--lap-2", "--lap-3", "--lap-4", "--lap-5", "--lap-6"] as const;
