// One stream of events for everybody who listens: taken up again by itself, and told whole to who comes later.
//
// It runs in a SharedWorker, so that a browser's tabs have one connection between them (it has six for a host), or in
// the page itself where there are none.

import type {Problem, StateEvent, Told, ValuesEvent} from "./events";

const AGAIN_MS = 1000;
const BUSY_MS = 5000; // where the server is there, and has no room
const SILENT_MS = 6000; // a server with nothing to tell pings every 5 s, but a script can't see pings: then it asks
const ASK_MS = 2500;
const IDLE_MS = 3000; // nobody listens: a tab that is loaded anew is back by then

export type Listener = (told: Told) => void;

export class Hub {
  private source: EventSource | null = null;
  private listeners = new Set<Listener>();
  private state: StateEvent | null = null; // as of now: what was told since is in it
  private heard = 0;
  private gone = false;
  private refused: Told | null = null;
  private opened = false;
  private again: ReturnType<typeof setTimeout> | undefined;
  private watch: ReturnType<typeof setInterval> | undefined;
  private idle: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly url: string) {}

  join(listener: Listener): () => void {
    this.listeners.add(listener);
    clearTimeout(this.idle);
    if (this.source === null && !this.gone && !this.refused) this.open();
    else if (this.state) listener({kind: "state", body: this.state});
    if (this.refused) listener(this.refused);
    if (this.gone) listener({kind: "gone", since: this.heard});
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.idle = setTimeout(() => this.rest(), IDLE_MS);
    };
  }

  private open(): void {
    this.close();
    this.source = new EventSource(this.url);
    this.opened = false;
    this.heard ||= Date.now();
    this.source.addEventListener("open", () => { this.opened = true; });
    this.source.addEventListener("state", (event) => this.take({kind: "state", body: JSON.parse(event.data as string)}));
    this.source.addEventListener("values", (event) => this.take({kind: "values", body: JSON.parse(event.data as string)}));
    this.source.addEventListener("replay", (event) => this.take({kind: "replay", body: JSON.parse(event.data as string)}));
    this.source.addEventListener("closing", () => this.lost());
    this.source.addEventListener("error", () => void (this.opened ? this.lost() : this.ask())); // a browser tries again by itself after some failures only
    this.watch ??= setInterval(() => void this.check(), 1000);
  }

  private close(): void {
    clearTimeout(this.again);
    this.source?.close();
    this.source = null;
  }

  private rest(): void {
    this.close();
    clearInterval(this.watch);
    this.watch = undefined;
    this.state = null;
    this.gone = false;
    this.refused = null;
    this.heard = 0;
  }

  private take(told: Told): void {
    this.heard = Date.now();
    this.gone = false;
    this.refused = null;
    if (told.kind === "state") this.state = told.body;
    else if (told.kind === "values" && this.state) merge(this.state, told.body);
    this.tell(told);
  }

  private lost(): void {
    this.close();
    this.gone = true;
    this.refused = null;
    this.tell({kind: "gone", since: this.heard});
    this.again = setTimeout(() => this.open(), AGAIN_MS);
  }

  // A stream can't say why it does not open; the same question, asked as any other, can.
  private async ask(): Promise<void> {
    this.close();
    const leaving = new AbortController();
    const patience = setTimeout(() => leaving.abort(), ASK_MS);
    const answer = await fetch(this.url, {cache: "no-store", headers: {Accept: "text/event-stream"}, signal: leaving.signal}).catch(() => null);
    if (!answer || answer.ok) {
      leaving.abort();
      clearTimeout(patience);
      if (this.source === null && this.listeners.size > 0) this.lost();
      return;
    }
    const problem = await answer.json().catch(() => ({title: answer.statusText})) as Problem;
    clearTimeout(patience);
    if (this.source !== null || this.listeners.size === 0) return;
    this.gone = false;
    this.heard = Date.now();
    this.refused = {kind: "refused", status: answer.status, problem};
    this.tell(this.refused);
    if (answer.status >= 500) this.again = setTimeout(() => this.open(), BUSY_MS);
  }

  private async check(): Promise<void> {
    const asked = this.source;
    if (asked === null || Date.now() - this.heard < SILENT_MS) return;
    try {
      const answer = await fetch("/health", {cache: "no-store", signal: AbortSignal.timeout(ASK_MS)});
      if (!answer.ok) throw new Error(String(answer.status));
      this.heard = Date.now();
    } catch {
      if (this.source === asked) this.lost();
    }
  }

  private tell(told: Told): void {
    for (const listener of this.listeners) listener(told);
  }
}

// A cue is told once: who comes later has not missed it.
function merge(state: StateEvent, since: ValuesEvent): void {
  state.age_s = since.age_s;
  if (since.status) state.status = since.status;
  Object.assign(state.values, since.values);
  delete state.cue;
}
