// What was recorded, in the API's words; and a session in a person's.

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

export function sessionName(session: OneSession): string {
  return `${moment(session.started_at)}, ${session.car}`;
}

export function pathOf(id: string): string {
  return `/session/${encodeURIComponent(id)}`;
}
