// Numbers in, what a person reads out.

const UNITS = {degC: "°C", degF: "°F", deg: "°", "deg/s": "°/s", kelvin: "K", percent: "%"};
const DIGITS = {rpm: 0, "%": 1, g: 2};

// How the large numbers are shown: the unit as a driver thinks of it, its factor, and digits that don't flicker.
const LARGE = {"m/s": ["km/h", 3.6, 0], rpm: ["rpm", 1, 0], "%": ["%", 1, 0], bar: ["bar", 1, 1], degC: ["°C", 1, 0], g: ["g", 1, 2]};

export function unit(name) {
  return UNITS[name] ?? name;
}

export function large(name) {
  const [shown, factor, places] = LARGE[name] ?? [unit(name), 1, null];
  return {unit: shown, factor, places};
}

// Digits behind the point, by the largest value seen, so that a number keeps its width.
export function digits(name, most, whole) {
  if (name in DIGITS) return DIGITS[name];
  if (whole) return 0;
  if (name === "deg" && most > 0) return most < 1000 ? 2 : 0;
  if (most >= 1000) return 0;
  return most >= 100 ? 1 : 2;
}

export function number(value, places) {
  const text = value.toFixed(places);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

export function age(seconds) {
  if (seconds < 9.5) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}
