// How the machine is: what records, from where, how much room there is, what it does behind, and what was refused.

import type {ComponentChildren} from "preact";

import {usePolled} from "../../api";
import {age, bytes, duration, moment, number} from "../../numbers";
import {Trouble} from "../../parts/trouble";
import {Doctor} from "./doctor";
import {Elsewhere} from "./elsewhere";

const OFTEN_MS = 2000;
const FEW_H = 2; // a session at the track, and its way home
const WEEKS_H = 1000;

type Counts = Record<string, number>;

interface Source {
  bus: string;
  source: string;
  state: string;
  since: string;
  why: string | null;
  frames: number;
  frames_per_s: number;
  age_s: number | null;
  lost: Counts;
}

interface Health {
  status: string;
  version: string;
  uptime_s: number;
  live: {session: string | null; state: string; log_offset: number; log_damages: number};
  recorder: {
    pid: number | null; session: string | null; written: number; durable: number; frames: number; lost: number; waiting: number;
    problem: string | null; problem_since: string | null; low_space: boolean;
  } | null;
  sources: Source[];
  processes: Record<string, {pid: number; rss_bytes: number | null; since: string | null}>;
  projection: {
    fingerprint: string | null; offset: number; lag_rows: number; error: string | null; failures: number; problems: string[];
    successor: {fingerprint?: string; offset?: number} | null; free_bytes: number; free_hours: number | null; left_to_log_bytes: number; not_kept: string | null;
  };
  llm: {up: boolean; url: string; breaker: string; last_error: string | null; answered: number; rejected: number; failed: number; writing: number};
  rebuilds: {running: Record<string, unknown>; waiting: string[]; done: number; failed: Record<string, string>; held: string | null};
  imports: Counts;
  streams: Counts;
  queries: Counts;
  limits: {connections: number; under_way: number; closed: Counts; refused: Counts; too_often: Counts};
}

const VERDICTS: Record<string, [words: string, tone: string, mark: string]> = {
  ok: ["Frames come in and are shown.", "good", "✓"],
  quiet: ["A session is being recorded, but no frames come just now.", "warn", "▲"],
  idle: ["Nobody records just now.", "soft", "■"],
  failing: ["Something fails; see below.", "bad", "✗"],
};
const TONES: Record<string, string> = {connected: "good", reconnected: "good", silent: "warn", opening: "warn", lost: "bad"};

export function Machine() {
  const answer = usePolled<Health>("/health", OFTEN_MS);
  const health = answer.data;
  if (!health) return <Trouble answer={answer} />;
  const [words, tone, mark] = VERDICTS[health.status] ?? [health.status, "warn", "?"];
  return (
    <>
      <Trouble answer={answer} />
      <p id="verdict" class="verdict" role="status"><b class={tone}><span aria-hidden="true">{mark}</span> {health.status}</b> {words}</p>
      <Sources sources={health.sources} />
      <div class="facts-of">
        <Recorder health={health} />
        <Room health={health} />
        <Projection health={health} />
        <Model llm={health.llm} />
        <Asked health={health} />
        <Elsewhere />
      </div>
      <Doctor />
    </>
  );
}

