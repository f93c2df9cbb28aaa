// The screens, in the order of the day: in the car, at the pit wall, and after.

import type {ComponentType} from "preact";

import type {Screen} from "../route";
import {Coach} from "./coach";
import {Drive} from "./drive";
import {Garage} from "./garage";
import {Signals} from "./signals";

export interface Place {
  screen: Screen;
  title: string;
  component: ComponentType;
}

export const PLACES: readonly Place[] = [
  {screen: "drive", title: "Drive", component: Drive},
  {screen: "coach", title: "Coach", component: Coach},
  {screen: "signals", title: "Signals", component: Signals},
  {screen: "garage", title: "Garage", component: Garage},
];
