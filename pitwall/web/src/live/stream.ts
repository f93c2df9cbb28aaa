// A stream's URL in, what it tells out, for as long as the page is looked at.

import {Hub, type Listener} from "./hub";

const HIDDEN_MS = 30_000; // a page that nobody sees does not keep a phone awake

interface Line {
  follow(url: string | null): void;
}

function shared(listener: Listener): Line {
  const worker = new SharedWorker(new URL("../workers/streams.ts", import.meta.url), {type: "module", name: "pitwall"});
  worker.port.onmessage = ({data}) => listener(data);
  const follow = (url: string | null) => worker.port.postMessage({follow: url});
  return {follow};
}

function own(listener: Listener): Line {
  let leave: () => void = () => {};
  return {
    follow(url) {
      leave();
      leave = url === null ? () => {} : new Hub(url).join(listener);
    },
  };
}

export class Stream {
  private readonly line: Line;
  private url: (() => string) | null = null;
  private following = false;
  private hiding: ReturnType<typeof setTimeout> | undefined;

  constructor(listener: Listener) {
    this.line = typeof SharedWorker === "undefined" ? own(listener) : shared(listener);
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.hiding);
      if (document.hidden) this.hiding = setTimeout(() => this.turn(false), HIDDEN_MS);
      else this.turn(true);
    });
    // nobody can see that a port's other end is gone
    addEventListener("pagehide", () => this.turn(false));
    addEventListener("pageshow", () => this.turn(true));
  }

  // url: asked for whenever the stream is opened: it may have to go on elsewhere.
  follow(url: string | (() => string)): void {
    this.url = typeof url === "string" ? () => url : url;
    this.following = false;
    this.turn(true);
  }

  private turn(on: boolean): void {
    if (on === this.following || !this.url) return;
    this.following = on;
    this.line.follow(on ? this.url() : null);
  }
}
