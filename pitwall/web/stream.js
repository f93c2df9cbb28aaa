// The server's events in, calls out: one stream, taken up again by itself for as long as the page is looked at.

const AGAIN_MS = 1000;
const SILENT_MS = 6000; // a server with nothing to tell pings every 5 s, but a script can't see pings: then it asks
const ASK_MS = 2500;
const HIDDEN_MS = 30000; // a page that nobody sees leaves its connection to others: a browser has six

export function follow(url, {onState, onValues, onGone}) {
  let source = null;
  let heard = 0;
  let timer = 0;
  let hiding = 0;

  function open() {
    close();
    source = new EventSource(url);
    heard = performance.now();
    source.addEventListener("state", (event) => tell(onState, event));
    source.addEventListener("values", (event) => tell(onValues, event));
    source.addEventListener("closing", lost);
    source.addEventListener("error", lost); // a browser tries again by itself after some failures only
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function lost() {
    close();
    onGone();
    timer = setTimeout(open, AGAIN_MS);
    letIn();
  }

  // a stream can't say why it is refused: who is not, or no longer, known goes where a token is asked for
  async function letIn() {
    const answer = await fetch("/token", {cache: "no-store"}).catch(() => null);
    if (answer?.status === 401) location.replace("/login");
  }

  function tell(listener, event) {
    heard = performance.now();
    listener(JSON.parse(event.data));
  }

  async function check() {
    if (source === null || performance.now() - heard < SILENT_MS) return;
    const asked = source;
    try {
      const answer = await fetch("/health", {cache: "no-store", signal: AbortSignal.timeout(ASK_MS)});
      if (!answer.ok) throw new Error(String(answer.status));
      heard = performance.now();
    } catch {
      if (source === asked) lost();
    }
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(close, HIDDEN_MS);
    else if (source === null) open();
  });
  setInterval(check, 1000);
  open();
}
