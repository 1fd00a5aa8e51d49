// The checks of the release in progress, as the operator last reported them.
import type { AnalysisCheck, CheckStatus, Verdict } from '../api/analysis.ts';
import type { Rollout } from '../api/types.ts';
import { parseTime } from '../engine/lib/time.ts';
import { seenBy } from '../engine/messages.ts';

export interface CheckView {
  readonly name: string;
  /** Undefined: the operator has not reported it yet. */
  readonly verdict: Verdict | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number | undefined;
  /** In words, with counts. */
  readonly message: string | undefined;
  /** At `alarm`, the verdict is Worse. Undefined for a check that counts no requests. */
  readonly evidence: number | undefined;
  readonly alarm: number | undefined;
  /** Users who let the release go on although the verdict is Worse. Undefined: nobody has. */
  readonly acceptedBy: readonly string[] | undefined;
}

/** The checks of the Rollout, in their order. */
export const checkViews = ({ spec, status }: Rollout): CheckView[] =>
  (spec.strategy.canary?.analysis ?? []).map(({ name }) =>
    viewOf(
      name,
      status?.canaryStatus?.analysis?.find((one) => one.name === name),
    ),
  );

const viewOf = (name: string, said: CheckStatus | undefined): CheckView => ({
  name,
  verdict: said?.verdict,
  since: parseTime(said?.since),
  message: said && seenBy(said),
  evidence: said?.evidence,
  alarm: said?.alarm,
  acceptedBy: said?.acceptedBy,
});

/** The checks that an approval now would overrule: they are Worse, and nobody has let the release go on since. */
export const overruled = ({ status }: Rollout): CheckView[] =>
  (status?.canaryStatus?.analysis ?? [])
    .filter(({ verdict, acceptedBy }) => verdict === 'Worse' && acceptedBy === undefined)
    .map((said) => viewOf(said.name, said));

/** What an approval now overrules. Undefined if no check is Worse. */
export function overruling(rollout: Rollout): { readonly although: string; readonly overrules: string } | undefined {
  const checks = overruled(rollout);
  const [only, another] = checks;
  if (only === undefined) return undefined;
  const named = another ? `checks ${checks.map(({ name }) => name).join(', ')}` : `check ${only.name}`;
  const are = another ? 'are' : 'is';
  const numbers = checks.map(({ name, message = '' }) => (another ? `${name}: ${message}` : message)).join('; ');
  return {
    although: ` although ${named} ${are} Worse (${numbers})`,
    overrules:
      `overrules ${named}, which ${are} Worse: ${numbers}. If you approve, the new version gets more Pods although it is shown ` +
      'to be worse, and the approval is recorded with your name',
  };
}

/** What follows if the check is Worse. A check with pods holds the release, whatever is written. */
export const rollsBackIfWorse = ({ pods, onFailure }: AnalysisCheck, { spec }: Rollout): boolean =>
  pods === undefined && (onFailure ?? spec.strategy.canary?.onFailure) === 'Rollback';
