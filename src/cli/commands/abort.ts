// `kubectl tranche abort`: cancels a release and restores the stable version.
import { sameTemplate } from '../../engine/lib/template.ts';
import { isUnreported, stateOf } from '../../view/state.ts';
import { inRelease, standing } from '../act.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { DRY_RUN, parseDryRun, ROLLOUT } from '../flags.ts';

export const abort = defineCommand({
  description:
    'Cancels the release and rolls back to the stable version immediately, without steps. If neither the webhooks nor an operator answer, it gives ' +
    'the Deployment back itself, which requires the right to approve. Without a release, there is nothing to abort, and the exit code is 0.',
  arguments: [ROLLOUT],
  options: [DRY_RUN],
  async run(context: Context, flags: { dryRun?: string }, name: string) {
    const { putBack, findStable } = await import('../put-back.ts');
    const { isPausedUnseen } = await import('../without-us.ts');
    return putBack(context, name, parseDryRun(flags.dryRun), async (found) => {
      const { rollout, deployment, held } = found;
      const nothing = `nothing to abort: ${rollout.metadata.name}`;
      if (stateOf(rollout, deployment) === 'RollingBack')
        return `${nothing} is already rolling back: ${rollout.status?.message}`;
      if (held === undefined && !isPausedUnseen(deployment)) {
        if (rollout.status?.phase !== 'Progressing' && !isUnreported(rollout, deployment))
          return `${nothing} has no release in progress (${standing(found)})`;
        inRelease(found, 'abort');
      }
      const stable = await findStable(found);
      return sameTemplate(stable.template, deployment.spec.template)
        ? `${nothing} already has the stable version`
        : stable;
    });
  },
});
