// The check `condition`: an object that a pipeline made for this release, such as a Job, says in its conditions how it went.
import { conditionOf } from '../status.ts';
import type { Condition, KubeObject } from '../../api/types.ts';
import type { Judgement } from './verdict.ts';

export interface ConditionCheck {
  readonly kind: string;
  /** Type of the condition that is True when all is well, and of the one that is True when it is not. */
  readonly ok: string;
  readonly failed?: string;
}

type Object = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } };

export const startCondition = (at: number): Judgement => ({ verdict: 'Open', since: at });

/** `object`: the newest object of this release. Undefined if there is none. */
export function judgeCondition(
  { kind, ok, failed }: ConditionCheck,
  before: Judgement,
  object: Object | undefined,
  at: number,
): Judgement {
  if (before.verdict === 'Worse') return before;
  const isTrue = (type: string | undefined): boolean =>
    type !== undefined && conditionOf(object?.status?.conditions, type)?.status === 'True';
  const verdict = object === undefined ? 'Unknown' : isTrue(failed) ? 'Worse' : isTrue(ok) ? 'Fine' : 'Open';
  const since = before.verdict === verdict ? before.since : at;
  return verdict === 'Unknown'
    ? { verdict, since, why: `there is no ${kind} with the id of this release` }
    : { verdict, since };
}
