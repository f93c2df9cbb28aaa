// What the live stream and a replay say, in the server's words.

export interface ChannelFacts {
  unit: string;
  table: string;
  source: string;
  hold_s: number | null;
}

export interface Source {
  bus: string;
  source: string;
  state: string;
  why: string | null;
}

export interface Status {
  state: string;
  frames_per_s: number;
  age_s: number | null;
  offset: number;
  lag: number;
  error: string | null;
  car_errors: string[];
  sources: Source[];
}

export interface Cue {
  t: number;
  lap: number;
  distance_m: number;
  priority: string;
  what: string;
  corner: string | null;
  ahead_m: number | null;
  worth_s: number | null;
  words: Record<string, string>;
}

export type Values = Record<string, [t: number, v: number | null] | null>; // null: nothing is known of it any more

export interface ValuesEvent {
  session: string | null;
  age_s: number | null;
  status?: Status;
  cue?: Cue;
  values: Values;
}

export interface StateEvent extends ValuesEvent {
  car: string | null;
  fingerprint: string | null;
  started_at_ns?: number;
  channels: Record<string, ChannelFacts>;
  roles: Record<string, string>;
}

export interface ReplayEvent {
  replay: string;
  t_from: number;
  t_to: number;
  speed: number;
}

export type Problem = Partial<Record<"type" | "title" | "detail" | "hint", string>>;

export type Told =
  | {kind: "state"; body: StateEvent}
  | {kind: "values"; body: ValuesEvent}
  | {kind: "replay"; body: ReplayEvent}
  | {kind: "gone"; since: number} // Date.now() when the server was heard of last
  | {kind: "refused"; status: number; problem: Problem}; // there is a server, and it does not give this stream
