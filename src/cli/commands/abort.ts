// `kubectl tranche abort`: cancels a release and restores the stable version.
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { DRY_RUN, parseDryRun, ROLLOUT } from '../flags.ts';

export const abort = defineCommand({
  description:
    'Cancels the release and rolls back to the stable version immediately, without steps. If neither the webhooks nor an operator answer, it gives ' +
    'a Deployment back itself, which requires the right to approve. Without a release, there is nothing to abort, and the exit code is 0.',
  arguments: [ROLLOUT],
  options: [DRY_RUN],
  async run(context: Context, flags: { dryRun?: string }, name: string) {
    const { putBack, findStable } = await import('../put-back.ts');
    const { abortable, isCurrent } = await import('../../view/act/put-back.ts');
    return putBack(context, name, parseDryRun(flags.dryRun), async (found) => {
      const nothing = abortable(found);
      if (nothing !== true) return nothing;
      const stable = await findStable(found);
      return isCurrent(stable, found)
        ? `nothing to abort: ${found.rollout.metadata.name} already has the stable version`
        : stable;
    });
  },
});
