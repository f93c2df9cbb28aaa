// A share of a range in, a colour out. Lightness alone tells the order, so that it is the same to every eye; the legend
// has its ends in numbers.
//
// The ramps are straight in OKLab (B. Ottosson, "A perceptual color space for image processing", 2020).

import {useRef} from "preact/hooks";

import {number} from "../numbers";
import {colour, penOf, themed} from "./canvas";
import {useDrawing} from "./loop";

export type Scale = "rising" | "balance"; // from little to much; out of a middle, to two sides
const STEPS = 32; // more can't be told apart on a track a few pixels wide

type Lab = readonly [light: number, chroma: number, hue: number];
// [at share 0, 1/2, 1] on a dark ground, and on a light one
const STOPS: Record<Scale, {dark: readonly [Lab, Lab, Lab]; light: readonly [Lab, Lab, Lab]}> = {
  rising: {dark: [[.47, .16, 290], [.70, .11, 190], [.93, .17, 105]], light: [[.80, .15, 95], [.56, .10, 195], [.30, .15, 295]]},
  balance: {dark: [[.72, .15, 240], [.42, .01, 250], [.78, .16, 60]], light: [[.48, .15, 250], [.82, .01, 250], [.55, .15, 50]]},
};

function rgb([light, chroma, hue]: Lab): string {
  const [a, b] = [chroma * Math.cos(hue * Math.PI / 180), chroma * Math.sin(hue * Math.PI / 180)];
  const [l, m, s] = [light + .3963377774 * a + .2158037573 * b, light - .1055613458 * a - .0638541728 * b, light - .0894841775 * a - 1.291485548 * b]
    .map((root) => root ** 3) as [number, number, number];
  const linear = [4.0767416621 * l - 3.3077115913 * m + .2309699292 * s, -1.2684380046 * l + 2.6097574011 * m - .3413193965 * s, -.0041960863 * l - .7034186147 * m + 1.707614701 * s];
  const shown = linear.map((c) => Math.round(255 * Math.max(0, Math.min(1, c <= .0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - .055))));
  return `rgb(${shown.join(" ")})`;
}

function between(from: Lab, to: Lab, share: number): Lab {
  const of = (i: 0 | 1 | 2) => from[i] + (to[i] - from[i]) * share;
  return [of(0), of(1), of(2)];
}

function made(scale: Scale): readonly string[] {
  const ground = colour("--ground");
  const isLight = ground.length === 7 && parseInt(ground.slice(3, 5), 16) > 127;
  const [low, middle, high] = STOPS[scale][isLight ? "light" : "dark"];
  return Array.from({length: STEPS}, (_, at) => {
    const share = at / (STEPS - 1);
    return rgb(share < .5 ? between(low, middle, share * 2) : between(middle, high, share * 2 - 1));
  });
}

let ramps: Partial<Record<Scale, readonly string[]>> = {};
let of = -1;

// The scale's colours, from its low end to its high one, as the theme has them.
export function ramp(scale: Scale): readonly string[] {
  if (of !== themed) [ramps, of] = [{}, themed];
  return ramps[scale] ??= made(scale);
}

// The number of the ramp's colour for a value; -1: there is no value.
export function step(value: number, [low, high]: readonly [number, number]): number {
  if (!Number.isFinite(value)) return -1;
  return high > low ? Math.max(0, Math.min(STEPS - 1, Math.floor((value - low) / (high - low) * STEPS))) : 0;
}

// What the colours mean, in numbers.
export function Legend({scale, range: [low, high], unit, title, places = 0}: {scale: Scale; range: readonly [number, number]; unit: string; title: string; places?: number}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useRef("");
  useDrawing(() => {
    const tool = canvas.current && penOf(canvas.current);
    if (!tool) return;
    const {pen, width, height} = tool;
    const key = [scale, themed, width, height].join();
    if (key === drawn.current) return;
    drawn.current = key;
    const colours = ramp(scale);
    colours.forEach((one, at) => {
      pen.fillStyle = one;
      pen.fillRect(at * width / colours.length, 0, width / colours.length + 1, height);
    });
  }, 2);
  return (
    <p class="legend">
      <span>{title}</span> <span class="low">{number(low, places)}</span>
      <canvas ref={canvas} aria-hidden="true" />
      <span class="high">{number(high, places)}</span> <span class="soft">{unit}</span>
    </p>
  );
}
