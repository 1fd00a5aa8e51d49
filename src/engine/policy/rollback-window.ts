// The policy rule about rollbackWindow: limits how far a Rollout may go back without steps.
import type { ReleasePolicy } from '../../api/policy.ts';
import type { RollbackWindow, Rollout } from '../../api/types.ts';
import { plural } from '../lib/text.ts';
import { enforcementOf, type Finding } from './policy.ts';

/** Infinity: not limited. 0: forbidden. */
export interface WindowLimits {
  readonly revisions: number;
  readonly seconds: number;
}

/** The strictest limits of the enforced policies. */
export const windowLimits = (policies: readonly ReleasePolicy[]): WindowLimits => {
  const rules = policies
    .filter((policy) => enforcementOf(policy) === 'Deny')
    .flatMap(({ spec }) => (spec.rollbackWindow ? [spec.rollbackWindow] : []));
  const least = (values: readonly (number | undefined)[]): number =>
    Math.min(Infinity, ...values.filter((value) => value !== undefined));
  return {
    revisions: least(rules.map(({ maxRevisions }) => maxRevisions)),
    seconds: least(rules.map(({ maxSeconds }) => maxSeconds)),
  };
};

/** True if a version may be restored with this window that could not be before. */
export const isWider = (window: RollbackWindow | undefined, before: RollbackWindow | undefined): boolean =>
  window !== undefined &&
  (before === undefined ||
    (window.revisions ?? Infinity) > (before.revisions ?? Infinity) ||
    (window.seconds ?? Infinity) > (before.seconds ?? Infinity));

const WINDOW = 'spec.strategy.canary.rollbackWindow';

/** Findings about the window of a Rollout. */
export function judgeWindow(policies: readonly ReleasePolicy[], rollout: Rollout): Finding[] {
  const window = rollout.spec.strategy.canary?.rollbackWindow;
  if (window === undefined) return [];
  return policies.flatMap((policy): Finding[] => {
    const { maxRevisions, maxSeconds } = policy.spec.rollbackWindow ?? {};
    const common = { policy, rule: 'rollbackWindow' } as const;
    const by = `(policy ${policy.metadata.name})`;
    if (maxRevisions === 0 || maxSeconds === 0) {
      const reason = `must not be set ${by}`;
      const remedy = 'remove it; an approver can go back immediately with: kubectl tranche undo --now';
      return [{ ...common, field: WINDOW, value: window, type: 'Forbidden', rank: Infinity, reason, remedy }];
    }
    const found: Finding[] = [];
    const limit = (field: 'revisions' | 'seconds', most: number | undefined, what: string): void => {
      const value = window[field];
      if (most === undefined || (value !== undefined && value <= most)) return;
      const reason = value === undefined ? `must be set, to at most ${what} ${by}` : `must be at most ${what} ${by}`;
      found.push({
        ...common,
        field: `${WINDOW}.${field}`,
        value,
        rank: -most,
        reason,
        remedy: `write ${most} or less`,
      });
    };
    limit('revisions', maxRevisions, plural(maxRevisions ?? 0, 'revision'));
    limit('seconds', maxSeconds, plural(maxSeconds ?? 0, 'second'));
    return found;
  });
}
