// Laps in, the tower out: newest first, the one under way on top; how each time and sector stands by mark, word and colour.

import "./tower.css";

import {useRef} from "preact/hooks";

import {useDrawing, write} from "../draw/loop";
import {laps, lapsSoFar, standing, type Lap, type Standing} from "../laps";
import {live} from "../live/live";
import {delta, lapTime, number, shown} from "../numbers";

const MARKS: Record<Standing, string> = {best: "★", better: "▲", slower: "▽", none: ""};
const WORDS: Record<Standing, string> = {best: "best so far", better: "better than the one before", slower: "slower than the one before", none: ""};
const FEWEST_SECTORS = 3;

export function Tower() {
  const done = lapsSoFar.value;
  const sectors = Math.max(FEWEST_SECTORS, ...done.map(({sectors_s: times}) => times.length));
  const best = bestOf(done);
  const wrong = done.some(({valid, why}) => !valid && why); // the column of why takes room
  const {state} = live.status.value;
  // until it has crossed the line once, the car tells no lap
  const isOut = live.lap.value === null && done.length === 0 && state !== "ended" && state !== "interrupted" && live.role("lat") !== undefined;
  return (
    <section class="card tower" aria-labelledby="laps-title">
      <div class="row">
        <h2 id="laps-title">Laps</h2>
        <Bests best={best} />
      </div>
      <div class="scroll" tabIndex={0} role="group" aria-label="Laps, newest first">
        <table>
          <thead>
            <tr>
              <th scope="col">Lap</th><th scope="col">Time</th><th scope="col">To best</th>
              {Array.from({length: sectors}, (_, at) => <th key={at} scope="col" class="sector">S{at + 1}</th>)}
              <th scope="col">Top <span class="soft">{shown("m/s").unit}</span></th>{wrong && <th scope="col" class="why">Why it does not count</th>}
            </tr>
          </thead>
          <tbody>
            {isOut && <UnderWay number={0} kind="out, now" sectors={sectors} wrong={wrong} />}
            {live.lap.value !== null && !done.some(({number: one}) => one === live.lap.value) && <UnderWay number={live.lap.value} kind="now" sectors={sectors} wrong={wrong} />}
            {[...done].reverse().map((lap) => <Row key={lap.number} lap={lap} before={done} sectors={sectors} best={best} wrong={wrong} />)}
          </tbody>
        </table>
      </div>
      <p class="key soft"><Mark how="best" /> best so far <Mark how="better" /> better than the one before <Mark how="slower" /> slower</p>
    </section>
  );
}

// The best that was driven by now: of a replay too, which knows no more than live did.
export function bestOf(done: readonly Lap[]): Lap | null {
  let best: Lap | null = null;
  for (const lap of done) if (lap.flying && lap.valid && lap.time_s !== null && (best === null || lap.time_s < (best.time_s as number))) best = lap;
  return best;
}

function Bests({best}: {best: Lap | null}) {
  const known = live.replay.value ? null : laps.value?.bests; // what could be is known at a session's end: none of a replay's business
  return (
    <dl class="bests">
      <div><dt>Best</dt><dd id="best" class="best">{lapTime(best?.time_s)}{best && <span class="soft"> lap {best.number}</span>}</dd></div>
      {known && <div title="the best of each sector, put together"><dt>Theoretical</dt><dd id="theoretical">{lapTime(known.theoretical_s)}</dd></div>}
      {known && <div title="from any point of the track to the same point again"><dt>Rolling</dt><dd id="rolling">{lapTime(known.rolling_s)}</dd></div>}
    </dl>
  );
}

function Mark({how}: {how: Standing}) {
  return how === "none" ? null : <span class={`mark ${how === "slower" ? "warn" : how === "better" ? "good" : "best"}`} title={WORDS[how]} aria-hidden="true">{MARKS[how]}</span>;
}

function Timed({time, how}: {time: number | null | undefined; how: Standing}) {
  return <span class={`timed ${how}`}>{lapTime(time)} <Mark how={how} /><span class="unseen"> {WORDS[how]}</span></span>;
}

function Row({lap, before, sectors, best, wrong}: {lap: Lap; before: readonly Lap[]; sectors: number; best: Lap | null; wrong: boolean}) {
  const {factor} = shown("m/s");
  const behind = best && lap.time_s !== null && lap.number !== best.number ? lap.time_s - (best.time_s as number) : null;
  const told = lap.valid ? (lap.flying ? "" : lap.kind) : lap.kind === "flying" ? "not valid" : lap.kind;
  return (
    <tr class={lap.valid && lap.flying ? "" : "aside"} data-lap={lap.number}>
      <th scope="row">{lap.number}{told && <span class="kind">{told}</span>}</th>
      <td><Timed time={lap.time_s} how={standing(lap, before)} /></td>
      <td>{lap === best ? <span class="best">best</span> : behind === null ? "–" : delta(behind, 3)}</td>
      {Array.from({length: sectors}, (_, at) => <td key={at} class="sector"><Timed time={lap.sectors_s[at]} how={sectorStanding(lap, before, at)} /></td>)}
      <td>{lap.top_speed_mps === null ? "–" : number(lap.top_speed_mps * factor, 0)}</td>
      {wrong && <td class="why">{!lap.valid && lap.why}</td>}
    </tr>
  );
}

function sectorStanding(lap: Lap, before: readonly Lap[], at: number): Standing {
  const of = (one: Lap): Lap => ({...one, time_s: one.sectors_s[at] ?? null});
  return standing(of(lap), before.map(of));
}

// The lap that is being driven: its time runs.
function UnderWay({number: lap, kind, sectors, wrong}: {number: number; kind: string; sectors: number; wrong: boolean}) {
  const time = useRef<HTMLTableCellElement>(null);
  const behind = useRef<HTMLTableCellElement>(null);
  const fastest = useRef<HTMLTableCellElement>(null);
  const top = useRef({lap, mps: 0});
  useDrawing(() => {
    const now = live.now();
    const began = beganAt(lap);
    write(time.current, now === null || began === null ? "–" : lapTime(Math.max(0, (now - began) / 1e9), 1));
    write(behind.current, delta(live.channel("delta")?.v));
    const {v} = live.role("speed") ?? {v: null};
    if (top.current.lap !== lap) top.current = {lap, mps: 0};
    if (v !== null) top.current.mps = Math.max(top.current.mps, v);
    write(fastest.current, top.current.mps > 0 ? number(top.current.mps * shown("m/s").factor, 0) : "–");
  }, 10);
  return (
    <tr id="under-way" class="under-way" data-lap={lap}>
      <th scope="row">{lap}<span class="kind">{kind}</span></th>
      <td ref={time} class="timed">–</td>
      <td ref={behind}>–</td>
      {Array.from({length: sectors}, (_, at) => <td key={at} class="sector">–</td>)}
      <td ref={fastest}>–</td>
      {wrong && <td class="why" />}
    </tr>
  );
}

// ns since the session began: the lap before it ended there; the first one began with the session.
function beganAt(lap: number): number | null {
  const known = laps.value?.laps ?? [];
  const before = known.find((one) => one.number === lap - 1);
  return before?.t_end ?? known.find((one) => one.number === lap)?.t_start ?? (lap === 0 ? 0 : null);
}
