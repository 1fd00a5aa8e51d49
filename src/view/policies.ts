// The policies that select a workload, and their effects on its release in words.
import type { ReleasePolicy } from '../api/policy.ts';
import type { Deployment, KubeObject, Rollout } from '../api/types.ts';
import { plural } from '../engine/lib/text.ts';
import { whoMay } from '../engine/policy/approval.ts';
import { enforcementOf, matching } from '../engine/policy/policy.ts';
import { judgeWindow } from '../engine/policy/rollback-window.ts';
import { judgePlan } from '../engine/policy/rules.ts';
import { closedPolicies, opens, type Calendar } from '../engine/policy/windows.ts';
import { sentence } from '../engine/validate/violation.ts';
import { approvalRule, approvalRuleOf } from './approval.ts';

/** Namespaces that no policy selects. */
export const EXEMPT: ReadonlySet<string> = new Set(['kube-system']);

/** Those that select the workload. `namespace`: the object; undefined if it does not exist. `name`: of the namespace. */
export function policiesAmong(
  all: readonly ReleasePolicy[],
  namespace: KubeObject | undefined,
  name: string,
  deployment: Deployment | undefined,
): ReleasePolicy[] {
  const workloadLabels = deployment ? [deployment.metadata.labels] : [];
  return matching(all, { namespace: name, namespaceLabels: namespace?.metadata.labels, workloadLabels }, EXEMPT);
}

/** An effect of policies on a release. */
export interface PolicyEffect {
  /** Names of the policies. */
  readonly policies: readonly string[];
  readonly note: string;
  /** The windows of the policy are closed until this time, in milliseconds; undefined for ever. Absent for other effects. */
  readonly closed?: { readonly opensAt: number | undefined };
}

/** One note for each effect of a policy on the release. */
export const policyNotes = (...asked: Parameters<typeof policyEffects>): string[] =>
  policyEffects(...asked).map(({ note }) => note);

export function policyEffects(
  policies: readonly ReleasePolicy[],
  rollout: Rollout,
  replicas: number,
  now: number,
  calendar: Calendar,
): PolicyEffect[] {
  const effects: PolicyEffect[] = [];
  const add = ({ metadata }: ReleasePolicy, note: string, more: Pick<PolicyEffect, 'closed'> = {}): void => {
    effects.push({ policies: [metadata.name], note, ...more });
  };
  for (const { policy, ...violation } of [
    ...judgePlan(policies, rollout, replicas),
    ...judgeWindow(policies, rollout),
  ]) {
    const refused = enforcementOf(policy) === 'Deny';
    add(policy, `policy ${policy.metadata.name}${refused ? ' refuses this' : ' warns'}: ${sentence(violation)}`);
  }
  const closed = closedPolicies(policies, now, calendar);
  for (const { policy, why, opensAt } of closed) {
    const refused =
      enforcementOf(policy) === 'Deny' ? 'no release starts, and no step continues' : 'a release gets a warning';
    add(policy, `policy ${policy.metadata.name} is closed ${opens(opensAt)} (${why}): ${refused}`, {
      closed: { opensAt },
    });
  }
  for (const policy of policies) {
    const { metadata, spec } = policy;
    if (spec.windows && !closed.some((one) => one.policy === policy))
      add(policy, `policy ${metadata.name} has windows and is open now`);
    if (spec.maxConcurrentReleases !== undefined)
      add(
        policy,
        `policy ${metadata.name} allows ${plural(spec.maxConcurrentReleases, 'release')} at a time in one namespace`,
      );
  }
  for (const policy of policies) {
    if (policy.spec.analysis?.override === undefined) continue;
    const { users = [], groups = [] } = policy.spec.analysis.override;
    const who = users.length + groups.length === 0 ? 'nobody' : `only ${whoMay(users, groups)}`;
    add(policy, `if a check is Worse, ${who} may let the release continue (policy ${policy.metadata.name})`);
  }
  const rule = approvalRuleOf(policies);
  if (rule !== undefined)
    effects.push({ policies: rule.policies, note: `a waiting step requires approval by ${approvalRule(policies)}` });
  return effects;
}
