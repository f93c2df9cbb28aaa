// One channel on the page: its newest value, how old that is, and where it is shown. Names are text, never markup.

import {Spark} from "/spark.js";
import {age, digits, large, number, unit} from "/numbers.js";

const STALE_S = 0.5; // a fast channel that is silent for half a second is no longer now
const STALE_PERIODS = 3;
const SHOWN_S = 0.2; // what the car says of a channel counts from here on: values come here twenty to fifty times a second

// What fills a level, until more has been seen: noise at a standstill is no full bar.
const FULL = {"%": 100, rpm: 6000, bar: 40, psi: 600};

export function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// A name that may go over to a second line behind its underscores.
function breakable(name) {
  const made = element("span", "name");
  for (const part of name.split(/(?<=_)/)) made.append(part, document.createElement("wbr"));
  return made;
}

export class Channel {
  constructor(name, {unit: unitName, table, source, hold_s: hold}) {
    Object.assign(this, {name, unitName, table, hold});
    this.t = null;
    this.v = null;
    this.period = 0; // s between values, smoothed
    this.places = null; // digits behind the point, where they are not a matter of size
    this.most = 0;
    this.whole = true; // no value yet had a fraction
    this.stale = null;
    this.spark = new Spark();
    this.row = element("div", "row never");
    this.row.title = source;
    this.value = element("span", "value", "–");
    this.age = element("span", "age");
    this.row.append(
      breakable(name), this.spark.canvas, this.value, element("span", "unit", unit(unitName)), this.age,
    );
    this.tile = null;
  }

  set(t, v) {
    if (this.t !== null && t > this.t) {
      const period = (t - this.t) / 1e9;
      this.period = this.period === 0 ? period : this.period + (period - this.period) * 0.2;
    }
    this.t = t;
    this.v = v;
    if (v === null) return;
    this.most = Math.max(this.most, Math.abs(v));
    this.whole &&= Number.isInteger(v);
    this.value.textContent = number(v, this.places ?? digits(this.unitName, this.most, this.whole));
    this.spark.add(t, v);
    this.tile?.set(v);
  }

  // Nothing is known of it any more: its bus has returned, and has not spoken yet.
  clear() {
    if (this.t === null) return;
    this.t = this.v = this.stale = null;
    this.period = 0;
    this.value.textContent = "–";
    this.age.textContent = "";
    for (const shown of [this.row, this.tile?.root]) {
      shown?.classList.remove("stale");
      shown?.classList.add("never");
    }
    this.tile?.clear();
  }

  // now: ns on the session's clock, as far as it is known
  grow(now, ended) {
    if (this.t === null) return;
    const seconds = Math.max(0, (now - this.t) / 1e9);
    const usual = Math.max(STALE_S, STALE_PERIODS * this.period);
    const stale = ended || seconds > (this.hold === null ? usual : Math.max(SHOWN_S, this.hold));
    if (stale !== this.stale) {
      this.stale = stale;
      for (const shown of [this.row, this.tile?.root]) {
        shown?.classList.toggle("stale", stale);
        shown?.classList.remove("never");
      }
    }
    const text = age(seconds);
    if (text !== this.age.textContent) this.age.textContent = text;
    this.tile?.grow(stale && !ended ? `${text} old` : "");
  }
}

// A large number, with a bar where a role has a level.
export class Tile {
  constructor(channel, title, level) {
    this.shown = large(channel.unitName);
    this.channel = channel;
    this.root = element("div", "tile never");
    this.value = element("span", "value", "–");
    this.note = element("span", "note");
    const heading = element("h3", "", title);
    heading.append(this.note);
    const big = element("p", "big");
    big.append(this.value, element("span", "unit", this.shown.unit));
    this.root.append(heading, big);
    if (level) {
      const bar = element("div", "level");
      this.fill = document.createElement("i");
      bar.append(this.fill);
      this.root.append(bar);
    }
  }

  set(v) {
    const {factor, places} = this.shown;
    const {most, unitName, whole} = this.channel;
    this.value.textContent = number(v * factor, places ?? digits(unitName, most, whole));
    if (!this.fill) return;
    const full = Math.max(most, FULL[unitName] ?? 0);
    this.fill.style.transform = `scaleX(${full > 0 ? Math.min(1, Math.max(0, v / full)) : 0})`;
  }

  clear() {
    this.value.textContent = "–";
    this.grow("");
    if (this.fill) this.fill.style.transform = "scaleX(0)";
  }

  grow(note) {
    if (this.note.textContent !== note) this.note.textContent = note;
  }
}
