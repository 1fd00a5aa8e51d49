// The lines below the tree of a release: the commands that the user can run next.
import { GROUP, ROLLOUT_RESOURCE } from '../api/keys.ts';
import { namespaceFlag } from '../engine/lib/text.ts';
import type { Rollout } from '../api/types.ts';
import type { Facts } from '../view/facts.ts';
import { stateOf } from '../view/state.ts';
import type { Cluster } from './cluster.ts';

/** Empty if there is nothing to do. */
export async function adviceFor(cluster: Cluster, { rollout, deployment, view }: Facts): Promise<string> {
  const name = `${rollout.metadata.name}${namespaceFlag(rollout)}`;
  const state = stateOf(rollout, deployment);
  const rollBack =
    view !== undefined && view.stableSet === undefined
      ? 'apply the manifest of the stable version (no ReplicaSet has it)'
      : `kubectl tranche abort ${name}`;
  if (state === 'Waiting') {
    const may = await mayApprove(cluster, rollout);
    const who =
      may === undefined
        ? ''
        : may
          ? ' (you may)'
          : ` (you may not: this requires the verb "approve" on ${ROLLOUT_RESOURCE}, see ClusterRole tranche-approver)`;
    const { approvalRule, approvalsSoFar, policiesFor } = await import('./policies.ts');
    const policies = (await policiesFor(cluster, rollout, deployment)) ?? [];
    const rule = approvalRule(policies);
    const needs = `${rule === undefined ? '' : `  requires approval by ${rule}\n`}${approvalsSoFar(rollout, policies, deployment)}`;
    return `${needs}  continue: kubectl tranche approve ${name}${who}\n  roll back: ${rollBack}\n`;
  }
  if (state === 'Paused') return `  continue: kubectl tranche resume ${name}\n`;
  if (state === 'Stalled' && rollout.status?.phase === 'Progressing')
    return `  retry: kubectl tranche retry ${name}\n  roll back: ${rollBack}\n`;
  return '';
}

/** Undefined if the API server does not answer. */
async function mayApprove(cluster: Cluster, { metadata: { name, namespace } }: Rollout): Promise<boolean | undefined> {
  try {
    return await cluster.mayI({ group: GROUP, resource: 'rollouts', verb: 'approve', name, namespace });
  } catch {
    return undefined;
  }
}
