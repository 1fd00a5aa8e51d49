// The report of a run of faults, as people read it.
import type { Outcome } from './play.ts';

export async function summary(outcomes: readonly Outcome[], seed: number, seconds: number) {
  const good = outcomes.every(({ failures, violations }) => failures.length + violations.length === 0);
  const text = JSON.stringify({ seed, seconds, outcomes }, null, 1);
  return { text, good };
}
