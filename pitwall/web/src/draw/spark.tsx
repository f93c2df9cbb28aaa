// A channel's last half minute, tiny.

import {useRef} from "preact/hooks";

import type {Channel} from "../live/live";
import {colour, penOf, themed} from "./canvas";
import {useDrawing} from "./loop";

export function Spark({channel}: {channel: Channel}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useRef({themed: -1, channel});
  useDrawing(() => {
    const {spark} = channel;
    const same = drawn.current.channel === channel && drawn.current.themed === themed;
    if ((!spark.dirty && same) || spark.first < 0 || !canvas.current) return;
    const made = penOf(canvas.current);
    if (!made) return;
    drawn.current = {themed, channel};
    spark.dirty = false;
    const {pen, width, height} = made;
    const {columns, low, high, last, oldest, newest} = spark;
    let least = Infinity;
    let greatest = -Infinity;
    for (let i = oldest; i <= newest; i++) {
      const at = i % columns;
      if (Number.isNaN(low[at] as number)) continue;
      least = Math.min(least, low[at] as number);
      greatest = Math.max(greatest, high[at] as number);
    }
    const pad = 2;
    const scale = greatest > least ? (height - 2 * pad) / (greatest - least) : 0;
    const y = (v: number) => (scale === 0 ? height / 2 : height - pad - (v - least) * scale);
    const x = (i: number) => ((i - (newest - columns + 1)) + 0.5) * width / columns;
    pen.clearRect(0, 0, width, height);
    pen.strokeStyle = colour("--trace");
    pen.lineWidth = 1.3;
    pen.beginPath();
    for (let i = oldest; i <= newest; i++) {
      const at = i % columns;
      if (Number.isNaN(low[at] as number)) continue;
      pen.lineTo(x(i), y(low[at] as number));
      if ((high[at] as number) > (low[at] as number)) pen.lineTo(x(i), y(high[at] as number));
      pen.lineTo(x(i), y(last[at] as number));
    }
    if (oldest === newest) pen.lineTo(x(oldest) + 1, y(last[oldest % columns] as number));
    pen.stroke();
  }, 5);
  return <canvas ref={canvas} class="spark" aria-hidden="true" />;
}
