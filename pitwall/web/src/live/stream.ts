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
  private url: string | null = null;
  private following: string | null = null;
  private hiding: ReturnType<typeof setTimeout> | undefined;

  constructor(listener: Listener) {
    this.line = typeof SharedWorker === "undefined" ? own(listener) : shared(listener);
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.hiding);
      if (document.hidden) this.hiding = setTimeout(() => this.turn(null), HIDDEN_MS);
      else this.turn(this.url);
    });
    // nobody can see that a port's other end is gone
    addEventListener("pagehide", () => this.turn(null));
    addEventListener("pageshow", () => this.turn(this.url));
  }

  follow(url: string | null): void {
    this.url = url;
    this.turn(url);
  }

  private turn(url: string | null): void {
    if (url === this.following) return;
    this.following = url;
    this.line.follow(url);
  }
}
