// What the checks of a release mean for its current step.
import { plural } from '../lib/text.ts';
import type { StepAnalysis } from '../../api/analysis.ts';
import type { Judgement } from './verdict.ts';

/** Fewer requests show next to nothing. */
export const MIN_TOTAL = 100;
export const minTotalOf = ({ minTotal = MIN_TOTAL }: StepAnalysis): number => minTotal;

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
  /** All looks until this time must have been read. */
  | { readonly kind: 'Done'; readonly until: number };

/** Times in milliseconds. */
export interface Watching {
  /** When the step began to be watched. */
  readonly startedAt: number;
  /** When it may end before its `seconds`, because all checks are Fine. Default: at once. */
  readonly earliest?: number;
}

export function outcomeOf(
  { seconds, minTotal = MIN_TOTAL, lowTraffic = 'Approval' }: StepAnalysis,
  checks: readonly NamedJudgement[],
  { startedAt, earliest = startedAt }: Watching,
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
  const allFine = enough && checks.length > 0 && checks.every(({ verdict }) => verdict === 'Fine');
  const until = allFine ? earliest : startedAt + seconds * 1000;
  if (now < until) return { kind: 'Watching', until, message: seen(least, minTotal) };
  if (enough || lowTraffic === 'Continue') return { kind: 'Done', until };
  const message = seen(least, minTotal);
  return lowTraffic === 'Wait'
    ? { kind: 'Watching', until: undefined, message }
    : { kind: 'WaitsForApproval', message };
}

/** `errors: 12 requests (500 required), none bad` */
function seen(check: NamedJudgement | undefined, minTotal: number): string {
  if (check === undefined) return '';
  const { name, total = 0, bad = 0 } = check;
  const required = total < minTotal ? ` (${minTotal} required)` : '';
  return `${name}: ${plural(total, 'request')}${required}, ${bad === 0 ? 'none' : bad} bad`;
}
