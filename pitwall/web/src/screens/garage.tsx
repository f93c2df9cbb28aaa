// What was recorded, the cars as they are saved, and how the machine is that records them.

import "./garage.css";

import type {ComponentType} from "preact";

import {useAnswer, usePolled} from "../api";
import {live} from "../live/live";
import {link, route} from "../route";
import type {Jobs} from "../uploads";
import {Cars} from "./garage/cars";
import {Machine} from "./garage/machine";
import {Recorded} from "./garage/recorded";
import {UnderWay} from "./garage/underway";

const JOBS_MS = 1500;

const SHELVES: Record<string, {title: string; component: ComponentType<{done: number}>}> = {
  sessions: {title: "Sessions", component: Recorded},
  cars: {title: "Cars", component: Cars},
  machine: {title: "Machine", component: Machine},
};

export function Garage() {
  const shown = route.value.query.get("show") ?? "sessions";
  const shelf = SHELVES[shown] ?? SHELVES["sessions"];
  const jobs = usePolled<Jobs>("/jobs", JOBS_MS);
  const token = useAnswer<{name: string | null; read_only: boolean}>("/token");
  if (!shelf) return null;
  const Shelf = shelf.component;
  const wrong = live.status.value.car_errors.length;
  const done = jobs.data?.jobs.filter(({state}) => state === "done").length ?? 0;
  return (
    <div class="garage">
      <div class="row">
        <h1>Garage</h1>
        <nav class="either" aria-label="In the garage">
          {Object.entries(SHELVES).map(([name, {title}]) => (
            <a key={name} href={link("garage", {show: name})} aria-current={shelf.title === title ? "page" : undefined}>
              {title}{name === "cars" && wrong > 0 && <span class="bad"> ({wrong} wrong)</span>}
            </a>
          ))}
        </nav>
      </div>
      {token.data?.read_only && <p class="banner warn" role="status">You may look, and change nothing: your token is read-only.</p>}
      <UnderWay jobs={jobs.data} />
      <Shelf key={shown} done={done} />
    </div>
  );
}
