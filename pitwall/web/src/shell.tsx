// Around every screen: whose session it is and how it is, where else one can go, and what is wrong.

import {useRef} from "preact/hooks";

import {useDrawing, write} from "./draw/loop";
import {live} from "./live/live";
import {playing} from "./live/player";
import {age, number} from "./numbers";
import {Player} from "./parts/player";
import {link, route} from "./route";
import {PLACES} from "./screens/screens";
import {LEVELS, level, speak, theme, units} from "./settings";
import {canSpeak, say} from "./cue";

const QUIET_S = 2;
const WORDS: Record<string, string> = {
  waiting: "waiting for a session", "catching up": "catching up", recording: "recording", ended: "session ended",
  interrupted: "recorder gone", failing: "projection failing", playing: "replay", paused: "replay, paused",
};

export function Shell() {
  const place = PLACES.find(({screen}) => screen === route.value.screen) ?? PLACES[0];
  if (!place) return null;
  const Screen = place.component;
  return (
    <div class={`shell on-${place.screen}${playing.value ? " replaying" : ""}`}>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>Skip to the screen</a>
      <header class="top">
        <h1 class="brand">Pitwall</h1>
        <State />
        <Session />
        <Facts />
        <Settings />
      </header>
      <nav class="places" aria-label="Screens">
        {PLACES.map(({screen, title}) => (
          <a key={screen} href={link(screen)} aria-current={screen === place.screen ? "page" : undefined}>{title}</a>
        ))}
      </nav>
      <Troubles />
      <main id="main" tabIndex={-1} aria-label={place.title}>
        {place.screen === "drive" && <h1 class="unseen">Drive</h1> /* a phone on its side has no room for the page's */}
        <Screen key={place.screen} />
      </main>
      <Player />
    </div>
  );
}

// What the page knows of the car's being there, in a word.
export function stateNow(): {state: string; words: string} {
  const {state} = live.status.value;
  if (live.gone.value !== null) return {state: "gone", words: "server gone"};
  if (live.refused.value !== null) return {state: "refused", words: "refused"};
  if (!live.connected.value) return {state: "connecting", words: "connecting"};
  const silence = live.silence();
  if (state === "recording" && silence !== null && silence > QUIET_S) return {state: "quiet", words: `no frames for ${age(silence)}`};
  if (live.replay.value && state === "ended") return {state, words: "replay, at its end"};
  return {state, words: WORDS[state] ?? state};
}

function State() {
  const root = useRef<HTMLParagraphElement>(null);
  useDrawing(() => {
    const {state, words} = stateNow();
    write(root.current, words);
    if (root.current) root.current.dataset["state"] = state;
  }, 5);
  return <p ref={root} id="state" class="state" role="status" data-state="connecting">connecting</p>;
}

function Session() {
  const {sources} = live.status.value;
  return (
    <>
      <p id="session" class="session">{live.session.value}</p>
      {sources.length > 0 && (
        <ul id="sources" class="sources" aria-label="The buses">
          {sources.map(({bus, source, state, why}) => (
            <li key={bus} data-state={state} title={why ? `${source}: ${why}` : source}>{bus} {state}</li>
          ))}
        </ul>
      )}
    </>
  );
}

function Facts() {
  const rate = useRef<HTMLElement>(null);
  const newest = useRef<HTMLElement>(null);
  useDrawing(() => {
    const silence = live.silence();
    const flows = live.running() && !(silence !== null && silence > QUIET_S);
    write(rate.current, live.replay.value ? "–" : flows ? number(live.status.value.frames_per_s, 0) : "0");
    write(newest.current, silence === null ? "–" : age(silence));
  }, 5);
  return (
    <dl class="facts">
      <div><dt>frames/s</dt><dd id="rate" ref={rate}>–</dd></div>
      <div><dt>newest data</dt><dd id="age" ref={newest}>–</dd></div>
      <div><dt>pipeline</dt><dd id="pipeline" title="the fingerprint of what is shown">{live.fingerprint.value?.slice(0, 12) ?? "–"}</dd></div>
    </dl>
  );
}

function Troubles() {
  const {error, car_errors: wrong} = live.status.value;
  return (
    <>
      {live.gone.value !== null && <Gone since={live.gone.value} />}
      {live.refused.value !== null && <p id="refused" class="banner bad" role="alert">
        {playing.value ? `${playing.value.session} can't be played: ` : "The server gives no stream: "}{live.refused.value.message}
        {live.refused.value.hint && <span class="hint"> {live.refused.value.hint}</span>}
        {live.refused.value.status >= 500 && <span class="hint"> It is tried again every few seconds.</span>}
      </p>}
      {live.gone.value === null && error && (
        <p class="banner bad" role="alert">The projection fails: {error}. Frames are recorded all the same.</p>
      )}
      {wrong.length > 0 && (
        <div id="wrong" class="banner bad" role="alert">
          <p>The car as it was saved is not used:</p>
          <ul>{wrong.map((line) => <li key={line}>{line}</li>)}</ul>
        </div>
      )}
    </>
  );
}

function Gone({since}: {since: number}) {
  const told = useRef<HTMLSpanElement>(null);
  useDrawing(() => write(told.current, age((Date.now() - since) / 1000)), 2);
  return (
    <p id="gone" class="banner bad" role="alert">
      The server does not answer (<span ref={told} aria-hidden="true" />). What is shown is old; this page goes on by itself when it is back.
    </p>
  );
}

function Settings() {
  return (
    <details class="settings">
      <summary aria-label="Settings"><span aria-hidden="true">⚙</span></summary>
      <div>
        <label>Units <select value={units.value} onChange={({currentTarget}) => { units.value = currentTarget.value as typeof units.value; }}>
          <option value="metric">km/h, °C, bar</option>
          <option value="imperial">mph, °F, psi</option>
        </select></label>
        <label>Theme <select value={theme.value} onChange={({currentTarget}) => { theme.value = currentTarget.value as typeof theme.value; }}>
          <option value="system">as the system's</option>
          <option value="dark">dark</option>
          <option value="light">light</option>
        </select></label>
        <label>Coach for <select id="level" value={level.value} onChange={({currentTarget}) => { level.value = currentTarget.value as typeof level.value; }}>
          {LEVELS.map((one) => <option key={one} value={one}>{one}</option>)}
        </select></label>
        <label class="check"><input id="speak" type="checkbox" checked={speak.value} disabled={!canSpeak} onChange={({currentTarget}) => {
          speak.value = currentTarget.checked;
          if (speak.value) say("ready"); // a browser speaks only after somebody has touched the page: this is that touch
        }} /> Cues are spoken</label>
        <a href="/docs">The API</a>
      </div>
    </details>
  );
}
