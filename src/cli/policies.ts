// The effect of policies on a release, as far as the user may read policies.
import type { ReleasePolicy } from '../api/policy.ts';
import { NAMESPACES, POLICIES } from '../api/resources.ts';
import type { Deployment, Rollout, TemplateDigest } from '../api/types.ts';
import { plural } from '../engine/lib/text.ts';
import { enforcementOf, matching } from '../engine/policy/policy.ts';
import { judgeWindow } from '../engine/policy/rollback-window.ts';
import { judgePlan } from '../engine/policy/rules.ts';
import { closedPolicies, opens, type Calendar } from '../engine/policy/windows.ts';
import { undoStanding } from '../engine/release/completed.ts';
import { sentence } from '../engine/validate/violation.ts';
import { approvalRuleOf, approvedBy } from '../view/approval.ts';
import type { Cluster } from './cluster.ts';
import { oneLine } from './paint.ts';

/** Namespaces that no policy selects. */
export const EXEMPT: ReadonlySet<string> = new Set(['kube-system']);

/** The policies that select the Deployment; undefined if the user may not read them. `written`: policies to add or to replace. */
export async function policiesFor(
  cluster: Cluster,
  rollout: Rollout,
  deployment: Deployment | undefined,
  written: readonly ReleasePolicy[] = [],
): Promise<readonly ReleasePolicy[] | undefined> {
  const name = rollout.metadata.namespace ?? cluster.namespace;
  try {
    const names = new Set(written.map(({ metadata }) => metadata.name));
    const stored = await policiesIn(cluster);
    const all = [...stored.filter(({ metadata }) => !names.has(metadata.name)), ...written];
    if (all.length === 0) return [];
    const found = await cluster.find(NAMESPACES, { name });
    const namespaceLabels = found?.metadata.labels;
    const workloadLabels = deployment ? [deployment.metadata.labels] : [];
    return matching(all, { namespace: name, namespaceLabels, workloadLabels }, EXEMPT);
  } catch (error) {
    if (cluster.answerOf(error) === 'Forbidden') return undefined;
    throw error;
  }
}

async function policiesIn(cluster: Cluster): Promise<readonly ReleasePolicy[]> {
  try {
    return await cluster.list<ReleasePolicy>(POLICIES);
  } catch (error) {
    // Older charts do not install policies.
    if (cluster.answerOf(error) === 'NotFound') return [];
    throw error;
  }
}

/** One note for each effect of a policy on the release. */
export function policyNotes(
  policies: readonly ReleasePolicy[],
  rollout: Rollout,
  replicas: number,
  now: number,
  calendar: Calendar,
): string[] {
  const notes: string[] = [];
  for (const { policy, ...violation } of [
    ...judgePlan(policies, rollout, replicas),
    ...judgeWindow(policies, rollout),
  ]) {
    const refused = enforcementOf(policy) === 'Deny';
    notes.push(`policy ${policy.metadata.name}${refused ? ' refuses this' : ' warns'}: ${sentence(violation)}`);
  }
  for (const { policy, why, opensAt } of closedPolicies(policies, now, calendar)) {
    const refused =
      enforcementOf(policy) === 'Deny' ? 'no release starts, and no step continues' : 'a release gets a warning';
    notes.push(`policy ${policy.metadata.name} is closed ${opens(opensAt)} (${why}): ${refused}`);
  }
  for (const { metadata, spec } of policies) {
    if (spec.windows && !notes.some((note) => note.startsWith(`policy ${metadata.name} is closed`)))
      notes.push(`policy ${metadata.name} has windows and is open now`);
    if (spec.maxConcurrentReleases !== undefined)
      notes.push(
        `policy ${metadata.name} allows ${plural(spec.maxConcurrentReleases, 'release')} at a time in one namespace`,
      );
  }
  const approvers = approvalRule(policies);
  if (approvers !== undefined) notes.push(`a waiting step requires approval by ${approvers}`);
  return notes;
}

/** The approvals still required after this one: `1 of 2 approvals; ...`. Undefined if this one was the last. */
export async function furtherApprovals(
  cluster: Cluster,
  rollout: Rollout,
  deployment: Deployment | undefined,
  /** The answer of the server; undefined if nothing was sent: then the planned approval counts, too. */
  answer: Rollout | undefined,
): Promise<string | undefined> {
  const { canaryStatus } = (answer ?? rollout).status ?? {};
  if (!canaryStatus || (answer !== undefined && canaryStatus.currentStepState !== 'StepPaused')) return undefined;
  const policies = await policiesFor(cluster, rollout, deployment);
  const { people, required } = approvedBy(answer ?? rollout, deployment, policies);
  const given = answer === undefined ? people.length + 1 : people.length;
  if (answer === undefined && (required === undefined || given >= required)) return undefined;
  const rule = approvalRule(policies ?? []);
  const count = required === undefined ? plural(given, 'approval') : `${given} of ${plural(required, 'approval')}`;
  return `${count}; the step requires approval by ${rule ?? 'as many people as the policies require'}`;
}

/** The approvals still required to restore this version. Undefined if there are enough, or if the user may not read policies. */
export async function furtherUndoApprovals(
  cluster: Cluster,
  rollout: Rollout,
  deployment: Deployment,
  template: TemplateDigest,
  now: number,
): Promise<string | undefined> {
  const policies = await policiesFor(cluster, rollout, deployment);
  const { sha256 } = await import('../kube/digest.ts');
  const standing = policies && undoStanding({ rollout, deployment, policies, now, sha256 }, template);
  if (policies === undefined || standing === undefined || standing.enough) return undefined;
  const rule = approvalRule(policies) ?? plural(standing.required, 'person');
  return `${standing.given} of ${plural(standing.required, 'approval')}, by ${rule}`;
}

/** The line `1 of 2 approvals: anna`; empty without approvals. */
export function approvalsSoFar(
  rollout: Rollout,
  policies: readonly ReleasePolicy[],
  deployment: Deployment | undefined,
): string {
  const { people, required = 1 } = approvedBy(rollout, deployment, policies);
  if (people.length === 0) return '';
  return `  ${people.length} of ${plural(required, 'approval')}: ${oneLine(people.join(', '))}\n`;
}

/** `2 people, each a member of release-managers, not the author (policy production)`; undefined if no policy requires approvals. */
export function approvalRule(policies: readonly ReleasePolicy[]): string | undefined {
  const rule = approvalRuleOf(policies);
  if (!rule) return undefined;
  const who = rule.approvers.map(({ users, groups }) =>
    [...users, ...groups.map((group) => `a member of ${group}`)].join(' or '),
  );
  const one = rule.required === 1;
  return (
    `${one ? 'one person' : `${rule.required} people`}` +
    `${who.length > 0 ? `, ${one ? '' : 'each '}${who.join(' and also ')}` : ''}` +
    `${rule.notAuthor ? ', not the author' : ''} (policy ${rule.policies.join(', ')})`
  );
}
