// One of what was recorded, chosen.

import {duration} from "../numbers";
import {sessionName, useSessions} from "../sessions";

export function ChooseSession({session, onChoose}: {session: string; onChoose: (id: string) => void}) {
  const found = useSessions();
  const known = found.data?.sessions ?? [];
  return (
    <label>Session <select id="choose-session" value={session} onChange={({currentTarget}) => onChoose(currentTarget.value)}>
      {!known.some(({id}) => id === session) && <option value={session}>{session}</option>}
      {[...known].reverse().map((one) => <option key={one.id} value={one.id}>{sessionName(one)}, {duration(one.duration_s)}</option>)}
    </select></label>
  );
}
