// The plan of a release in progress. Approvals count for one plan only, and users who changed the plan are recorded.
import { PLAN_CHANGED } from '../../api/keys.ts';
import type { PlanChange } from '../../api/policy.ts';
import type { CanaryStatus, Rollout } from '../../api/types.ts';
import { canonicalJson, sameJson, type Sha256 } from '../lib/template.ts';

/** Digest of what an approval is for: the whole strategy, its last change during the release, and the next step, or the version to restore. */
export function planDigest(rollout: Rollout, { nextStepIndex, undoTo }: CanaryStatus, sha256: Sha256): string {
  const change = rollout.metadata.annotations?.[PLAN_CHANGED] ?? '';
  const plan = [rollout.spec.strategy.canary ?? {}, change, nextStepIndex, ...(undoTo === undefined ? [] : [undoTo])];
  return sha256(canonicalJson(plan)).slice(0, 16);
}

/** Parses the webhook's annotation. Undefined if it is absent or invalid. */
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

/** The annotation with one more change. */
export function withPlanChange(old: Rollout | undefined, user: string, id: string): string {
  const before = readPlanChange(old)?.users ?? [];
  return JSON.stringify({ users: [...new Set([...before, user])], id } satisfies PlanChange);
}

/** True if the edit changes the strategy or removes its pause. */
export const changesPlan = (old: Rollout, next: Rollout): boolean =>
  !sameJson(old.spec.strategy.canary, next.spec.strategy.canary) ||
  (old.spec.strategy.paused === true && next.spec.strategy.paused !== true);
