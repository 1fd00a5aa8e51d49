// Evaluates cron schedules in time zones with croner, for the windows of policies.
import { Cron } from 'croner';
import type { Window } from '../api/policy.ts';
import type { Calendar } from '../engine/policy/windows.ts';

/** Maximum number of parsed schedules in the cache. Policies are few, and are evaluated often. */
const MAX_KEPT = 1_000;

interface Starts {
  readonly askedAt: number;
  readonly before: number;
  /** Infinity if the schedule has no further start. */
  readonly after: number;
}

interface Kept {
  readonly cron: Cron;
  last: Starts | undefined;
}

export function createCalendar(): Calendar {
  const kept = new Map<string, Kept>();
  const keptOf = (schedule: string, timezone: string): Kept => {
    const key = `${timezone} ${schedule}`;
    let found = kept.get(key);
    if (found === undefined) {
      if (kept.size >= MAX_KEPT) kept.clear();
      found = { cron: new Cron(schedule, { timezone, paused: true, mode: '5-part' }), last: undefined };
      kept.set(key, found);
    }
    return found;
  };
  /** The last start before and the first start after this moment. They are cached until the next start. */
  const startsAround = (schedule: string, timeZone: string, now: number): Starts => {
    const found = keptOf(schedule, timeZone);
    if (found.last === undefined || now < found.last.askedAt || now >= found.last.after) {
      const second = Math.floor(now / 1000) * 1000;
      const [start] = found.cron.previousRuns(1, new Date(second + 1000));
      const next = found.cron.nextRun(new Date(second));
      found.last = { askedAt: second, before: start?.getTime() ?? -Infinity, after: next?.getTime() ?? Infinity };
    }
    return found.last;
  };

  return {
    windowAt({ schedule, durationSeconds }: Window, timeZone, now) {
      const { before, after } = startsAround(schedule, timeZone, now);
      const until = before + durationSeconds * 1000;
      if (until > now) return { until };
      return after === Infinity ? {} : { opensAt: after };
    },

    scheduleProblem(schedule) {
      // croner also accepts dates and nicknames, but a window must repeat.
      if (schedule.trim().split(/\s+/).length !== 5) return 'must have five fields';
      try {
        return new Cron(schedule, { paused: true, mode: '5-part', timezone: 'UTC' }).nextRun() === null
          ? 'has no future date'
          : undefined;
      } catch {
        return 'must be a cron schedule';
      }
    },

    isTimeZone(name) {
      try {
        new Intl.DateTimeFormat('en', { timeZone: name });
        return /^[A-Za-z]/.test(name);
      } catch {
        return false;
      }
    },
  };
}
