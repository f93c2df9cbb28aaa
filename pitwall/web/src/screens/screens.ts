// The screens, in the order of the day: in the car, at the pit wall, and after.

import type {ComponentType} from "preact";

import type {Screen} from "../route";
import {Drive} from "./drive";
import {Signals} from "./signals";

export interface Place {
  screen: Screen;
  title: string;
  component: ComponentType;
}

export const PLACES: readonly Place[] = [
  {screen: "drive", title: "Drive", component: Drive},
  {screen: "signals", title: "Signals", component: Signals},
];
