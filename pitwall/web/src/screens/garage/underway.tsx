// What goes on behind: captures on their way here, imports, rebuilds, whatever else is a job; and what became of them.

import {link} from "../../route";
import {bytes} from "../../numbers";
import {forget, uploads, type Job, type Jobs, type Upload} from "../../uploads";

const TOLD = 6; // of those that are done
const WORDS: Record<string, [doing: string, done: string]> = {
  import: ["Importing", "Imported"], rebuild: ["Rebuilding", "Rebuilt"], archive: ["Archiving", "Archived"], restore: ["Restoring", "Restored"],
};

export function UnderWay({jobs}: {jobs: Jobs | null}) {
  const sending = uploads.value.filter(({state}) => state !== "taken");
  const all = jobs?.jobs ?? [];
  const open = all.filter(({state}) => state === "running" || state === "waiting");
  const failed = all.filter(({state}) => state === "failed");
  const done = all.filter(({state, kind}) => state === "done" && kind !== "rebuild").slice(0, TOLD);
  if (sending.length + open.length + failed.length + done.length === 0 && !jobs?.held) return null;
  return (
    <section class="card" aria-labelledby="under-way">
      <h2 id="under-way">Under way</h2>
      {jobs?.held && <p class="soft">Nothing is rebuilt just now: {jobs.held}.</p>}
      <ul class="jobs">
        {sending.map((one) => <Sending key={one.id} one={one} />)}
        {[...open, ...failed, ...done].map((job) => <OneJob key={job.id} job={job} />)}
      </ul>
    </section>
  );
}

function Sending({one}: {one: Upload}) {
  const {id, name, car, size, sent, state, trouble, stop} = one;
  return (
    <li data-state={state}>
      <p><b>{name}</b> <span class="soft">for {car}</span></p>
      {state === "sending" && (
        <>
          <Progress label={`${name} on its way`} share={size > 0 ? sent / size : null} />
          <p class="soft">{bytes(sent)} of {bytes(size)} sent</p>
        </>
      )}
      {state === "failed" && <p class="bad" role="alert">Not taken: {trouble?.words}</p>}
      {state === "stopped" && <p class="soft">Stopped: nothing of it is kept.</p>}
      <button type="button" onClick={state === "sending" ? stop : () => forget(id)}>{state === "sending" ? "Stop" : "Dismiss"}</button>
    </li>
  );
}

function OneJob({job}: {job: Job}) {
  const {kind, state, progress, session, file, error, losses, lost} = job;
  const [doing, over] = WORDS[kind] ?? [kind, `${kind}: done`];
  const what = file ?? session ?? job.id;
  return (
    <li data-state={state}>
      <p><span class={state === "failed" ? "bad" : state === "done" ? "good" : "soft"}>{state === "done" ? over : doing}{state === "waiting" && ", waiting"}{state === "failed" && " failed"}</span> <b>{what}</b></p>
      {state === "running" && <Progress label={`${doing} ${what}`} share={progress} />}
      {error && <p class="bad">{error}</p>}
      {lost > 0 && (
        <details>
          <summary>{lost === 1 ? "One thing could not be read" : `${lost} things could not be read`}; all else was imported</summary>
          <ul class="losses">{losses.map((line, i) => <li key={i}>{line}</li>)}</ul>
        </details>
      )}
      {state === "done" && session && kind !== "archive" && <a href={link("garage", {session})}>Show the session</a>}
    </li>
  );
}

function Progress({label, share}: {label: string; share: number | null}) {
  return (
    <p class="progress">
      {share === null ? <progress aria-label={label} /> : <progress aria-label={label} max={1} value={share} />}
      <span>{share === null ? "…" : `${Math.floor(share * 100)} %`}</span>
    </p>
  );
}
