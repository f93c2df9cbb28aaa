// What was archived from here, and can be brought back.

import {sessionPath, post, useAnswer} from "../../api";
import {bytes, duration, moment} from "../../numbers";
import {Refusal, useAct} from "../../parts/act";

interface Archive {
  to: string | null;
  sessions: {id: string; car: string; started_at: string; duration_s: number; bytes: number; archived_at: string; at: string; here: boolean}[];
}

export function Archived({when}: {when: unknown}) {
  const {data} = useAnswer<Archive>("/archive", when);
  const away = [...(data?.sessions ?? [])].filter(({here}) => !here).reverse();
  if (away.length === 0) return null;
  return (
    <section class="card" aria-labelledby="archived">
      <h2 id="archived">Archived <span class="soft">{away.length}</span></h2>
      <ul class="sessions archived">{away.map((one) => <Row key={one.id} one={one} />)}</ul>
    </section>
  );
}

function Row({one}: {one: Archive["sessions"][number]}) {
  const {busy, trouble, run} = useAct();
  return (
    <li class="one" data-session={one.id}>
      <p class="row">
        <span class="when">{moment(one.started_at)}</span> {one.car}
        <span class="soft">{duration(one.duration_s)}, {bytes(one.bytes)}, since {moment(one.archived_at)} at {one.at}</span>
        <button type="button" disabled={busy} onClick={() => void run(() => post(`${sessionPath(one.id)}/restore`))}>Bring it back</button>
      </p>
      <Refusal trouble={trouble} />
    </li>
  );
}
