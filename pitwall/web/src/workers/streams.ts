// The hubs of all tabs of a browser: a URL is listened to once.

import {Hub} from "../live/hub";

declare const self: SharedWorkerGlobalScope;

const hubs = new Map<string, Hub>();

self.addEventListener("connect", (event) => {
  const port = event.ports[0] as MessagePort;
  let leave: () => void = () => {};
  port.onmessage = ({data}: MessageEvent<{follow: string | null}>) => {
    leave();
    leave = () => {};
    if (data.follow === null) return;
    let hub = hubs.get(data.follow);
    if (!hub) hubs.set(data.follow, hub = new Hub(data.follow));
    leave = hub.join((told) => port.postMessage(told));
  };
});
