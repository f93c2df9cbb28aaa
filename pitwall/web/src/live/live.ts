// What the stream tells in; the newest value of every channel, how old it is, and its last minute out.
//
// What changes often (values) is read by who draws, when it draws; what changes seldom (session, status) is a signal.

import {batch, signal} from "@preact/signals";

import {troubleIn, type Trouble} from "../api";
import type {ChannelFacts, Cue, ReplayEvent, StateEvent, Status, Told, ValuesEvent} from "./events";
import {Stream} from "./stream";
import {Trace} from "./trace";

const STALE_S = 0.5; // a fast channel that is silent for half a second is no longer now
const STALE_PERIODS = 3;
const LEAP_S = 3; // of a replay: more than this between two events is a seek, whatever its speed
const SHOWN_S = 0.2; // what the car says of a channel counts from here on: values come here twenty to fifty times a second
const SPARK = [60, 5e8] as const; // half a minute
export const MINUTE = [1200, 5e7] as const; // 60 s by 50 ms: what Stall shows

const WAITING: Status = {state: "waiting", frames_per_s: 0, age_s: null, offset: 0, lag: 0, error: null, car_errors: [], sources: []};

export class Channel {
  t: number | null = null; // ns since the session began
  v: number | null = null;
  period = 0; // s between values, smoothed
  most = 0;
  whole = true; // no value yet had a fraction
  readonly spark = new Trace(...SPARK);
  private latest = -Infinity; // ns, of what its traces end with: they stay when it is cleared
  minute: Trace | null = null; // kept from when it is first asked for

  constructor(readonly name: string, readonly facts: ChannelFacts) {}

  set(t: number, v: number | null): void {
    if (t < this.latest) this.forget(); // a replay that was played back
    this.latest = t;
    if (this.t !== null && t > this.t) {
      const period = (t - this.t) / 1e9;
      this.period = this.period === 0 ? period : this.period + (period - this.period) * 0.2;
    }
    this.t = t;
    this.v = v;
    if (v === null) return;
    this.most = Math.max(this.most, Math.abs(v));
    this.whole &&= Number.isInteger(v);
    this.spark.add(t, v);
    this.minute?.add(t, v);
  }

  // What was seen of it is not what was before.
  private forget(): void {
    this.spark.clear();
    this.minute?.clear();
  }

  // Nothing is known of it any more: its bus has returned, and has not spoken yet.
  clear(): void {
    this.t = this.v = null;
    this.period = 0;
  }
}

export class Live {
  readonly session = signal<string | null>(null);
  readonly car = signal<string | null>(null);
  readonly fingerprint = signal<string | null>(null);
  readonly startedAtNs = signal<number | null>(null);
  readonly roles = signal<Record<string, string>>({});
  readonly channels = signal<ReadonlyMap<string, Channel>>(new Map());
  readonly status = signal<Status>(WAITING);
  readonly gone = signal<number | null>(null); // Date.now() since when the server does not answer
  readonly refused = signal<Trouble | null>(null); // why it gives no stream
  readonly cue = signal<Cue | null>(null);
  readonly replay = signal<ReplayEvent | null>(null); // null: it is live
  readonly lap = signal<number | null>(null); // the lap that is under way
  readonly missed = signal(0); // grows where values may lie between what was told and what is told next
  readonly connected = signal(false); // the server has told something, ever

  private newest: number | null = null; // ns of the newest value on the session's clock
  private heard: number | null = null; // performance.now() when the newest batch was heard of, as the server tells its age
  private readonly stream = new Stream((told) => this.take(told));

  // Shows what a stream tells: `/live`, or `/replay?session=…`.  replay: one that goes on, at another address.
  follow(url: string | (() => string), replay: ReplayEvent | null = null): void {
    batch(() => {
      this.replay.value = replay;
      this.refused.value = null;
      this.newest = this.heard = null;
    });
    this.stream.follow(url);
  }

  channel(name: string | undefined): Channel | undefined {
    return name === undefined ? undefined : this.channels.value.get(name);
  }

  // The channel that has this role in the car: "speed", "throttle", …
  role(role: string): Channel | undefined {
    return this.channel(this.roles.value[role]);
  }

