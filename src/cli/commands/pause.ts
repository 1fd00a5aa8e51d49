// `kubectl tranche pause` and `resume`: freeze a release where it is, and go on.
import type { Rollout } from '../../api/types.ts';
import { readHeld } from '../../engine/workload/deployment/hold.ts';
import { DEPLOYMENTS } from '../../api/resources.ts';
import { namespaceFlag } from '../../engine/lib/text.ts';
import { pathOf } from '../../kube/path.ts';
import type { ApiCall } from '../../kube/api.ts';
import type { Run } from '../cli.ts';
import { change, nameOf, patchSpec, send } from '../act.ts';
import { parseDryRun } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { messageOf, stateOf } from '../state.ts';

export function pause(flags: { dryRun?: string }, name: string): Run {
  const dryRun = parseDryRun(flags.dryRun);
  return async (context) => {
    await change(context, name, dryRun, ({ rollout, deployment }) => {
      refuseDeleted(rollout, 'pause');
      const { name, ...metadata } = rollout.metadata;
      const resume = `kubectl tranche resume ${name}${namespaceFlag({ metadata: { ...metadata, name } })}`;
      if (rollout.spec.strategy.paused === true)
        return { says: () => `${name} is paused already; go on with: ${resume}` };
      const releasing = rollout.status?.phase === 'Progressing';
      const what = releasing
        ? 'no further Pod is replaced and no timer runs'
        : stateOf(rollout, deployment) === 'Disabled'
          ? 'it is disabled, so this counts from when it is enabled; then a change will be held at its first step'
          : 'it releases nothing now; the next change will be held at its first step';
      return {
        call: patchSpec(rollout, { strategy: { paused: true } }),
        says: () => `${name} is paused: ${what}, until: ${resume}`,
      };
    });
    return EXIT.done;
  };
}

export function resume(flags: { dryRun?: string }, name: string): Run {
  const dryRun = parseDryRun(flags.dryRun);
  return async (context) => {
    const cluster = await context.cluster();
    await change(context, name, dryRun, async ({ rollout, deployment }) => {
      refuseDeleted(rollout, 'resume');
      const { name } = rollout.metadata;
      const byRollout = rollout.spec.strategy.paused === true;
      const byDeployment = deployment !== undefined && readHeld(deployment)?.user.paused === true;
      if (!byRollout && !byDeployment)
        return { says: () => `${name} is not paused; ${messageOf(rollout) ?? 'it has no status yet'}` };
      const resumeDeployment = (): ApiCall => ({
        method: 'PATCH',
        path: pathOf(DEPLOYMENTS, nameOf(deployment!)),
        contentType: 'application/merge-patch+json',
        body: { spec: { paused: false } },
      });
      const call = byRollout ? patchSpec(rollout, { strategy: { paused: false } }) : resumeDeployment();
      if (byRollout && byDeployment && dryRun !== 'client') await send(cluster, resumeDeployment(), dryRun);
      const what = byDeployment ? `${name} goes on, and its Deployment is not paused any more` : `${name} goes on`;
      return { call, says: () => `${what} where it was; a step that waits for approval still does` };
    });
    return EXIT.done;
  };
}

function refuseDeleted({ metadata }: Rollout, verb: string): void {
  if (metadata.deletionTimestamp !== undefined)
    throw new CliError(`cannot ${verb}: ${metadata.name} is being deleted, and its Deployment is given back`);
}
