// Cron schedules in time zones, by croner: the calendar that the engine's windows ask.
import { Cron } from 'croner';
import type { Window } from '../api/policy.ts';
import type { Calendar } from '../engine/policy-windows.ts';

/** Policies are few and asked again and again. */
const MAX_KEPT = 1_000;

export function createCalendar(): Calendar {
  const kept = new Map<string, Cron>();
  const cronOf = (schedule: string, timezone: string): Cron => {
    const key = `${timezone} ${schedule}`;
    let cron = kept.get(key);
    if (cron === undefined) {
      if (kept.size >= MAX_KEPT) kept.clear();
      kept.set(key, (cron = new Cron(schedule, { timezone, paused: true, mode: '5-part' })));
    }
    return cron;
  };

  return {
    windowAt({ schedule, durationSeconds }: Window, timeZone, now) {
      const cron = cronOf(schedule, timeZone);
      const second = Math.floor(now / 1000) * 1000;
      const [start] = cron.previousRuns(1, new Date(second + 1000));
      const until = start === undefined ? -Infinity : start.getTime() + durationSeconds * 1000;
      if (until > now) return { until };
      const next = cron.nextRun(new Date(second));
      return next === null ? {} : { opensAt: next.getTime() };
    },

    scheduleProblem(schedule) {
      // croner also takes dates and nicknames; a window comes again.
      if (schedule.trim().split(/\s+/).length !== 5) return 'has not five fields';
      try {
        return new Cron(schedule, { paused: true, mode: '5-part', timezone: 'UTC' }).nextRun() === null
          ? 'never comes'
          : undefined;
      } catch {
        return 'is no schedule';
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
