// A session's corners in, where they lie along its path out: where one ends the next begins, all of the lap is of one.

import {useMemo} from "preact/hooks";

import {sessionPath, useAnswer} from "./api";
import {figure, type Cornering} from "./corners";
import {interpolated, type OneLap} from "./overlay";

// A corner's part of the lap; those of a lap tile it.
export interface Section {
  name: string;
  from: number; // m along the path
  to: number;
  turnInM: number | null; // before the apex
}

// A lap takes its corners one after the other, and each one's time reaches from the exit of the one before to its own:
// so where they lie is where the lap was by then.
export function sections(rows: readonly Cornering[], one: OneLap): Section[] {
  const mine = rows.filter(({lap}) => lap === one.lap.number);
  let seconds = 0;
  let from = 0;
  return mine.map((row, at) => {
    seconds += figure(row, "time_s") ?? 0;
    const to = at === mine.length - 1 ? one.length_m : interpolated(seconds, one.time_s, one.distance_m);
    const section = {name: row.corner, from, to, turnInM: figure(row, "turn_in_m")};
    from = to;
    return section;
  });
}

// By the best lap, which is always measured; the corners of a lap lie where those of any other do.
export function useSections(session: string | undefined): readonly Section[] {
  const at = session === undefined ? null : sessionPath(session);
  const corners = useAnswer<{corners: Cornering[]}>(at && `${at}/corners`);
  const best = useAnswer<OneLap>(at && `${at}/laps/best`);
  return useMemo(() => (corners.data && best.data ? sections(corners.data.corners, best.data) : []), [corners.data, best.data]);
}
