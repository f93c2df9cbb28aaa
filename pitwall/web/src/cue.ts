// What the coach says to the driver: shown for some seconds, and spoken where that was asked for, in the chosen words.

import {effect, signal} from "@preact/signals";

import type {Cue} from "./live/events";
import {live} from "./live/live";
import {level, speak} from "./settings";

const SHOWN_MS = 8000;
const ALARMS = new Set(["safety", "engine"]);

// The cue that is shown now; null: none.
export const shownCue = signal<Cue | null>(null);

export const canSpeak = typeof speechSynthesis !== "undefined";

// In the words of the level that is chosen; a component that shows them follows the choice.
export function words(cue: Cue, chosen: string = level.value): string {
  return cue.words[chosen] ?? Object.values(cue.words)[0] ?? cue.what;
}

// An alarm is not advice: it takes the driver's whole screen.
export function isAlarm(cue: Cue | null): cue is Cue {
  return cue !== null && ALARMS.has(cue.priority);
}

let hiding: ReturnType<typeof setTimeout> | undefined;
effect(() => {
  const cue = live.cue.value;
  shownCue.value = cue;
  clearTimeout(hiding);
  if (cue === null) {
    if (canSpeak) speechSynthesis.cancel();
    return;
  }
  hiding = setTimeout(() => { shownCue.value = null; }, SHOWN_MS);
  if (speak.peek()) say(words(cue, level.peek()));
});

export function say(text: string): void {
  if (!canSpeak) return;
  speechSynthesis.cancel(); // what has not been said by now is old
  const utterance = new SpeechSynthesisUtterance(text);
  utterance.lang = "en";
  speechSynthesis.speak(utterance);
}
