// The screens, in the order of the day: in the car, at the pit wall, and after.

import type {ComponentType} from "preact";

import type {Screen} from "../route";
import {Coach} from "./coach";
import {Compare} from "./compare";
import {Corners} from "./corners";
import {Drive} from "./drive";
import {Garage} from "./garage";
import {Replay} from "./replay";
import {Signals} from "./signals";
import {Stall} from "./stall";
import {Track} from "./track";

export interface Place {
  screen: Screen;
  title: string;
  component: ComponentType;
}

export const PLACES: readonly Place[] = [
  {screen: "drive", title: "Drive", component: Drive},
  {screen: "stall", title: "Stall", component: Stall},
  {screen: "compare", title: "Compare", component: Compare},
  {screen: "corners", title: "Corners", component: Corners},
  {screen: "track", title: "Track", component: Track},
  {screen: "coach", title: "Coach", component: Coach},
  {screen: "signals", title: "Signals", component: Signals},
  {screen: "garage", title: "Garage", component: Garage},
  {screen: "replay", title: "Replay", component: Replay},
];
