// How to see all of this on another device: a link that is good once, and its QR code for a phone's camera.

import {useState} from "preact/hooks";

import {post} from "../../api";
import {Refusal, useAct} from "../../parts/act";

interface Link {
  url: string;
  lasts_s: number;
  squares: string[]; // a row each, "1" is dark
}

const QUIET = 4; // squares of light around: cameras want them

export function Elsewhere() {
  const {busy, trouble, run} = useAct();
  const [readOnly, setReadOnly] = useState(true);
  const [link, setLink] = useState<Link | null>(null);
  const make = () => run(async () => {
    setLink(null);
    setLink(await post<Link>("/token/link", {read_only: readOnly}));
  });
  return (
    <section class="card elsewhere" aria-labelledby="elsewhere-title">
      <h2 id="elsewhere-title">On another device</h2>
      <p>A link lets one device in, once. It is a key: whoever opens it first has it.</p>
      <div class="row">
        <label><input id="look-only" type="checkbox" checked={readOnly} onChange={({currentTarget}) => setReadOnly(currentTarget.checked)} /> may only look</label>
        <button id="make-link" type="button" class="main" disabled={busy} onClick={() => void make()}>{link ? "Another link" : "Make a link"}</button>
      </div>
      <Refusal trouble={trouble} />
      {link && (
        <figure>
          <Squares rows={link.squares} />
          <figcaption>Good for {Math.round(link.lasts_s / 60)} minutes: <code id="link">{link.url}</code></figcaption>
        </figure>
      )}
      <p class="soft">At the terminal: <code>pitwall token link</code></p>
    </section>
  );
}

// Dark on white in any theme: not every camera reads the opposite.
function Squares({rows}: {rows: readonly string[]}) {
  const size = rows.length + 2 * QUIET;
  const dark = rows.flatMap((row, y) => [...row.matchAll(/1+/g)].map(({index, 0: run}) => `M${index + QUIET} ${y + QUIET}h${run.length}v1h-${run.length}z`)).join("");
  return (
    <svg class="squares" viewBox={`0 0 ${size} ${size}`} role="img" aria-label="QR code of the link" shape-rendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={dark} fill="#000" />
    </svg>
  );
}