function Sources({sources}: {sources: readonly Source[]}) {
  return (
    <section class="card from" aria-labelledby="from">
      <h2 id="from">Sources</h2>
      {sources.length === 0 ? <p class="soft">Nobody records here. <code>pitwall run --car CAR --source …</code></p> : (
        <div class="scroll" tabIndex={0} role="group" aria-label="Each source">
          <table>
            <thead><tr><th scope="col">Bus</th><th scope="col">From</th><th scope="col">State</th><th scope="col">Frames/s</th><th scope="col">Newest</th><th scope="col">Frames</th><th scope="col">Lost</th></tr></thead>
            <tbody>
              {sources.map((one) => (
                <tr key={one.bus}>
                  <th scope="row">{one.bus}</th>
                  <td>{one.source}</td>
                  <td class={TONES[one.state] ?? "soft"}>{one.state} <span class="soft">since {moment(one.since)}</span>{one.why && <span class="why">{one.why}</span>}</td>
                  <td>{number(one.frames_per_s, 0)}</td>
                  <td>{one.age_s === null ? "–" : age(one.age_s)}</td>
                  <td>{one.frames.toLocaleString()}</td>
                  <td>{counts(one.lost) || "none"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Recorder({health: {recorder, processes, live}}: {health: Health}) {
  return (
    <Facts title="Recorder" facts={recorder === null ? [["Here", "nobody records"]] : [
      ["Session", recorder.session ?? "waits for a first frame"],
      ["Written", `${recorder.written.toLocaleString()} rows`],
      ["Not yet safe from a loss of power", `${Math.max(0, recorder.written - recorder.durable).toLocaleString()} rows`],
      ["Lost", recorder.lost === 0 ? "nothing" : `${recorder.lost.toLocaleString()} frames`, recorder.lost > 0 && "bad"],
      ["Waiting to be written", recorder.waiting.toLocaleString()],
      ["Damaged places in the log", live.log_damages.toLocaleString(), live.log_damages > 0 && "bad"],
      ["Trouble", recorder.problem, "bad"],
      ["Process", processOf(processes["recorder"])],
    ]} />
  );
}

function Room({health: {projection, processes, version, uptime_s}}: {health: Health}) {
  return (
    <Facts title="Disk, memory, version" facts={[
      ["Free on the disk", bytes(projection.free_bytes), projection.free_bytes < 2 * projection.left_to_log_bytes && "bad"],
      ["Lasts, as the last ten minutes went", lasting(projection.free_hours), (projection.free_hours ?? WEEKS_H) < FEW_H && "bad"],
      ["Of that kept for the log", bytes(projection.left_to_log_bytes)],
      ["Projections give way", projection.not_kept, "warn"],
      ["Server", processOf(processes["server"])],
      ["Version", version],
      ["Up for", duration(uptime_s)],
    ]} />
  );
}

function Projection({health: {projection, rebuilds, imports}}: {health: Health}) {
  const failed = Object.entries(rebuilds.failed);
  return (
    <Facts title="Projection and rebuilds" facts={[
      ["Pipeline", projection.fingerprint?.slice(0, 12) ?? "none"],
      ["Behind the log", `${projection.lag_rows.toLocaleString()} rows`],
      ["Fails", projection.error, "bad"],
      ["Failures so far", projection.failures ? String(projection.failures) : null, "warn"],
      ["Left out", projection.problems.join("; ") || null, "warn"],
      ["Being built after an edit", projection.successor ? projection.successor.fingerprint?.slice(0, 12) ?? "yes" : null],
      ["Past sessions being rebuilt", `${Object.keys(rebuilds.running).length}, ${rebuilds.waiting.length} waiting, ${rebuilds.done} done`],
      ["Held", rebuilds.held],
      ...failed.map(([session, why]): Fact => [`Rebuild of ${session} failed`, why, "bad"]),
      ["Imports", counts(imports) || "none"],
    ]} />
  );
}

function Model({llm}: {llm: Health["llm"]}) {
  return (
    <Facts title="Language model" facts={llm.url ? [
      ["State", llm.up ? "up" : "down: the rules speak", llm.up ? "good" : "warn"],
      ["At", llm.url],
      ["Last trouble", llm.last_error, "warn"],
      ["Answers", `${llm.answered} checked and told, ${llm.rejected} refused for a number, ${llm.failed} failed`],
      ["Writing", String(llm.writing)],
    ] : [["State", "none is set up: the rules speak"]]} />
  );
}

function Asked({health: {streams, queries, limits}}: {health: Health}) {
  return (
    <Facts title="Who asks" facts={[
      ["Streams", `${streams["open"]} of ${streams["limit"]}`],
      ["Events skipped for who was slow", counts({skipped: streams["skipped"] ?? 0, stalled: streams["stalled"] ?? 0, refused: streams["refused"] ?? 0}) || "none"],
      ["Questions", counts(queries) || "none"],
      ["Connections", `${limits.connections}, ${limits.under_way} requests under way`],
      ["Closed", counts(limits.closed) || "none"],
      ["Refused", counts(limits.refused) || "none"],
      ["Asked too often", counts(limits.too_often) || "nobody"],
    ]} />
  );
}

type Fact = readonly [name: string, value: ComponentChildren, tone?: string | false];

// What there is nothing of (null) is left out.
export function Facts({title, facts}: {title: string; facts: readonly Fact[]}) {
  return (
    <section class="card">
      <h2>{title}</h2>
      <dl>
        {facts.filter(([, value]) => value !== null).map(([name, value, tone]) => (
          <div key={name}><dt>{name}</dt><dd class={tone || undefined}>{value}</dd></div>
        ))}
      </dl>
    </section>
  );
}

function lasting(hours: number | null): string | null {
  if (hours === null) return null; // nobody can say yet, or nothing is taken
  return hours > WEEKS_H ? "weeks" : duration(hours * 3600);
}

function counts(of: Counts): string {
  return Object.entries(of).filter(([, count]) => count > 0).map(([what, count]) => `${count.toLocaleString()} ${what.replaceAll("_", " ")}`).join(", ");
}

function processOf(process: {pid: number; rss_bytes: number | null} | undefined): string | null {
  if (!process) return null;
  return process.rss_bytes === null ? `pid ${process.pid}` : `${bytes(process.rss_bytes)}, pid ${process.pid}`;
}
