// `kubectl tranche abort`: cancels a release and restores the version before it.
import { stateOf } from '../../view/state.ts';
import { inRelease } from '../act.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError } from '../exit.ts';
import { DRY_RUN, parseDryRun, ROLLOUT } from '../flags.ts';

export const abort = defineCommand({
  description:
    'Cancels the release and rolls back to the version before it natively, at once, not in steps. If neither the webhooks nor ' +
    'an operator answer, it gives the Deployment back itself, which requires the right to approve.',
  arguments: [ROLLOUT],
  options: [DRY_RUN],
  async run(context: Context, flags: { dryRun?: string }, name: string) {
    const { putBack, stableOf } = await import('../put-back.ts');
    const { isPausedUnseen } = await import('../without-us.ts');
    return putBack(context, name, parseDryRun(flags.dryRun), (found) => {
      const { rollout, deployment, held } = found;
      if (held === undefined && !isPausedUnseen(deployment)) inRelease(found, 'abort');
      if (stateOf(rollout, deployment) === 'RollingBack')
        throw new CliError(`${rollout.metadata.name} is already rolling back: ${rollout.status?.message}`);
      return stableOf(found);
    });
  },
});
