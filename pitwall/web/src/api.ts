// A path of the API in, its answer or a `Trouble` out; and the same for a component.

import {useEffect, useState} from "preact/hooks";

import type {Problem} from "./live/events";

const PATIENCE_MS = 30_000;

// What was wrong, and what to do: as problem+json says it.
export class Trouble extends Error {
  constructor(readonly status: number, readonly type: string, detail: string, readonly hint: string) {
    super(detail);
  }

  get words(): string {
    return this.hint ? `${this.message} (${this.hint})` : this.message;
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return ask<T>(path, {cache: "no-cache", ...(signal ? {signal} : {})});
}

export async function post<T>(path: string, body: object = {}, signal?: AbortSignal): Promise<T> {
  const headers = {"Content-Type": "application/json"};
  return ask<T>(path, {method: "POST", headers, body: JSON.stringify(body), ...(signal ? {signal} : {})});
}

async function ask<T>(path: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {...init, signal: init.signal ?? AbortSignal.timeout(PATIENCE_MS)});
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Trouble(0, "unreachable", "the server does not answer", "this page goes on by itself when it is back");
  }
  if (response.ok) return await response.json() as T;
  throw await troubleOf(response);
}

// What an answer that is none says was wrong.
export async function troubleOf(response: Response): Promise<Trouble> {
  if (response.status === 401) location.replace("/login");
  return troubleIn(response.status, await response.json().catch(() => ({})), response.statusText);
}

export function troubleIn(status: number, problem: Problem, usual: string): Trouble {
  return new Trouble(status, problem.type?.split(":").pop() ?? "", problem.detail ?? problem.title ?? usual, problem.hint ?? "");
}

export interface Answer<T> {
  data: T | null;
  trouble: Trouble | null;
  again: () => void;
}

// The answer to a GET, asked again when the path or `when` changes; what was there stays until the new one is. A null
// path asks nothing.
export function useAnswer<T>(path: string | null, when: unknown = null): Answer<T> {
  const [answer, setAnswer] = useState<{path: string | null; data: T | null; trouble: Trouble | null}>({path: null, data: null, trouble: null});
  const [asked, setAsked] = useState(0);
  useEffect(() => {
    if (path === null) {
      setAnswer({path, data: null, trouble: null});
      return;
    }
    const leaving = new AbortController();
    get<T>(path, leaving.signal).then(
      (data) => { if (!leaving.signal.aborted) setAnswer({path, data, trouble: null}); },
      (trouble: unknown) => {
        if (!leaving.signal.aborted && trouble instanceof Trouble) setAnswer((before) => ({path, data: before.path === path ? before.data : null, trouble}));
      },
    );
    return () => leaving.abort();
  }, [path, when, asked]);
  return {data: answer.data, trouble: answer.trouble, again: () => setAsked((times) => times + 1)};
}

// The same, asked again `everyMs` after each answer while the page is looked at: for what changes by itself.
export function usePolled<T>(path: string | null, everyMs: number): Answer<T> {
  const answer = useAnswer<T>(path);
  useEffect(() => {
    if (answer.data === null && answer.trouble === null) return;
    const look = () => { if (!document.hidden) answer.again(); };
    const timer = setTimeout(look, everyMs);
    document.addEventListener("visibilitychange", look);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [answer.data, answer.trouble, everyMs]);
  return answer;
}

// Of a session, whatever its name.
export function sessionPath(session: string): string {
  return `/session/${encodeURIComponent(session)}`;
}

// A query of what is given; null and undefined are left out.
export function query(given: Record<string, string | number | boolean | null | undefined>): string {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) if (value !== null && value !== undefined) said.set(name, String(value));
  const text = said.toString();
  return text ? `?${text}` : "";
}
