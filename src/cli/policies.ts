// The effect of policies on a release, as far as the user may read policies.
import type { ReleasePolicy } from '../api/policy.ts';
import { NAMESPACES, POLICIES } from '../api/resources.ts';
import type { Deployment, Rollout, TemplateDigest } from '../api/types.ts';
import { plural } from '../engine/lib/text.ts';
import { undoStanding } from '../engine/release/completed.ts';
import { approvalRule, approvedBy, isStillPaused, stillRequired } from '../view/approval.ts';
import { policiesAmong } from '../view/policies.ts';
import type { Cluster } from './cluster.ts';
import { oneLine } from './paint.ts';

export { approvalRule } from '../view/approval.ts';
export { EXEMPT, policyNotes } from '../view/policies.ts';

/** The policies that select the workload; undefined if the user may not read them. `written`: policies to add or to replace. */
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
    return policiesAmong(all, await cluster.find(NAMESPACES, { name }), name, deployment);
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

/** The approvals still required after this one: `1 of 2 approvals; ...`. Undefined if this one was the last. */
export async function furtherApprovals(
  cluster: Cluster,
  rollout: Rollout,
  deployment: Deployment | undefined,
  /** The answer of the server; undefined if nothing was sent: then the planned approval counts, too. */
  answer: Rollout | undefined,
): Promise<string | undefined> {
  if (!isStillPaused(rollout, answer)) return undefined;
  return stillRequired(rollout, deployment, await policiesFor(cluster, rollout, deployment), answer);
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
