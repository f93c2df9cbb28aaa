// What would keep this machine from recording, and what to do about it: the worst first.

import {usePolled} from "../../api";
import {moment} from "../../numbers";
import {Trouble} from "../../parts/trouble";

const OFTEN_MS = 30_000; // it looks again after 15 s

interface Checkup {
  ok: boolean;
  looked_at: string;
  checks: {name: string; verdict: string; said: string; advice: string}[];
}

const MARKS: Record<string, [mark: string, tone: string, rank: number]> = {
  failed: ["✗", "bad", 0], warning: ["▲", "warn", 1], ok: ["✓", "good", 2], skipped: ["–", "soft", 3],
};

export function Doctor() {
  const answer = usePolled<Checkup>("/doctor", OFTEN_MS);
  const {data} = answer;
  const markOf = (verdict: string) => MARKS[verdict] ?? ["?", "warn", 1];
  const checks = [...(data?.checks ?? [])].sort((a, b) => markOf(a.verdict)[2] - markOf(b.verdict)[2]);
  return (
    <section class="card doctor" aria-labelledby="doctor">
      <div class="row">
        <h2 id="doctor">What the doctor says</h2>
        {data && <span class={data.ok ? "good" : "bad"}>{data.ok ? "✓ nothing would keep it from recording" : "✗ something would keep it from recording"}</span>}
        {data && <span class="soft">looked at {moment(data.looked_at)}</span>}
        <button type="button" onClick={answer.again}>Look again</button>
      </div>
      <Trouble answer={answer} />
      {!data && !answer.trouble && <p class="soft" role="status">It is looking …</p>}
      <ul>
        {checks.map(({name, verdict, said, advice}) => {
          const [mark, tone] = markOf(verdict);
          return (
            <li key={name}><b class={tone}><span aria-hidden="true">{mark}</span> {name}<span class="unseen">, {verdict}</span></b><span>{said}{advice && <span class="advice">{advice}</span>}</span></li>
          );
        })}
      </ul>
    </section>
  );
}