  // ns on the session's clock, as far as it is known.
  now(): number | null {
    if (this.newest === null || this.heard === null) return null;
    if (this.replay.value) return this.newest;
    return this.newest + Math.max(0, performance.now() - this.heard) * 1e6;
  }

  // ns on the session's clock up to where there is something to show: a session that is over goes no further.
  until(): number | null {
    const {state} = this.status.value;
    return state === "ended" || state === "interrupted" ? this.newest : this.now();
  }

  // Seconds since anything was heard of the car; null: nothing ever was.
  silence(): number | null {
    return this.heard === null ? null : Math.max(0, performance.now() - this.heard) / 1000;
  }

  // Whether what is shown is now, and not what was.
  running(): boolean {
    const {state} = this.status.value;
    return this.gone.value === null && this.refused.value === null && (state === "recording" || state === "catching up" || state === "playing" || state === "paused");
  }

  age(channel: Channel): number | null {
    const now = this.now();
    return channel.t === null || now === null ? null : Math.max(0, (now - channel.t) / 1e9);
  }

  // Whether a channel's newest value is too old to be taken for now.
  stale(channel: Channel): boolean {
    const seconds = this.age(channel);
    if (seconds === null) return true;
    const usual = Math.max(STALE_S, STALE_PERIODS * channel.period);
    const {hold_s: hold} = channel.facts;
    return !this.running() || seconds > (hold === null ? usual : Math.max(SHOWN_S, hold));
  }

  private take(told: Told): void {
    batch(() => {
      this.refused.value = null;
      if (told.kind === "refused") {
        this.gone.value = null;
        if (told.status === 401) location.replace("/login");
        else this.refused.value = troubleIn(told.status, told.problem, "the server gives no stream");
      } else if (told.kind === "gone") this.gone.value ??= told.since;
      else {
        this.gone.value = null;
        this.connected.value = true;
        if (told.kind === "replay") this.replay.value = told.body;
        else if (told.kind === "state") this.begin(told.body);
        else this.values(told.body);
      }
    });
  }

  private begin(body: StateEvent): void {
    const names = Object.keys(body.channels);
    const before = this.channels.value;
    // the same session by the same pipeline again, after the server was away: its traces stay
    const same = body.session === this.session.value && body.fingerprint === this.fingerprint.value &&
      names.length === before.size && names.every((name) => before.has(name));
    if (!same) {
      this.newest = null;
      this.channels.value = new Map(names.map((name) => [name, new Channel(name, body.channels[name] as ChannelFacts)]));
      this.roles.value = body.roles;
    }
    if (body.session !== this.session.value) {
      this.cue.value = null;
      this.lap.value = null;
    }
    this.session.value = body.session;
    this.car.value = body.car;
    this.fingerprint.value = body.fingerprint;
    this.startedAtNs.value = body.started_at_ns ?? null;
    for (const [name, channel] of this.channels.value) if (!Object.hasOwn(body.values, name)) channel.clear();
    this.values(body);
    this.missed.value += 1;
  }

  private values(body: ValuesEvent): void {
    if (body.status) {
      if (body.status.state !== this.status.value.state && this.status.value.state === "catching up") this.missed.value += 1;
      this.status.value = body.status;
    }
    this.heard = body.age_s === null ? null : performance.now() - body.age_s * 1000;
    const channels = this.channels.value;
    const before = this.newest;
    let newest = this.replay.value ? null : before; // a seek goes back
    for (const [name, value] of Object.entries(body.values)) {
      const channel = channels.get(name);
      if (value === null) {
        channel?.clear();
        continue;
      }
      const [t, v] = value;
      channel?.set(t, v);
      newest = newest === null ? t : Math.max(newest, t);
    }
    this.newest = newest ?? before;
    if (this.replay.value && newest !== null && before !== null && Math.abs(newest - before) > LEAP_S * 1e9) this.missed.value += 1;
    const lap = channels.get("lap")?.v ?? null;
    if (lap !== null || this.replay.value) this.lap.value = lap;
    const cue = body.cue;
    // a cue comes once; a page that takes the stream up again may get the same one once more
    if (cue && (this.cue.value === null || cue.t !== this.cue.value.t || cue.what !== this.cue.value.what)) this.cue.value = cue;
  }
}

export const live = new Live();

// The session that is shown, as the API's paths name it.
export function sid(): string {
  return live.session.value ?? "_live";
}
