// What was recorded in, one of it out.

import {useAnswer} from "../api";
import {live} from "../live/live";
import {duration, moment} from "../numbers";

export interface Session {
  id: string;
  car: string;
  state: string;
  started_at: string;
  duration_s: number;
}

export interface Sessions {
  live: string | null;
  sessions: Session[];
}

export function useSessions() {
  return useAnswer<Sessions>("/sessions", live.session.value);
}

export function ChooseSession({session, onChoose}: {session: string; onChoose: (id: string) => void}) {
  const found = useSessions();
  const known = found.data?.sessions ?? [];
  return (
    <label>Session <select id="choose-session" value={session} onChange={({currentTarget}) => onChoose(currentTarget.value)}>
      {!known.some(({id}) => id === session) && <option value={session}>{session}</option>}
      {[...known].reverse().map(({id, car, started_at: at, duration_s: lasts}) => <option key={id} value={id}>{moment(at)}, {car}, {duration(lasts)}</option>)}
    </select></label>
  );
}
