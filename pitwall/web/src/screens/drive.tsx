// In the car: five things at most, read at a glance. Delta, predicted lap (or, for 5 s, the lap that is just over),
// gear under its shift lights, one cue. An alarm takes the screen; data that is not now says so, and is grey.

import "./drive.css";

import {useEffect, useRef, useState} from "preact/hooks";

import {isAlarm, shownCue, words} from "../cue";
import {useDrawing, write} from "../draw/loop";
import {alarmsNow, revLimit} from "../limits";
import {lapsSoFar, standing, type Lap, type Standing} from "../laps";
import {live} from "../live/live";
import {age, delta as deltaText, lapTime, number} from "../numbers";
import {stateNow} from "../shell";
import {NoSession} from "./signals";

const STALE_S = 0.5;
const HELD_MS = 5000; // a finished lap's time
const FULL_S = 1; // of delta: the bar's end
const LIGHTS = 8;
const LIT_FROM = 0.85; // of the rev limit
const MOST_RPM = 6000; // where the car says no limit: this, or the most that was seen
const ALARM_MS = 2000; // at least so long: a flicker can't be read
const WORDS: Record<Standing, string> = {best: "best lap", better: "better", slower: "slower", none: ""};

export function Drive() {
  useWakeLock();
  const alarms = useAlarms();
  const root = useRef<HTMLDivElement>(null);
  const note = useRef<HTMLParagraphElement>(null);
  useDrawing(() => {
    const trouble = troubleNow();
    write(note.current, trouble);
    root.current?.classList.toggle("old", trouble !== "");
  }, 10);
  if (live.session.value === null && live.gone.value === null) return <NoSession />;
  const cue = shownCue.value;
  const alarm = isAlarm(cue) ? words(cue) : alarms;
  if (alarm) {
    // a key of its own: what is drawn into the usual screen's nodes must not be taken for an alarm's words
    return <div key="alarm" class="drive alarm" role="alert"><p class="sign" aria-hidden="true">⚠</p><p class="words">{alarm}</p></div>;
  }
  return (
    <div key="usual" ref={root} class="drive">
      <Delta />
      <LapTime />
      <Gear />
      <p class="cue" role="status" aria-live="off">{cue ? words(cue) : ""}</p>
      <p ref={note} class="note" role="status" />
    </div>
  );
}

// What is beyond the car's limits, in words; "": nothing.
function useAlarms(): string {
  const [told, setTold] = useState("");
  const until = useRef(0);
  useDrawing((now) => {
    const alarms = alarmsNow(now).join(", ");
    if (alarms) until.current = now + ALARM_MS;
    if (alarms || now >= until.current) setTold(alarms);
  }, 5);
  return told;
}

// Why what is shown is not now; "": it is.
function troubleNow(): string {
  const {state, words: said} = stateNow();
  const silence = live.silence();
  if (state === "playing" || state === "paused") return "";
  if (state === "gone") return `SERVER GONE ${age((Date.now() - (live.gone.value ?? Date.now())) / 1000)}`;
  if (silence === null && state === "recording") return "NO DATA";
  if (silence !== null && silence > STALE_S) return `NO DATA ${age(silence)}`;
  const speed = live.role("speed");
  const old = speed ? live.age(speed) : null;
  if (speed && old !== null && live.stale(speed)) return `NO DATA ${age(old)}`;
  return state === "recording" || state === "catching up" ? "" : said.toUpperCase();
}

