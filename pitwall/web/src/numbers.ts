// Numbers in the API's units in, what a person reads out.

import {units} from "./settings";

const NAMES: Record<string, string> = {degC: "°C", degF: "°F", deg: "°", "deg/s": "°/s", kelvin: "K", percent: "%"};
const DIGITS: Record<string, number> = {rpm: 0, "%": 1, g: 2};

export interface Shown {
  unit: string;
  factor: number;
  offset: number;
  places: number | null; // digits that don't flicker; null: by size
}

type Choice = readonly [unit: string, factor: number, offset: number, places: number | null];

const METRIC: Record<string, Choice> = {
  "m/s": ["km/h", 3.6, 0, 0], rpm: ["rpm", 1, 0, 0], "%": ["%", 1, 0, 0], bar: ["bar", 1, 0, 1], degC: ["°C", 1, 0, 0], g: ["g", 1, 0, 2],
  m: ["m", 1, 0, 0],
};
const IMPERIAL: Record<string, Choice> = {
  ...METRIC, "m/s": ["mph", 2.2369363, 0, 0], bar: ["psi", 14.503774, 0, 0], degC: ["°F", 1.8, 32, 0],
};

// How a driver thinks of a unit; the API's own units stay what the engineer sees on Signals.
export function shown(unit: string): Shown {
  const [name, factor, offset, places] = (units.value === "imperial" ? IMPERIAL : METRIC)[unit] ?? [unitName(unit), 1, 0, null];
  return {unit: name, factor, offset, places};
}

export function unitName(unit: string): string {
  return NAMES[unit] ?? unit;
}

// Digits behind the point, by the largest value seen, so that a number keeps its width.
export function digits(unit: string, most: number, whole: boolean): number {
  if (unit in DIGITS) return DIGITS[unit] as number;
  if (whole) return 0;
  if (unit === "deg" && most > 0) return most < 1000 ? 2 : 0;
  if (most >= 1000) return 0;
  return most >= 100 ? 1 : 2;
}

export function number(value: number, places: number): string {
  const text = value.toFixed(places);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

// 102.318 s: 1:42.318; below a minute 42.318.
export function lapTime(seconds: number | null | undefined, places = 3): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const scale = 10 ** places;
  const ticks = Math.round(Math.abs(seconds) * scale);
  const minutes = Math.floor(ticks / (60 * scale));
  const rest = ((ticks - minutes * 60 * scale) / scale).toFixed(places);
  const sign = seconds < 0 && ticks > 0 ? "−" : "";
  return minutes > 0 ? `${sign}${minutes}:${rest.padStart(places > 0 ? places + 3 : 2, "0")}` : `${sign}${rest}`;
}

// What is lost is +, what is gained is −: never a bare number.
export function delta(seconds: number | null | undefined, places = 2): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const text = Math.abs(seconds).toFixed(places);
  if (Number(text) === 0) return `±${text}`;
  return seconds > 0 ? `+${text}` : `−${text}`;
}

export function age(seconds: number): string {
  if (seconds < 9.5) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

// 4,210 s: 1 h 10 min
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(count: number): string {
  const names = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (count >= 1000 && at < names.length - 1) {
    count /= 1000;
    at += 1;
  }
  return `${count.toFixed(at > 0 && count < 10 ? 1 : 0)} ${names[at]}`;
}

// An ISO time as the reader's own clock has it.
export function moment(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : at.toLocaleString(undefined, {dateStyle: "medium", timeStyle: "short"});
}
