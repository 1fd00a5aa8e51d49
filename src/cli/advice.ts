// What the reader of a release can do now: lines to stand below its tree.
import { GROUP, ROLLOUT_RESOURCE } from '../api/keys.ts';
import { namespaceFlag } from '../engine/lib/text.ts';
import type { Rollout } from '../api/types.ts';
import type { Facts } from '../view/facts.ts';
import { stateOf } from '../view/state.ts';
import type { Cluster } from './cluster.ts';

/** Empty where there is nothing to do but wait. */
export async function adviceFor(cluster: Cluster, { rollout, deployment, view }: Facts): Promise<string> {
  const name = `${rollout.metadata.name}${namespaceFlag(rollout)}`;
  const state = stateOf(rollout, deployment);
  const giveUp =
    view !== undefined && view.stableSet === undefined
      ? 'apply the manifest of the version before, which no ReplicaSet keeps any more'
      : `kubectl tranche abort ${name}`;
  if (state === 'Waiting') {
    const may = await mayApprove(cluster, rollout);
    const who =
      may === undefined
        ? ''
        : may
          ? ' (you may)'
          : ` (you may not: it needs the verb "approve" on ${ROLLOUT_RESOURCE}, see ClusterRole tranche-approver)`;
    const { approvalRule, approvalsSoFar, policiesFor } = await import('./policies.ts');
    const policies = (await policiesFor(cluster, rollout, deployment)) ?? [];
    const rule = approvalRule(policies);
    const needs = `${rule === undefined ? '' : `  approved by ${rule}\n`}${approvalsSoFar(rollout, policies, deployment)}`;
    return `${needs}  go on: kubectl tranche approve ${name}${who}\n  give up: ${giveUp}\n`;
  }
  if (state === 'Paused') return `  go on: kubectl tranche resume ${name}\n`;
  if (state === 'Stalled' && rollout.status?.phase === 'Progressing')
    return `  try again: kubectl tranche retry ${name}\n  give up: ${giveUp}\n`;
  return '';
}

/** Undefined where the cluster does not say. */
async function mayApprove(cluster: Cluster, { metadata: { name, namespace } }: Rollout): Promise<boolean | undefined> {
  try {
    return await cluster.mayI({ group: GROUP, resource: 'rollouts', verb: 'approve', name, namespace });
  } catch {
    return undefined;
  }
}
