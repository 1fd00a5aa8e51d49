// The policies that select a workload: what they require, and why they hold the release.
import type { ReleasePolicy } from '../../api/policy.ts';
import { approvalPolicies } from '../../engine/policy/approval.ts';
import { enforcementOf } from '../../engine/policy/policy.ts';
import type { Calendar } from '../../engine/policy/windows.ts';
import { conditionOf } from '../../engine/status.ts';
import { kindFor, type Facts } from '../facts.ts';
import { policyEffects } from '../policies.ts';
import { standingOf } from './row.ts';
import { at, first, LONGEST, name, text } from './text.ts';
import type { Policies, PolicyView } from './types.ts';

const MOST_POLICIES = 50;
const MOST_EFFECTS = 50;

/** `policies`: undefined if the user may not read them. */
export function policiesView(
  { rollout, deployment }: Facts,
  policies: readonly ReleasePolicy[] | undefined,
  { now, calendar }: { readonly now: number; readonly calendar: Calendar },
): Policies {
  if (policies === undefined) return { known: false, list: [] };
  const replicas = deployment ? kindFor(rollout).replicas(deployment) : 0;
  const effects = policyEffects(policies, rollout, replicas, now, calendar);
  const { state, waitsForApproval } = standingOf(rollout, deployment);
  const asking = waitsForApproval ? approvalPolicies(policies) : [];
  const blocked = state === 'Blocked' ? (conditionOf(rollout.status?.conditions, 'PolicyBlocked')?.message ?? '') : '';
  const views = policies.map((policy): PolicyView => {
    const own = effects.filter((effect) => effect.policies.includes(policy.metadata.name));
    const holds = asking.includes(policy) || blocked.startsWith(`policy ${policy.metadata.name} `);
    const closed = own.find((effect) => effect.closed !== undefined)?.closed;
    return {
      name: name(policy.metadata.name),
      enforcement: text(enforcementOf(policy), LONGEST.word),
      holds,
      says: first(own, MOST_EFFECTS).map(({ note }) => text(note, LONGEST.message)),
      ...at('until', closed?.opensAt),
    };
  });
  return {
    known: true,
    list: first(
      views.toSorted((a, b) => Number(b.holds) - Number(a.holds)),
      MOST_POLICIES,
    ),
  };
}
