// What the checks of a release mean for its current step.
import { plural } from '../lib/text.ts';
import type { Judgement } from './verdict.ts';

/** How long a step is watched. */
export interface StepAnalysis {
  readonly seconds: number;
  /** Requests that the new version must have had. Default 0. */
  readonly minTotal?: number;
  /** If there were fewer: wait for an approval (default), wait for more requests, or continue. */
  readonly lowTraffic?: 'Approval' | 'Wait' | 'Continue';
}

export interface NamedJudgement extends Judgement {
  readonly name: string;
  /** Requests of the new version. Absent for checks that count none. */
  readonly total?: number;
  readonly bad?: number;
}

export type StepOutcome =
  /** A check has shown that the new version is worse. */
  | { readonly kind: 'Failed'; readonly check: NamedJudgement }
  /** A check does not know. Nothing goes on, and nothing fails. */
  | { readonly kind: 'Blind'; readonly check: NamedJudgement }
  /** It is watched until this time, in milliseconds. Undefined: until there were enough requests. */
  | { readonly kind: 'Watching'; readonly until: number | undefined; readonly message: string }
  | { readonly kind: 'WaitsForApproval'; readonly message: string }
  | { readonly kind: 'Done' };

/** `startedAt`: when the step began to be watched, in milliseconds. */
export function outcomeOf(
  { seconds, minTotal = 0, lowTraffic = 'Approval' }: StepAnalysis,
  checks: readonly NamedJudgement[],
  startedAt: number,
  now: number,
): StepOutcome {
  const failed = checks.find(({ verdict }) => verdict === 'Worse');
  if (failed) return { kind: 'Failed', check: failed };
  const blind = checks.find(({ verdict }) => verdict === 'Unknown');
  if (blind) return { kind: 'Blind', check: blind };
  const counting = checks.filter(({ total }) => total !== undefined);
  const least = counting.reduce<NamedJudgement | undefined>(
    (few, one) => (few === undefined || one.total! < few.total! ? one : few),
    undefined,
  );
  const enough = least === undefined || least.total! >= minTotal;
  if (enough && checks.length > 0 && checks.every(({ verdict }) => verdict === 'Fine')) return { kind: 'Done' };
  const until = startedAt + seconds * 1000;
  if (now < until) return { kind: 'Watching', until, message: seen(least, minTotal) };
  if (enough || lowTraffic === 'Continue') return { kind: 'Done' };
  const message = seen(least, minTotal);
  return lowTraffic === 'Wait'
    ? { kind: 'Watching', until: undefined, message }
    : { kind: 'WaitsForApproval', message };
}

/** `errors: 12 of 500 requests, none bad` */
function seen(check: NamedJudgement | undefined, minTotal: number): string {
  if (check === undefined) return '';
  const { name, total = 0, bad = 0 } = check;
  const requests = minTotal > 0 ? `${total} of ${plural(minTotal, 'request')}` : plural(total, 'request');
  return `${name}: ${requests}, ${bad === 0 ? 'none' : bad} bad`;
}
