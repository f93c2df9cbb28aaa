// What was recorded, in the API's words; and a session in a person's.

import {useAnswer, type Answer} from "./api";
import {live} from "./live/live";
import {moment} from "./numbers";

export interface OneSession {
  id: string;
  car: string;
  state: string; // "recording", "ended", "interrupted"
  started_at: string;
  duration_s: number;
  frames: number;
  bytes: number;
  buses: string[];
  tags: string[];
  notes: number;
}

export interface Sessions {
  live: string | null;
  of: number; // in all
  sessions: OneSession[]; // oldest first
}

// All of them; asked for again when another one begins.
export function useSessions(): Answer<Sessions> {
  return useAnswer<Sessions>("/sessions", live.session.value);
}

export function sessionName(session: OneSession): string {
  return `${moment(session.started_at)}, ${session.car}`;
}
