// The cars as they are saved: what is wrong with each, a moment after it was written; and what one is made of.

import {useState} from "preact/hooks";

import {usePolled} from "../../api";
import {live} from "../../live/live";
import {unitName} from "../../numbers";
import {Trouble} from "../../parts/trouble";
import {choose, route} from "../../route";

const OFTEN_MS = 2500;

interface Car {
  name: string;
  about: Record<string, string>;
  valid: boolean;
  problems: string[];
}

interface WholeCar extends Car {
  fingerprint: string | null;
  buses: string[];
  channels: {name: string; unit: string; source: string; table: string}[];
  roles: Record<string, string>;
  notes: string[];
}

export function Cars() {
  const answer = usePolled<{cars: Car[]}>("/cars", OFTEN_MS);
  const open = route.value.query.get("car");
  return (
    <>
      <Trouble answer={answer} />
      <p class="soft">They are looked at again whenever one is saved. A car that is wrong is not used: what was right before is.</p>
      <ul class="cars">
        {answer.data?.cars.map((car) => <OneCar key={car.name} car={car} open={car.name === open} />)}
      </ul>
    </>
  );
}

function OneCar({car, open}: {car: Car; open: boolean}) {
  const {make, model, name, about, ...rest} = car.about;
  const title = name ?? ([make, model].filter(Boolean).join(" ") || null);
  const told = [about, ...Object.entries(rest).map(([key, value]) => `${key} ${value}`)].filter(Boolean).join(" · ");
  return (
    <li class="card" data-car={car.name}>
      <button type="button" class="head quiet" aria-expanded={open} onClick={() => choose({car: open ? null : car.name})}>
        <span class="name">{title ?? car.name}</span>
        <code>{car.name}</code>
        {live.car.value === car.name && <span class="chip">driving</span>}
        <span class={car.valid ? "how good" : "how bad"}>{car.valid ? "✓ right" : "✗ wrong"}</span>
      </button>
      {told && <p class="soft">{told}</p>}
      {car.problems.length > 0 && (
        <div class="banner bad" role="alert">
          <ul>{car.problems.map((line, i) => <li key={i}>{line}</li>)}</ul>
        </div>
      )}
      {open && <Whole name={car.name} />}
    </li>
  );
}

function Whole({name}: {name: string}) {
  const answer = usePolled<WholeCar>(`/car/${encodeURIComponent(name)}`, OFTEN_MS);
  const [find, setFind] = useState("");
  const car = answer.data;
  if (!car) return <Trouble answer={answer} />;
  const roleOf = new Map(Object.entries(car.roles).map(([role, channel]) => [channel, role]));
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = car.channels.filter((one) => words.every((word) => `${one.name} ${one.source} ${roleOf.get(one.name) ?? ""}`.toLowerCase().includes(word)));
  return (
    <div class="opened">
      <p class="soft">{car.buses.length === 1 ? "Bus" : "Buses"} {car.buses.join(", ") || "none"} · {car.channels.length} channels
        {car.fingerprint && <> · fingerprint <code>{car.fingerprint.slice(0, 12)}</code></>}</p>
      {car.notes.map((note, i) => <p key={i} class="soft">{note}</p>)}
      <label><span class="unseen">Find a channel of {name}</span>
        <input type="search" placeholder="Find a channel" value={find} onInput={({currentTarget}) => setFind(currentTarget.value)} /></label>
      <div class="scroll" tabIndex={0} role="region" aria-label={`Channels of ${name}`}>
        <table>
          <thead><tr><th scope="col">Channel</th><th scope="col">Unit</th><th scope="col">Role</th><th scope="col">From</th></tr></thead>
          <tbody>
            {shown.map((one) => (
              <tr key={one.name}><th scope="row">{one.name}</th><td>{unitName(one.unit)}</td><td>{roleOf.get(one.name) ?? ""}</td><td>{one.source}</td></tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
