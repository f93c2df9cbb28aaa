// The replay's bar, on every screen while there is one: play and pause, speed, where it is, laps, back to live.

import "./player.css";

import {useEffect, useRef} from "preact/hooks";

import {useDrawing, write} from "../draw/loop";
import {laps} from "../laps";
import {live} from "../live/live";
import {placeNow, play, playing, SPEEDS, steer, stop, unsteered} from "../live/player";
import {lapTime} from "../numbers";

const STEP_S = 5; // an arrow key's
const LEAP_S = 30; // with Shift
const SEEK_MS = 150; // while the slider is drawn along
const ELSEWHERE = "input, select, textarea, button, summary, a, [role='group'], [contenteditable]"; // where keys mean something else

export function Player() {
  useKeys();
  const now = playing.value;
  if (!now) return null;
  const {ended, from, to} = extent();
  if (live.refused.value !== null) {
    return (
      <section class="replay-bar" aria-label="Replay">
        <button id="replay-again" type="button" class="main" onClick={() => play(now.session, placeNow())}>Try again</button>
        <span class="grow" />
        <button id="replay-stop" type="button" onClick={stop}>Back to live</button>
      </section>
    );
  }
  return (
    <section class="replay-bar" aria-label="Replay">
      <button id="replay-play" type="button" class="main" aria-keyshortcuts="Space" onClick={toggle}>{ended ? "Again" : now.paused ? "Play" : "Pause"}</button>
      <Seek from={from} to={to} />
      <label class="speed"><span class="unseen">Speed</span>
        <select id="replay-speed" value={String(now.speed)} onChange={({currentTarget}) => void steer({speed: Number(currentTarget.value)})}>
          {SPEEDS.map((speed) => <option key={speed} value={String(speed)}>{speed} ×</option>)}
        </select>
      </label>
      <button id="replay-stop" type="button" onClick={stop}>Back to live</button>
      {unsteered.value && <p class="said bad" role="alert">{unsteered.value.words}</p>}
      {live.gone.value !== null && <p class="said warn" role="status">The replay's stream has ended. It goes on from here when the server is back.</p>}
    </section>
  );
}

interface Extent {
  ended: boolean;
  from: number; // s
  to: number;
}

function extent(): Extent {
  const {replay, status} = live;
  return {ended: replay.value !== null && status.value.state === "ended", from: (replay.value?.t_from ?? 0) / 1e9, to: (replay.value?.t_to ?? 0) / 1e9};
}

function toggle(): void {
  const {ended, from} = extent();
  if (ended) void steer({seek_s: from, pause: false});
  else void steer({pause: !playing.value?.paused});
}

function Seek({from, to}: {from: number; to: number}) {
  const slider = useRef<HTMLInputElement>(null);
  const time = useRef<HTMLOutputElement>(null);
  const held = useRef({until: 0, sent: 0, later: undefined as ReturnType<typeof setTimeout> | undefined});
  useEffect(() => () => clearTimeout(held.current.later), []);
  const began = (laps.value?.laps ?? []).map(({number, t_start: t}) => ({number, s: t / 1e9}));
  useDrawing((now) => {
    const at = placeNow();
    const s = now < held.current.until && slider.current ? Number(slider.current.value) : at === null ? from : at / 1e9;
    if (slider.current && now >= held.current.until) slider.current.value = String(s);
    const lap = began.filter((one) => one.s <= s).pop();
    const text = `${lapTime(s, 1)} of ${lapTime(to, 0)}${lap ? `, lap ${lap.number}` : ""}`;
    write(time.current, text);
    slider.current?.setAttribute("aria-valuetext", text);
  }, 10);
  const seek = (s: number) => {
    held.current.until = performance.now() + 600; // the answer is on its way
    clearTimeout(held.current.later);
    const wait = Math.max(0, held.current.sent + SEEK_MS - performance.now());
    held.current.later = setTimeout(() => {
      held.current.sent = performance.now();
      void steer({seek_s: s});
    }, wait);
  };
  const share = (s: number) => `${(s - from) / Math.max(1, to - from) * 100}%`;
  return (
    <div class="seek grow">
      <output ref={time} id="replay-at" for="replay-seek">–</output>
      <div class="rail">
        <input ref={slider} id="replay-seek" type="range" min={from} max={to} step="0.1" aria-label="Where it is" onInput={({currentTarget}) => seek(Number(currentTarget.value))} />
        <div class="laps" aria-hidden="true">{began.filter(({s}) => s > from && s < to).map(({number, s}) => <i key={number} style={{left: share(s)}}>{number}</i>)}</div>
      </div>
    </div>
  );
}

// Space plays and pauses, the arrows go back and forth: wherever keys mean nothing else.
function useKeys(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!playing.value || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (event.target instanceof Element && event.target.closest(ELSEWHERE)) return;
      const at = (placeNow() ?? 0) / 1e9;
      const far = event.shiftKey ? LEAP_S : STEP_S;
      const {from} = extent();
      const act = {" ": toggle, ArrowLeft: () => void steer({seek_s: Math.max(from, at - far)}), ArrowRight: () => void steer({seek_s: at + far})}[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

