// What the reader chose, from one visit to the next.

import {effect, signal, type Signal} from "@preact/signals";

const KEPT = "pitwall";

type Units = "metric" | "imperial";
type Theme = "system" | "dark" | "light";
export type Level = "novice" | "intermediate" | "advanced";
export const LEVELS: readonly Level[] = ["novice", "intermediate", "advanced"];

const kept = read();

export const units = keep<Units>("units", "metric", ["metric", "imperial"]);
export const theme = keep<Theme>("theme", "system", ["system", "dark", "light"]);
export const level = keep<Level>("level", "intermediate", LEVELS);
export const speak = keep<boolean>("speak", false, [false, true]);
export const pins = signal<readonly string[]>(Array.isArray(kept["pins"]) ? kept["pins"].filter((name) => typeof name === "string") : []);

effect(() => {
  const chosen = {units: units.value, theme: theme.value, level: level.value, speak: speak.value, pins: pins.value};
  try {
    localStorage.setItem(KEPT, JSON.stringify(chosen));
  } catch {} // a private window keeps nothing
});

effect(() => {
  if (theme.value === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset["theme"] = theme.value;
});

function keep<T>(name: string, usual: T, allowed: readonly T[]): Signal<T> {
  const found = kept[name] as T;
  return signal(allowed.includes(found) ? found : usual);
}

function read(): Record<string, unknown> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    return typeof found === "object" && found !== null ? found as Record<string, unknown> : {};
  } catch {
    return {};
  }
}
