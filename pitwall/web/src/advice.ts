// What is asked of the coach in, what it says out: by the rules at once, then as far as a model has worded it.

import {Trouble, troubleOf} from "./api";

const SILENT_MS = 30_000; // a stream whose model thinks pings every 5 s: this is a server that is gone
const AGAIN_MS = 3000; // a model that is still at it is asked for again
const TIMES = 10;

export interface Figure {
  name: string;
  value: number | null;
  unit: string;
  usual: number | null;
  corner?: string | null;
}

export interface Link {
  session?: string;
  lap: number;
  corner: string | null;
  distance_m: number | null;
}

export interface Point {
  rule: string;
  where: string;
  worth_s: number | null;
  laps: number[];
  of: number;
  words: string;
  figures: Figure[];
  session: string;
  links: Link[];
}

export interface Advice {
  kind: "brief" | "debrief" | "ask";
  session: string;
  words: string;
  source: "rules" | "model";
  why: string | null;
  pending: boolean;
  figures: unknown;
  links: Link[];
  stale: boolean;
  points?: Point[];
  changes?: {where: string; gained_s: number | null; words: string}[];
  sessions?: string[];
  best_lap?: number | null;
  best_s?: number | null;
  laps?: number;
  against?: string;
  question?: string;
  understood?: string | null;
  looked_up?: unknown[];
}

// A GET of `path`, or a POST with `body`; `take` is told all of it each time that there is more. Raises Trouble.
export async function advise(path: string, body: object | null, take: (advice: Advice) => void, leave: AbortSignal): Promise<void> {
  for (let times = 0; times < TIMES; times++) {
    if (times > 0) await pause(AGAIN_MS, leave);
    if (!await streamed(path, body, take, leave)) return;
  }
}

// Whether it is worth to ask again.
async function streamed(path: string, body: object | null, take: (advice: Advice) => void, leave: AbortSignal): Promise<boolean> {
  const cut = new AbortController();
  leave.addEventListener("abort", () => cut.abort(), {once: true});
  let watch: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(watch);
    watch = setTimeout(() => cut.abort(), SILENT_MS);
  };
  heard();
  let said = null as Advice | null;
  try {
    const response = await fetch(path, {
      signal: cut.signal,
      cache: "no-store",
      ...(body ? {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)} : {}),
    });
    if (!response.ok || !response.body) throw await troubleOf(response);
    for await (const {event, data} of events(response.body, heard)) {
      if (event === "words" && said) said = {...said, ...data as {words: string}, source: "model", why: null, pending: true};
      else if (event === "rules" || event === "answer") said = data as Advice;
      else continue;
      take(said);
      if (event === "answer") return said.pending;
    }
  } catch (error) {
    if (leave.aborted || error instanceof Trouble) throw error;
    if (cut.signal.aborted) throw new Trouble(0, "silent", "the coach has said nothing for 30 s", "ask again");
    throw new Trouble(0, "unreachable", "the server does not answer", "ask again when it is back");
  } finally {
    clearTimeout(watch);
  }
  throw new Trouble(0, "broken-off", "the answer broke off", "what stands here is what came; ask again");
}

// Server-sent events as they come; a comment only shows that somebody is there.
async function* events(body: ReadableStream<Uint8Array<ArrayBuffer>>, heard: () => void): AsyncGenerator<{event: string; data: unknown}> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    heard();
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split("\n").map((line) => line.split(/: ?(.*)/, 2));
      const of = (field: string) => lines.filter(([name]) => name === field).map(([, value]) => value).join("\n");
      if (of("data")) yield {event: of("event"), data: JSON.parse(of("data"))};
    }
  }
}

function pause(ms: number, leave: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, ms);
    leave.addEventListener("abort", () => { clearTimeout(timer); fail(leave.reason); }, {once: true});
  });
}
