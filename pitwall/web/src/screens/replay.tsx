// Any session, played through all screens as if it were live.

import "./replay.css";

import {useState} from "preact/hooks";

import {laps} from "../laps";
import {live} from "../live/live";
import {play, playing, steer} from "../live/player";
import {duration, lapTime, moment} from "../numbers";
import {Empty, Trouble} from "../parts/trouble";
import {link} from "../route";
import {useSessions, type OneSession} from "../sessions";

export function Replay() {
  const found = useSessions();
  const [find, setFind] = useState("");
  const now = playing.value;
  const all = [...(found.data?.sessions ?? [])].reverse();
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = all.filter(({id, car, started_at: at}) => words.every((word) => `${id} ${car} ${moment(at)}`.toLowerCase().includes(word)));
  return (
    <div class="replay">
      <div class="row">
        <h1>Replay</h1>
        <label><span class="unseen">Find a session</span><input id="find-session" type="search" placeholder="Find a session" value={find} onInput={({currentTarget}) => setFind(currentTarget.value)} /></label>
      </div>
      <Trouble answer={found} />
      {now && <Now session={now.session} />}
      {found.data && all.length === 0 && <Empty title="Nothing to play yet"><p>Sessions are here once they are recorded, or imported.</p></Empty>}
      {all.length > 0 && shown.length === 0 && <p class="soft">No session has all of these words in its name, its car or its date.</p>}
      {shown.length > 0 && (
        <div class="scroll card">
          <table>
            <thead><tr><th scope="col">Began</th><th scope="col" class="left">Car</th><th scope="col">Lasts</th><th scope="col"><span class="unseen">Play it</span></th></tr></thead>
            <tbody>{shown.map((session) => <Row key={session.id} session={session} isPlayed={now?.session === session.id} />)}</tbody>
          </table>
        </div>
      )}
      {!now && <p class="soft">While one is played, every screen shows it as if it were live; what is recorded meanwhile is recorded.</p>}
    </div>
  );
}

function Row({session: {id, car, state, started_at: at, duration_s: lasts}, isPlayed}: {session: OneSession; isPlayed: boolean}) {
  return (
    <tr data-session={id}>
      <th scope="row">{moment(at)}{state === "recording" && <span class="chip good">recording</span>}</th>
      <td class="left">{car}</td>
      <td>{duration(lasts)}</td>
      <td><button type="button" class={isPlayed ? "" : "main"} aria-label={`${isPlayed ? "From its beginning" : "Play"} ${id}`} onClick={() => play(id)}>{isPlayed ? "From its beginning" : "Play"}</button></td>
    </tr>
  );
}

// What is played, and its laps to begin at.
function Now({session}: {session: string}) {
  const known = laps.value?.session === session ? laps.value.laps : [];
  if (live.refused.value !== null) return null; // the shell says so, above
  return (
    <section class="card now" aria-labelledby="now-title">
      <h2 id="now-title">{live.replay.value ? "Playing" : "Begins to play"} <span class="soft">{session}</span></h2>
      <p>All screens show it: <a href={link("drive")}>Drive</a>, <a href={link("stall")}>Stall</a>, <a href={link("signals")}>Signals</a>. Space plays and pauses; the arrow keys go 5 s, with Shift 30 s.</p>
      {known.length > 0 && (
        <div class="row" role="group" aria-label="Play from a lap">
          <span class="soft">From lap</span>
          {known.map(({number, t_start: t, time_s: time}) => (
            <button key={number} type="button" data-lap={number} onClick={() => void steer({seek_s: t / 1e9, pause: false})}>{number}{time !== null && <span class="soft"> {lapTime(time, 1)}</span>}</button>
          ))}
        </div>
      )}
    </section>
  );
}
