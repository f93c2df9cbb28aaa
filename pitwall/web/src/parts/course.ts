// A session in, the marks of its track out, as a map shows them.

import {useMemo} from "preact/hooks";

import {sessionPath, useAnswer, type Answer} from "../api";
import type {Marks, Place} from "../draw/map";

interface Gate {
  a: [number, number];
  b: [number, number];
}

export interface Track {
  session: string;
  track: {
    name: string | null;
    source: string;
    learned: boolean;
    length_m: number | null;
    start?: Gate;
    finish?: Gate | null;
    sectors?: Gate[];
    corners?: {name: string; apex: [number, number]}[];
  } | null;
}

export function useCourse(session: string | null, when: unknown): {answer: Answer<Track>; marks: Marks | null} {
  const answer = useAnswer<Track>(session === null ? null : `${sessionPath(session)}/track`, when);
  const marks = useMemo(() => marksOf(answer.data), [answer.data]);
  return {answer, marks};
}

function marksOf(known: Track | null): Marks | null {
  const track = known?.track;
  if (!track) return null;
  const line = (name: string, {a, b}: Gate, main = false) => ({name, a: a as Place, b: b as Place, main});
  return {
    corners: (track.corners ?? []).map(({name, apex}) => ({name, at: apex as Place})),
    lines: [
      ...(track.start ? [line(track.finish ? "start" : "start/finish", track.start, true)] : []),
      ...(track.finish ? [line("finish", track.finish, true)] : []),
      ...(track.sectors ?? []).map((gate, at) => line(`S${at + 1}|S${at + 2}`, gate)),
    ],
  };
}
