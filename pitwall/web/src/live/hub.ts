// One stream of events for everybody who listens: taken up again by itself, and told whole to who comes later.
//
// It runs in a SharedWorker, so that a browser's tabs have one connection between them (it has six for a host), or in
// the page itself where there are none.

import type {StateEvent, Told, ValuesEvent} from "./events";

const AGAIN_MS = 1000;
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
  private again: ReturnType<typeof setTimeout> | undefined;
  private watch: ReturnType<typeof setInterval> | undefined;
  private idle: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly url: string) {}

  join(listener: Listener): () => void {
    this.listeners.add(listener);
    clearTimeout(this.idle);
    if (this.source === null && !this.gone) this.open();
    else if (this.state) listener({kind: "state", body: this.state});
    if (this.gone) listener({kind: "gone", since: this.heard});
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.idle = setTimeout(() => this.rest(), IDLE_MS);
    };
  }

  private open(): void {
    this.close();
    this.source = new EventSource(this.url);
    this.heard ||= Date.now();
    this.source.addEventListener("state", (event) => this.take({kind: "state", body: JSON.parse(event.data as string)}));
    this.source.addEventListener("values", (event) => this.take({kind: "values", body: JSON.parse(event.data as string)}));
    this.source.addEventListener("replay", (event) => this.take({kind: "replay", body: JSON.parse(event.data as string)}));
    this.source.addEventListener("closing", () => this.lost());
    this.source.addEventListener("error", () => this.lost()); // a browser tries again by itself after some failures only
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
    this.heard = 0;
  }

  private take(told: Told): void {
    this.heard = Date.now();
    this.gone = false;
    if (told.kind === "state") this.state = told.body;
    else if (told.kind === "values" && this.state) merge(this.state, told.body);
    this.tell(told);
  }

  private lost(): void {
    this.close();
    this.gone = true;
    this.tell({kind: "gone", since: this.heard});
    this.again = setTimeout(() => this.open(), AGAIN_MS);
    void this.letIn();
  }

  // a stream can't say why it is refused
  private async letIn(): Promise<void> {
    const answer = await fetch("/token", {cache: "no-store"}).catch(() => null);
    if (answer?.status === 401) this.tell({kind: "refused"});
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
