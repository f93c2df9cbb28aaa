// Where one is: `#/compare?laps=…`. The choice stands in the address, so that a link or a reload shows the same.

import {computed, signal} from "@preact/signals";

export const SCREENS = ["drive", "stall", "compare", "corners", "track", "coach", "signals", "garage", "replay"] as const;
export type Screen = typeof SCREENS[number];

const hash = signal(location.hash);
addEventListener("hashchange", () => { hash.value = location.hash; });

export const route = computed(() => {
  const [path = "", search = ""] = hash.value.replace(/^#\/?/, "").split("?", 2);
  const screen = SCREENS.find((one) => one === path);
  return {screen: screen ?? "stall", known: screen !== undefined || path === "", query: new URLSearchParams(search)};
});

export function link(screen: Screen, query: Record<string, string | number | null | undefined> = {}): string {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== undefined) said.set(name, String(value));
  const text = said.toString();
  return `#/${screen}${text ? `?${text}` : ""}`;
}

// Changes the choice without a step in the browser's history.
export function choose(changes: Record<string, string | number | null>): void {
  const {screen, query} = route.value;
  const said = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) said.delete(name);
    else said.set(name, String(value));
  }
  const text = said.toString();
  history.replaceState(null, "", `#/${screen}${text ? `?${text}` : ""}`);
  hash.value = location.hash;
}
