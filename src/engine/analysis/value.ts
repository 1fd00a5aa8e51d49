// The check `value`: one number against a minimum and a maximum, several looks in a row.
import type { Judgement, Verdict } from './verdict.ts';

export interface ValueCheck {
  /** At least one of them. */
  readonly min?: number;
  readonly max?: number;
  /** Looks in a row, 1 or more, until it is Worse or Fine. Default 3. */
  readonly failures?: number;
}

/** One value, or why there is none. */
export type Valued =
  { readonly at: number; readonly value: number } | { readonly at: number; readonly unknown: string };

export interface ValueState extends Judgement {
  /** Looks in a row that were bad, and that were good. A look without a value does not end a row. */
  readonly bad: number;
  readonly good: number;
  readonly last?: number;
}

const FAILURES = 3;

export const startValue = (at: number): ValueState => ({ verdict: 'Open', since: at, bad: 0, good: 0 });

export function judgeValue(
  { min, max, failures = FAILURES }: ValueCheck,
  before: ValueState,
  seen: Valued,
): ValueState {
  if (before.verdict === 'Worse') return before;
  const { why: _, ...rest } = before;
  const state = (verdict: Verdict, more: Partial<ValueState>): ValueState => ({
    ...rest,
    ...more,
    verdict,
    since: before.verdict === verdict ? before.since : seen.at,
  });
  if ('unknown' in seen) return state('Unknown', { why: seen.unknown });
  const { value } = seen;
  if (!Number.isFinite(value)) return state('Unknown', { why: `the source returned ${value}` });
  const isBad = (max !== undefined && value > max) || (min !== undefined && value < min);
  const bad = isBad ? before.bad + 1 : 0;
  const good = isBad ? 0 : before.good + 1;
  return state(bad >= failures ? 'Worse' : good >= failures ? 'Fine' : 'Open', { bad, good, last: value });
}
