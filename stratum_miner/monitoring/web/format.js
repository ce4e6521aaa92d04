// Formats numbers for people in the same way as the terminal does (stratum_miner.quantities). A test compares the two.

const PREFIXES = ["", "k", "M", "G", "T", "P", "E", "Z"];
const DAY = 86400;
const SPANS = [
  [365.25 * DAY, "years"], [DAY, "days"], [3600, "hours"], [60, "minutes"], [1, "seconds"], [1e-3, "milliseconds"],
  [1e-6, "microseconds"], [1e-9, "nanoseconds"],
];
const NONE = "–";

// Returns three digits and an SI prefix, such as "12.3 M". The caller appends the unit.
export function scaled(value) {
  if (Math.abs(value) >= 999.5e21) return `${significant(value, 3)} `;
  let index = 0;
  while (Math.abs(value) >= 999.5 && index < PREFIXES.length - 1) {
    value /= 1000;
    index += 1;
  }
  const size = Math.abs(value);
  const digits = size >= 99.95 || index === 0 ? 0 : size >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${PREFIXES[index]}`;
}

export const hashRate = (rate) => (rate === null ? NONE : `${scaled(rate)}H/s`);

export const count = (number) => (number === null ? NONE : number.toLocaleString("en"));

export function difficulty(value) {
  if (value === null) return NONE;
  return value >= 10000 ? scaled(value).trim() : significant(value, 4);
}

// Returns a number in `digits` significant digits without trailing zeros, with an exponent if it is very small or
// large.
export function significant(value, digits) {
  if (value === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent < -4 || exponent >= 15) {
    return value.toExponential(digits - 1).replace(/\.?0+e/, "e").replace(/e([+-])(\d)$/, "e$10$2");
  }
  return String(Number(value.toPrecision(digits)));
}

// Returns a duration such as "4.2s", "3m07s", "2h05m" or "9d04h".
export function duration(seconds) {
  if (seconds === null) return NONE;
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const two = (number) => String(number).padStart(2, "0");
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / DAY);
  const hours = Math.floor((whole % DAY) / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (days) return `${days}d${two(hours)}h`;
  return hours ? `${hours}h${two(minutes)}m` : `${minutes}m${two(whole % 60)}s`;
}

// Returns a waiting time such as "3.58 minutes", "1 day" or "2.1 million years".
export function span(seconds) {
  if (seconds === null) return NONE;
  const [size, name] = SPANS.find(([unit]) => seconds >= unit) ?? SPANS[SPANS.length - 1];
  const number = rounded(seconds / size);
  return `${number} ${number === "1" ? name.slice(0, -1) : name}`;
}

function rounded(value) {
  if (value >= 1e15) return significant(value, 3);
  for (const [size, word] of [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"]]) {
    if (value >= size) return `${significant(value / size, 3)} ${word}`;
  }
  return value >= 100 ? count(Number(value.toPrecision(3))) : significant(value, 3);
}

// Returns a latency such as "0.6 ms", "123 ms" or "1.2s".
export function milliseconds(value) {
  if (value === null) return NONE;
  if (value >= 999.5) return duration(value / 1000);
  return value < 99.95 ? `${value.toFixed(1)} ms` : `${value.toFixed(0)} ms`;
}

export const percent = (part) => (part === null ? NONE : `${(part * 100).toFixed(part > 0 && part < 0.01 ? 2 : 1)} %`);
export const celsius = (value) => (value === null ? NONE : `${value.toFixed(1)} °C`);
export const watts = (value) => (value === null ? NONE : value >= 100 ? `${count(Math.round(value))} W` : `${value.toFixed(1)} W`);
export const joules = (value) => (value < 999.5 ? significant(value, 3) : scaled(value).trim());
export const efficiency = (value) => (value === null ? NONE : `${joules(value)} J/TH`);
export const ago = (seconds) => (seconds === null ? "never" : `${duration(seconds)} ago`);

export const clock = (at) => new Date(at * 1000).toLocaleTimeString("en-GB");
export const shortClock = (at) => clock(at).slice(0, 5);
export function moment(at) {
  const date = new Date(at * 1000);
  const today = new Date().toDateString() === date.toDateString();
  return today ? clock(at) : `${date.toLocaleDateString("en-GB", { day: "2-digit", month: "short" })} ${clock(at)}`;
}

// Returns the text with a capital letter at the beginning and a full stop at the end.
export const sentence = (text) => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

export const poolName = (name) => name.replace(/^stratum\+tcp:\/\//, "");
