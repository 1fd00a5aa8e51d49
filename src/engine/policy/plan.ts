// The plan of a release in flight, as approvals are bound to it: another plan needs other approvals, and who changed it is known.
import { PLAN_CHANGED } from '../../api/keys.ts';
import type { PlanChange } from '../../api/policy.ts';
import type { CanaryStatus, Rollout } from '../../api/types.ts';
import { canonicalJson, sameJson, type Sha256 } from '../lib/template.ts';

/** Of the whole strategy, of the last change in flight, and of the step that follows: what an approval is for. */
export function planDigest(rollout: Rollout, { nextStepIndex }: CanaryStatus, sha256: Sha256): string {
  const change = rollout.metadata.annotations?.[PLAN_CHANGED] ?? '';
  const plan = [rollout.spec.strategy.canary ?? {}, change, nextStepIndex];
  return sha256(canonicalJson(plan)).slice(0, 16);
}

/** Reads what the webhook wrote; undefined when it is absent or not ours. */
export function readPlanChange(rollout: Rollout | undefined): PlanChange | undefined {
  const text = rollout?.metadata.annotations?.[PLAN_CHANGED];
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<PlanChange> | null;
    const users = Array.isArray(value?.users) ? value.users.filter((user) => typeof user === 'string') : undefined;
    return users !== undefined && typeof value?.id === 'string' ? { users, id: value.id } : undefined;
  } catch {
    return undefined;
  }
}

/** The mark with one more change in it. */
export function withPlanChange(old: Rollout | undefined, user: string, id: string): string {
  const before = readPlanChange(old)?.users ?? [];
  return JSON.stringify({ users: [...new Set([...before, user])], id } satisfies PlanChange);
}

/** Another strategy, or a pause that is taken off. */
export const changesPlan = (old: Rollout, next: Rollout): boolean =>
  !sameJson(old.spec.strategy.canary, next.spec.strategy.canary) ||
  (old.spec.strategy.paused === true && next.spec.strategy.paused !== true);
