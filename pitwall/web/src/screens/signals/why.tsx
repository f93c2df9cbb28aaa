// What made a channel's value: the frame, its bits, what the DBC makes of them, each step of the car's definition.

import type {ComponentChildren} from "preact";
import {useEffect, useMemo, useRef, useState} from "preact/hooks";

import {sessionPath, query, useAnswer} from "../../api";
import {live, sid} from "../../live/live";
import {digits, number, unitName} from "../../numbers";
import {Bits, Payload} from "../../parts/payload";
import {Trouble} from "../../parts/trouble";
import {choose} from "../../route";

interface Line {
  file: string;
  line: number;
  text: string;
}

interface Cause {
  kind: "measured" | "derived";
  channel: string;
  unit: string;
  t: number | null;
  value: number | null;
  missing: string | null;
  yaml: Line | null;
  since?: string | null;
  signal?: {message: string; name: string; scale: number; offset: number; unit: string; raw: number | null; value: number | null; dbc: Line | null} | null;
  frame?: {log_offset: number; t: number; bus: string; id: number; extended: boolean; payload: string; mask: string} | null;
  steps?: {step: string; value: number | null; removed: string | null}[];
  formula?: string;
  inputs?: {channel: string; unit: string; t: number | null; value: number | null; expired: boolean}[];
}

export function Why({channel}: {channel: string}) {
  const [times, setTimes] = useState(0);
  const at = useMemo(moment, [channel, times]);
  const answer = useAnswer<{channels: Cause[]}>(`${sessionPath(sid())}/why${query({channel, t: at.t})}`, at.asked);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    heading.current?.focus();
    const escape = (event: KeyboardEvent) => { if (event.key === "Escape") close(); };
    addEventListener("keydown", escape);
    return () => {
      removeEventListener("keydown", escape);
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  const cause = answer.data?.channels.find((one) => one.channel === channel);
  return (
    <aside class="card why" aria-labelledby="why">
      <div class="row">
        <h2 id="why" ref={heading} tabIndex={-1}>Why {channel}</h2>
        <button type="button" class="again" onClick={() => setTimes(times + 1)}>As it is now</button>
        <button type="button" class="close" aria-label="Close" onClick={close}>×</button>
      </div>
      <Trouble answer={answer} />
      {cause ? <Told cause={cause} /> : !answer.trouble && <p class="soft" role="status">The log is replayed …</p>}
    </aside>
  );
}

function Told({cause}: {cause: Cause}) {
  const {value, unit, t, missing, yaml, since} = cause;
  return (
    <>
      <p class="result"><b>{value === null ? "–" : said(value, unit)}</b>{t !== null && <span class="soft"> {at(t)}</span>}</p>
      {missing && <p class="warn">No value: {missing}</p>}
      {since && <p class="warn">Newer frames gave none: {since}</p>}
      {cause.kind === "measured" ? <Measured cause={cause} /> : <Derived cause={cause} />}
      {yaml && <Source title="The car says" line={yaml} />}
    </>
  );
}

function Measured({cause: {frame, signal, steps, unit}}: {cause: Cause}) {
  return (
    <ol class="chain">
      {frame ? (
        <Link title={`Frame ${frame.id.toString(16).toUpperCase().padStart(frame.extended ? 8 : 3, "0")} on ${frame.bus}`}>
          <Payload data={frame.payload} marked={frame.mask} name="The frame" />
          <p class="soft">{at(frame.t)}, row {frame.log_offset.toLocaleString()} of the log</p>
          <details><summary>Bit by bit</summary><Bits data={frame.payload} marked={frame.mask} name="The frame's bits" /></details>
        </Link>
      ) : <Link title="No frame of it came" />}
      {signal && (
        <Link title={`${signal.message}.${signal.name}`}>
          <p>raw <b>{signal.raw ?? "–"}</b> × {signal.scale}{signal.offset !== 0 && <> + {signal.offset}</>} = <b>{signal.value === null ? "–" : said(signal.value, signal.unit)}</b></p>
          {signal.dbc && <Source title="The DBC says" line={signal.dbc} />}
        </Link>
      )}
      {steps?.map(({step, value, removed}, i) => (
        <Link key={i} title={step}>
          {removed ? <p class="warn">taken away: {removed}</p> : <p>→ <b>{value === null ? "–" : said(value, i === steps.length - 1 ? unit : "")}</b></p>}
        </Link>
      ))}
    </ol>
  );
}

function Derived({cause: {formula, inputs}}: {cause: Cause}) {
  return (
    <ol class="chain">
      <Link title="Computed"><code>{formula}</code></Link>
      <Link title="From">
        <ul class="inputs">
          {inputs?.map((one) => (
            <li key={one.channel}>
              <button type="button" onClick={() => choose({why: one.channel})}>{one.channel}</button>{" "}
              <b>{one.value === null ? "–" : said(one.value, one.unit)}</b>{" "}
              <span class={one.expired ? "warn" : "soft"}>{one.t !== null && at(one.t)}{one.expired && ", too old to count"}</span>
            </li>
          ))}
        </ul>
      </Link>
    </ol>
  );
}

function Link({title, children}: {title: string; children?: ComponentChildren}) {
  return <li><h3>{title}</h3>{children}</li>;
}

function Source({title, line: {file, line, text}}: {title: string; line: Line}) {
  return <p class="source soft">{title} ({file}:{line}) <code>{text}</code></p>;
}

function said(value: number, unit: string): string {
  const places = Number.isInteger(value) ? 0 : Math.max(digits(unit, Math.abs(value), false), Math.abs(value) < 1 ? 4 : 2);
  return `${number(value, places)} ${unitName(unit)}`.trim();
}

function at(t: number): string {
  return `${(t / 1e9).toFixed(3)} s in`;
}

// The moment that is asked of: a replay's is not the session's end.
function moment(): {t: number | null; asked: number} {
  const now = live.replay.value ? live.now() : null;
  return {t: now === null ? null : Math.round(now), asked: Date.now()};
}

function close(): void {
  choose({why: null});
}