// Green to the right is gained, red to the left lost: by sign, by side and by colour.
function Delta() {
  const text = useRef<HTMLParagraphElement>(null);
  const bar = useRef<HTMLElement>(null);
  const root = useRef<HTMLElement>(null);
  const held = useRef<HTMLParagraphElement>(null);
  useDrawing(() => {
    const v = live.channel("delta")?.v ?? null;
    const heldFor = live.channel("delta_age")?.v ?? 0;
    write(text.current, deltaText(v, v !== null && Math.abs(v) >= 9.995 ? 1 : 2)); // five characters at most
    write(held.current, v === null ? "no lap to compare with yet" : heldFor !== null && heldFor > 1 ? `held for ${age(heldFor)}` : "");
    if (root.current) root.current.dataset["sign"] = v === null || Math.abs(v) < 0.005 ? "" : v > 0 ? "lost" : "gained";
    if (bar.current) bar.current.style.transform = `scaleX(${v === null ? 0 : Math.max(-1, Math.min(1, -v / FULL_S))})`;
  }, 20);
  return (
    <section ref={root} class="delta" aria-label="Delta to the best lap so far">
      <p ref={text} class="digits">–</p>
      <div class="bar" aria-hidden="true"><i ref={bar} /></div>
      <p ref={held} class="small" />
    </section>
  );
}

function LapTime() {
  const last = useLastLap();
  const text = useRef<HTMLParagraphElement>(null);
  useDrawing(() => {
    if (!last) write(text.current, lapTime(live.channel("predicted_lap")?.v, 1));
  }, 5);
  if (last) {
    const how = standing(last, lapsSoFar.value);
    return (
      <section class={`lap held ${how}`} aria-label="Last lap">
        <p class="title">Lap {last.number}{WORDS[how] && `, ${WORDS[how]}`}{!last.valid && last.why && `: ${last.why}`}</p>
        <p class="digits">{lapTime(last.time_s)}</p>
      </section>
    );
  }
  return (
    <section class="lap" aria-label="Predicted lap">
      <p class="title">Predicted</p>
      <p ref={text} class="digits">–</p>
    </section>
  );
}

// The lap that ended less than 5 s ago, as it came to be known.
function useLastLap(): Lap | null {
  const done = lapsSoFar.value;
  const newest = done[done.length - 1];
  const known = useRef<number | null>(null);
  const [held, setHeld] = useState<Lap | null>(null);
  useEffect(() => {
    if (!newest) return;
    const isNew = known.current !== null && newest.number > known.current;
    known.current = newest.number;
    if (!isNew || newest.time_s === null) return;
    setHeld(newest);
    const hiding = setTimeout(() => setHeld(null), HELD_MS);
    return () => clearTimeout(hiding);
  }, [newest?.number]);
  return held;
}

function Gear() {
  const text = useRef<HTMLParagraphElement>(null);
  const lights = useRef<HTMLDivElement>(null);
  useDrawing(() => {
    const gear = live.role("gear")?.v ?? null;
    write(text.current, gear === null ? "–" : gear === 0 ? "N" : gear < 0 ? "R" : number(gear, 0));
    const rpm = live.role("rpm");
    const most = revLimit() ?? Math.max(rpm?.most ?? 0, MOST_RPM);
    const share = rpm && rpm.v !== null && !live.stale(rpm) ? (rpm.v / most - LIT_FROM) / (1 - LIT_FROM) : 0;
    const lit = Math.max(0, Math.min(LIGHTS, Math.ceil(share * LIGHTS)));
    if (lights.current) lights.current.dataset["lit"] = String(lit);
  }, 20);
  return (
    <section class="gear" aria-label="Gear">
      <div ref={lights} class="lights" aria-hidden="true">{Array.from({length: LIGHTS}, (_, at) => <i key={at} />)}</div>
      <p ref={text} class="digits">–</p>
    </section>
  );
}

// The screen stays on while one drives; where a browser has no such thing (plain http from elsewhere) it may sleep.
function useWakeLock(): void {
  useEffect(() => {
    let lock: WakeLockSentinel | null = null;
    let left = false;
    const take = async () => {
      if (document.hidden || !("wakeLock" in navigator)) return;
      const taken = await navigator.wakeLock.request("screen").catch(() => null);
      if (left) void taken?.release();
      else lock = taken;
    };
    void take();
    document.addEventListener("visibilitychange", take);
    return () => {
      left = true;
      document.removeEventListener("visibilitychange", take);
      void lock?.release();
    };
  }, []);
}
