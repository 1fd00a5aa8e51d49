// The lines below the tree of a release: the commands that the user can run next.
import { namespaceFlag } from '../engine/lib/text.ts';
import type { Deployment, Rollout } from '../api/types.ts';
import { earlierVersions, isInWindow } from '../engine/release/completed.ts';
import { approvalOf } from '../view/act/write.ts';
import type { Facts } from '../view/facts.ts';
import { isHeldByCheck, stateOf } from '../view/state.ts';
import type { Cluster } from './cluster.ts';
import { EXIT } from './exit.ts';
import { explainFailure } from './failure.ts';
import { oneLine } from './paint.ts';

/** Empty if there is nothing to do. */
export async function adviceFor(cluster: Cluster, { rollout, deployment, view }: Facts): Promise<string> {
  const name = `${rollout.metadata.name}${namespaceFlag(rollout)}`;
  const state = stateOf(rollout, deployment);
  const rollBack =
    view !== undefined && view.stableVersion === undefined
      ? `apply the manifest of the stable version (no ${view.kind.words.keeper} has it)`
      : `kubectl tranche abort ${name}`;
  if (state === 'Stalled' && isHeldByCheck(rollout))
    return `  roll back: ${rollBack}\n  continue although a check is Worse: kubectl tranche approve ${name}${await mayApprove(cluster, rollout)}\n`;
  if (state === 'Waiting') {
    const who = await mayApprove(cluster, rollout);
    const { approvalRule, approvalsSoFar, policiesFor } = await import('./policies.ts');
    const policies = (await policiesFor(cluster, rollout, deployment)) ?? [];
    const rule = approvalRule(policies);
    const needs = `${rule === undefined ? '' : `  requires approval by ${rule}\n`}${approvalsSoFar(rollout, policies, deployment)}`;
    return `${needs}  continue: kubectl tranche approve ${name}${who}\n  roll back: ${rollBack}\n`;
  }
  if (state === 'Idle') return wayBack(cluster, rollout, deployment);
  if (state === 'Paused') return `  continue: kubectl tranche resume ${name}\n`;
  if (state === 'Stalled' && rollout.status?.phase === 'Progressing')
    return `  retry: kubectl tranche retry ${name}\n  roll back: ${rollBack}\n`;
  return '';
}

/** How to go back to the completed version before. */
async function wayBack(cluster: Cluster, rollout: Rollout, deployment: Deployment | undefined): Promise<string> {
  const [before] = earlierVersions(rollout);
  if (before === undefined) return '';
  const undo = `kubectl tranche undo ${rollout.metadata.name}${namespaceFlag(rollout)}`;
  const { policiesFor } = await import('./policies.ts');
  const policies = rollout.spec.strategy.canary?.rollbackWindow && (await policiesFor(cluster, rollout, deployment));
  const atOnce = policies !== undefined && isInWindow({ rollout, policies, now: Date.now() }, before.templateDigest);
  return `  roll back: ${undo} (${atOnce ? 'immediately, within rollbackWindow' : 'in steps; immediately with --now, if you may approve'})\n`;
}

/** Asks admission in a dry run of the patch that `approve` sends. Empty if there is no answer. */
async function mayApprove(cluster: Cluster, rollout: Rollout): Promise<string> {
  try {
    const answer = await cluster.send({ ...approvalOf(rollout), quiet: true }, 'server');
    const { currentStepState, approvals } = (answer as Rollout).status?.canaryStatus ?? {};
    const again =
      currentStepState === 'StepPaused' && approvals?.length === rollout.status?.canaryStatus?.approvals?.length;
    return again ? ' (you have approved; it needs the approval of others)' : ' (you may)';
  } catch (error) {
    const answer = cluster.answerOf(error);
    if (answer === 'Conflict' || answer === 'NotFound') return '';
    const { message, exitCode } = await explainFailure(error);
    if (exitCode !== EXIT.refused) return ` (it is not known whether you may: ${oneLine(message)})`;
    const role =
      answer === 'Forbidden' && message.includes(' is forbidden: ') ? '; ask for the ClusterRole tranche-approver' : '';
    return ` (you may not: ${oneLine(message)}${role})`;
  }
}
