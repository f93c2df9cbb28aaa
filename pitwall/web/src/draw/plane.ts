// Degrees in, metres on a plane out, and back: equirectangular about a place, good to a part in a thousand over a track.

const EARTH_M = 6_371_008.8; // mean radius, IUGG
const RAD = Math.PI / 180;

export interface Places {
  lat: ArrayLike<number>; // degrees; NaN where there is none
  lon: ArrayLike<number>;
}

export interface Plane {
  x: (lon: number) => number; // metres to the east
  y: (lat: number) => number; // metres to the north
  lon: (x: number) => number;
  lat: (y: number) => number;
}

export function plane(lat0: number, lon0: number): Plane {
  const east = EARTH_M * RAD * Math.cos(lat0 * RAD);
  const north = EARTH_M * RAD;
  return {x: (lon) => (lon - lon0) * east, y: (lat) => (lat - lat0) * north, lon: (x) => lon0 + x / east, lat: (y) => lat0 + y / north};
}

export interface Box {
  south: number;
  north: number;
  west: number;
  east: number;
}

// What holds all of them; null: there is no place among them.
export function box(all: readonly Places[]): Box | null {
  const held = {south: Infinity, north: -Infinity, west: Infinity, east: -Infinity};
  for (const {lat, lon} of all) {
    for (let i = 0; i < lat.length; i++) {
      const [a, o] = [lat[i] as number, lon[i] as number];
      if (!Number.isFinite(a) || !Number.isFinite(o)) continue;
      held.south = Math.min(held.south, a);
      held.north = Math.max(held.north, a);
      held.west = Math.min(held.west, o);
      held.east = Math.max(held.east, o);
    }
  }
  return held.south <= held.north ? held : null;
}

// The number of the place that is nearest, and how far it is; null: there is none.
export function nearest({lat, lon}: Places, lat0: number, lon0: number): {at: number; m: number} | null {
  const {x, y} = plane(lat0, lon0);
  let at = -1;
  let least = Infinity;
  for (let i = 0; i < lat.length; i++) {
    const m = Math.hypot(x(lon[i] as number), y(lat[i] as number));
    if (m < least) [at, least] = [i, m];
  }
  return at < 0 ? null : {at, m: least};
}

// A line across the path at its place `at`, `half` metres to each side.  Null: the path stands still there.
export function across({lat, lon}: Places, at: number, half: number): [[number, number], [number, number]] | null {
  const [lat0, lon0] = [lat[at], lon[at]];
  if (lat0 === undefined || lon0 === undefined) return null;
  const {x, y, lat: latOf, lon: lonOf} = plane(lat0, lon0);
  let [dx, dy] = [0, 0];
  // far enough to either side that the fixes' own noise does not turn it
  for (let step = 1; step < lat.length && Math.hypot(dx, dy) < 10; step++) {
    const [i, j] = [Math.max(0, at - step), Math.min(lat.length - 1, at + step)];
    [dx, dy] = [x(lon[j] as number) - x(lon[i] as number), y(lat[j] as number) - y(lat[i] as number)];
    if (i === 0 && j === lat.length - 1) break;
  }
  const length = Math.hypot(dx, dy);
  if (!(length > 0)) return null;
  const [nx, ny] = [-dy / length * half, dx / length * half];
  return [[latOf(ny), lonOf(nx)], [latOf(-ny), lonOf(-nx)]];
}
