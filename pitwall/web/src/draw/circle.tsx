// Lateral and longitudinal g of laps in, the friction circle out: a point a sample, a ring each half g, dots where the
// cursor is. What stands still is drawn once; a frame copies it and draws the dots.

import "./circle.css";

import {useRef} from "preact/hooks";

import {colour, penOf, themed} from "./canvas";
import {useDrawing} from "./loop";

export interface Cloud {
  colour: string; // a variable of the theme
  lateral: ArrayLike<number>; // g
  longitudinal: ArrayLike<number>; // g: above 0 speeds up
}

export interface Spot {
  colour: string;
  lateral: number;
  longitudinal: number;
}

const RING_G = 0.5;
const LEAST_G = 1; // a lap in the rain fills no more than its share
const POINT_PX = 1.6;

export function Circle({label, clouds, spots}: {label: string; clouds: readonly Cloud[]; spots: () => readonly Spot[]}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const still = useRef<HTMLCanvasElement | null>(null);
  const drawn = useRef<{key: string; spots: string; clouds: readonly Cloud[] | null}>({key: "", spots: "", clouds: null});
  useDrawing(() => {
    const tool = canvas.current && penOf(canvas.current);
    if (!tool) return;
    const {pen, width, height} = tool;
    const now = spots();
    const key = [themed, width, height, devicePixelRatio].join();
    const told = JSON.stringify(now);
    const same = key === drawn.current.key && drawn.current.clouds === clouds;
    if (same && told === drawn.current.spots) return;
    drawn.current = {key, spots: told, clouds};
    const most = greatest(clouds);
    const scale = (Math.min(width, height) / 2 - 2) / most;
    const x = (g: number) => width / 2 + g * scale;
    const y = (g: number) => height / 2 - g * scale;
    still.current ??= document.createElement("canvas");
    if (!same) {
      Object.assign(still.current, {width: pen.canvas.width, height: pen.canvas.height}); // which empties it
      const below = still.current.getContext("2d");
      if (!below) return;
      below.setTransform(pen.getTransform());
      drawRings(below, width, height, scale, most);
      for (const cloud of clouds) {
        below.fillStyle = colour(cloud.colour);
        below.globalAlpha = 0.6;
        for (let i = 0; i < cloud.lateral.length; i++) {
          below.fillRect(x(cloud.lateral[i] as number) - POINT_PX / 2, y(cloud.longitudinal[i] as number) - POINT_PX / 2, POINT_PX, POINT_PX);
        }
        below.globalAlpha = 1;
      }
    }
    pen.clearRect(0, 0, width, height);
    pen.drawImage(still.current, 0, 0, width, height);
    for (const spot of now) {
      pen.beginPath();
      pen.arc(x(spot.lateral), y(spot.longitudinal), 5, 0, 2 * Math.PI);
      pen.fillStyle = colour(spot.colour);
      pen.strokeStyle = colour("--ink");
      pen.lineWidth = 1.5;
      pen.fill();
      pen.stroke();
    }
  }, 30);
  return <canvas ref={canvas} class="circle" role="img" aria-label={label} />;
}

function greatest(clouds: readonly Cloud[]): number {
  let most = LEAST_G;
  for (const {lateral, longitudinal} of clouds) {
    for (let i = 0; i < lateral.length; i++) {
      const g = Math.hypot(lateral[i] as number, longitudinal[i] as number);
      if (g > most) most = g;
    }
  }
  return most * 1.1;
}

function drawRings(pen: CanvasRenderingContext2D, width: number, height: number, scale: number, most: number): void {
  const [x, y] = [width / 2, height / 2];
  pen.strokeStyle = colour("--line");
  pen.fillStyle = colour("--soft");
  pen.font = "10px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.beginPath();
  pen.moveTo(x - most * scale, y);
  pen.lineTo(x + most * scale, y);
  pen.moveTo(x, y - most * scale);
  pen.lineTo(x, y + most * scale);
  pen.stroke();
  for (let g = RING_G; g <= most; g += RING_G) {
    pen.beginPath();
    pen.arc(x, y, g * scale, 0, 2 * Math.PI);
    pen.stroke();
    pen.fillText(`${g} g`, x + 3, y - g * scale - 6);
  }
}
