// Converts Kubernetes' timestamps to milliseconds and back.

const PATTERN = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,3})\d*)?Z$/;

/** Cache size. The Pods of a batch become Ready within a few seconds and are read often. */
const MAX_KNOWN = 1_000;
const known = new Map<string, number>();

/** Milliseconds since the epoch for an RFC 3339 time in UTC. Undefined if absent or invalid. */
export function parseTime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const before = known.get(text);
  if (before !== undefined) return before;
  const ms = readTime(text);
  if (ms === undefined) return undefined;
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(text, ms);
  return ms;
}

function readTime(text: string): number | undefined {
  const parts = PATTERN.exec(text);
  if (!parts) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const fraction = Number((parts[7] ?? '').padEnd(3, '0'));
  return ((daysTo(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + fraction;
}

/** Formats like metav1.Time, in whole seconds. */
export function formatTime(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const days = Math.floor(seconds / 86_400);
  const [year, month, day] = dateOf(days);
  const rest = seconds - days * 86_400;
  const clock = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60].map(two).join(':');
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${clock}Z`;
}

const two = (n: number): string => String(n).padStart(2, '0');

/** Days since 1970-01-01 in the proleptic Gregorian calendar. Years start in March here, so that the leap day is the last day. */
function daysTo(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

function dateOf(days: number): [number, number, number] {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day];
}

/** The first of these times that is later than now. Undefined if there is none. */
export function earliestAfter(now: number, times: readonly (number | undefined)[]): number | undefined {
  const coming = times.filter((time) => time !== undefined).filter((time) => time > now);
  return coming.length > 0 ? Math.min(...coming) : undefined;
}

/** The first of the times that are known. */
export function earliest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
