// A capture's file in, a job on the server out; how far its way there is. It goes on while one looks at another screen.

import {signal} from "@preact/signals";

import {query, Trouble, troubleIn} from "./api";

export interface Upload {
  id: number;
  name: string;
  car: string;
  size: number;
  sent: number;
  state: "sending" | "taken" | "failed" | "stopped";
  job: string | null;
  trouble: Trouble | null;
  stop: () => void;
}

export interface Job {
  id: string;
  kind: string; // "import", "rebuild", …
  state: "waiting" | "running" | "done" | "failed";
  progress: number | null;
  session: string | null;
  car: string | null;
  file: string | null;
  error: string | null;
  losses: string[];
  lost: number;
}

export interface Jobs {
  jobs: Job[];
  held: string | null;
}

// Of this visit, the newest first.
export const uploads = signal<readonly Upload[]>([]);
let begun = 0;

export function upload(file: File, car: string): void {
  const id = ++begun;
  const change = (changes: Partial<Upload>) => {
    uploads.value = uploads.value.map((one) => (one.id === id ? {...one, ...changes} : one));
  };
  const fail = (trouble: Trouble) => change({state: "failed", trouble});
  const request = new XMLHttpRequest(); // fetch can't tell how much of a body is sent
  request.open("POST", `/import${query({car, name: file.name})}`);
  request.responseType = "json";
  request.upload.onprogress = ({loaded}) => change({sent: loaded});
  request.onload = () => {
    if (request.status === 202) change({state: "taken", sent: file.size, job: (request.response as Job).id});
    else fail(troubleIn(request.status, request.response as object ?? {}, `the server answers ${request.status}`));
  };
  request.onerror = () => fail(new Trouble(0, "unreachable", "the upload broke off", "send the file again"));
  request.onabort = () => change({state: "stopped"});
  uploads.value = [
    {id, name: file.name, car, size: file.size, sent: 0, state: "sending", job: null, trouble: null, stop: () => request.abort()}, ...uploads.value,
  ];
  request.send(file);
}

export function forget(id: number): void {
  uploads.value = uploads.value.filter((one) => one.id !== id);
}
