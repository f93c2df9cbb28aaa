// The live page: the stream's events in, numbers on the screen out.

import {age, number} from "/numbers.js";
import {Channel, Tile, element} from "/channel.js";
import {follow} from "/stream.js";
import {tell as tellCue, forget as forgetCue} from "/cue.js";

// roles that get a large number: [role, title, whether it has a level]
const TILES = [
  ["speed", "Speed", false], ["rpm", "Engine", true], ["gear", "Gear", false], ["throttle", "Throttle", true],
  ["brake", "Brake", true], ["g_lat", "g lateral", false], ["g_long", "g along", false], ["water_temp", "Water", false],
];
const PLACES = ["lat", "lon"];
const QUIET_S = 2;
const DRAW_MS = 200;
const WORDS = {
  waiting: "waiting for a session", "catching up": "catching up", recording: "recording", ended: "session ended",
  interrupted: "recorder gone", failing: "projection failing",
};

const at = (id) => document.getElementById(id);
let channels = new Map();
let session = null;
let pipeline = null; // the fingerprint of what is shown
let status = {state: "waiting", frames_per_s: 0, error: null};
let gone = null; // since when the server has not answered, or null
let newest = null; // ns of the newest value on the session's clock
let toldSources = "[]";
let heard = null; // performance.now() when the newest batch was heard of, as the server tells its age

function build(body) {
  channels = new Map(Object.entries(body.channels).map(([name, facts]) => [name, new Channel(name, facts)]));
  newest = null;
  at("session").textContent = body.session ?? "";
  at("pipeline").textContent = body.fingerprint?.slice(0, 12) ?? "–";
  at("empty").hidden = body.session !== null;
  at("channels").hidden = body.session === null;
  for (const role of PLACES) if (channels.has(body.roles[role])) channels.get(body.roles[role]).places = 6; // 0.1 m
  const tiles = [];
  for (const [role, title, level] of TILES) {
    const channel = channels.get(body.roles[role]);
    if (!channel) continue;
    channel.tile = new Tile(channel, title, level);
    tiles.push(channel.tile.root);
  }
  at("tiles").replaceChildren(...tiles);
  at("tiles").hidden = tiles.length === 0;
  at("groups").replaceChildren(...groups());
  find();
}

// A message's channels stand together; derived ones, each alone in its table, in one group at the end.
function groups() {
  const tables = new Map();
  for (const channel of channels.values()) {
    const title = channel.table === channel.name ? "derived" : channel.table;
    if (!tables.has(title)) tables.set(title, []);
    tables.get(title).push(channel);
  }
  const titles = [...tables.keys()].sort((a, b) => (a === "derived") - (b === "derived")); // else as the car has them
  return titles.map((title) => {
    const group = element("section", "group");
    group.append(element("h3", "", title), ...tables.get(title).map((channel) => channel.row));
    return group;
  });
}

function take(body) {
  gone = null;
  if (body.status) status = body.status;
  heard = body.age_s === null ? null : performance.now() - body.age_s * 1000;
  for (const [name, value] of Object.entries(body.values)) {
    if (value === null) {
      channels.get(name)?.clear();
      continue;
    }
    const [t, v] = value;
    channels.get(name)?.set(t, v);
    newest = newest === null ? t : Math.max(newest, t);
  }
  if (body.cue) tellCue(body.cue);
}

function find() {
  const words = at("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const channel of channels.values()) {
    const text = `${channel.name} ${channel.table}`.toLowerCase();
    channel.row.hidden = !words.every((word) => text.includes(word));
    count += !channel.row.hidden;
  }
  for (const group of at("groups").children) group.hidden = ![...group.querySelectorAll(".row")].some((row) => !row.hidden);
  at("count").textContent = words.length ? `${count} of ${channels.size}` : String(channels.size);
}

// A car that was saved and is wrong: what is shown goes on by the definition before.
function tellErrors(lines) {
  at("wrong").hidden = lines.length === 0;
  const told = [...at("wrong-lines").children].map((line) => line.textContent);
  if (told.join("\n") !== lines.join("\n")) at("wrong-lines").replaceChildren(...lines.map((line) => element("li", "", line)));
}

// Each bus and how its source is; why, where a pointer rests on it.
function tellSources(sources) {
  const told = JSON.stringify(sources);
  if (told === toldSources) return;
  toldSources = told;
  at("sources").hidden = sources.length === 0;
  at("sources").replaceChildren(...sources.map(({bus, source, state, why}) => {
    const item = element("li", "source", `${bus} ${state}`);
    item.dataset.state = state;
    item.title = why ? `${source}: ${why}` : source;
    return item;
  }));
}

function draw() {
  const silent = heard === null ? null : (performance.now() - heard) / 1000;
  const live = gone === null && (status.state === "recording" || status.state === "catching up");
  if (newest !== null && silent !== null) {
    for (const channel of channels.values()) channel.grow(newest + silent * 1e9, !live);
  }
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--trace");
  for (const channel of channels.values()) if (visible.has(channel.row)) channel.spark.draw(colour);

  const quiet = live && status.state === "recording" && silent !== null && silent > QUIET_S;
  const state = gone !== null ? "gone" : quiet ? "quiet" : status.state;
  const words = state === "gone" ? "server gone" : state === "quiet" ? `no frames for ${age(silent)}` : WORDS[state] ?? state;
  if (at("state").textContent !== words) at("state").textContent = words;
  at("state").dataset.state = state;
  at("rate").textContent = live && !quiet ? number(status.frames_per_s, 0) : "0";
  at("age").textContent = silent === null ? "–" : age(silent);
  const trouble = gone !== null
    ? `The server does not answer (${age((performance.now() - gone) / 1000)}). What is shown is old; this page goes on by itself when it is back.`
    : status.error ? `The projection fails: ${status.error}. Frames are recorded all the same.` : "";
  at("gone").hidden = trouble === "";
  if (at("gone").textContent !== trouble) at("gone").textContent = trouble;
  tellErrors(status.car_errors ?? []);
  tellSources(status.sources ?? []);
}

const visible = new Set();
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) entry.isIntersecting ? visible.add(entry.target) : visible.delete(entry.target);
});

follow("/live", {
  onState(body) {
    // the same session by the same pipeline again, after the server was away: its traces stay
    const names = Object.keys(body.channels);
    if (session === null || body.session !== session || body.fingerprint !== pipeline || names.length !== channels.size || !names.every((name) => channels.has(name))) {
      watcher.disconnect();
      visible.clear();
      build(body);
      for (const channel of channels.values()) watcher.observe(channel.row);
    }
    if (body.session !== session) forgetCue();
    session = body.session;
    pipeline = body.fingerprint;
    for (const [name, channel] of channels) if (!Object.hasOwn(body.values, name)) channel.clear();
    take(body);
  },
  onValues: take,
  onGone() {
    gone ??= performance.now();
  },
});
at("find").addEventListener("input", find);
matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => {
  for (const channel of channels.values()) channel.spark.dirty = true;
});
setInterval(draw, DRAW_MS);
