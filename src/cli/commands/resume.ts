// `kubectl tranche resume`: resumes a paused release.
import { DEPLOYMENTS } from '../../api/resources.ts';
import type { Deployment } from '../../api/types.ts';
import { messageOf } from '../../view/state.ts';
import { change, nameOf, patchSpec, refuseDeleted } from '../act.ts';
import type { Write } from '../cluster.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { DRY_RUN, parseDryRun, ROLLOUT } from '../flags.ts';

export const resume = defineCommand({
  description:
    'Resumes a release that was paused by "kubectl tranche pause" or by spec.paused of the Deployment. It approves nothing.',
  arguments: [ROLLOUT],
  options: [DRY_RUN],
  run: resumeRelease,
});

async function resumeRelease(context: Context, flags: { dryRun?: string }, name: string): Promise<number> {
  const dryRun = parseDryRun(flags.dryRun);
  const cluster = await context.cluster();
  const { readHeld } = await import('../../engine/workload/deployment/hold.ts');
  await change(context, name, dryRun, async ({ rollout, deployment }) => {
    refuseDeleted(rollout, 'resume');
    const { name } = rollout.metadata;
    const byRollout = rollout.spec.strategy.paused === true;
    const paused = deployment && readHeld(deployment)?.user.paused === true ? deployment : undefined;
    if (!byRollout && !paused) return { says: () => `${name} is not paused; ${messageOf(rollout) ?? 'no status yet'}` };
    const what = paused ? `${name} and its Deployment are resumed` : `${name} is resumed`;
    if (byRollout && paused) await cluster.send(unpause(paused), dryRun);
    return {
      ...(byRollout
        ? { write: patchSpec(rollout, { strategy: { paused: false } }) }
        : paused && { write: unpause(paused) }),
      says: () => `${what}; a step that waits for approval still waits`,
    };
  });
  return EXIT.done;
}

const unpause = (deployment: Deployment): Write => ({
  method: 'PATCH',
  resource: DEPLOYMENTS,
  ...nameOf(deployment),
  contentType: 'application/merge-patch+json',
  body: { spec: { paused: false } },
});
