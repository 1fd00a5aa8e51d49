// `kubectl tranche abort`: the version before the release is put back.
import { readHeld } from '../../engine/workload/deployment/hold.ts';
import { stateOf } from '../../view/state.ts';
import { inRelease } from '../act.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError } from '../exit.ts';
import { DRY_RUN, parseDryRun, ROLLOUT } from '../flags.ts';
import { putBack, stableOf } from '../put-back.ts';

export const abort = defineCommand({
  name: 'abort',
  summary: 'give the release up: back to the version before, at once',
  description: 'Gives the release up: the version before it is put back, natively and at once, not in steps.',
  arguments: [ROLLOUT],
  options: [DRY_RUN],
  async run(context: Context, flags: { dryRun?: string }, name: string) {
    return putBack(context, name, parseDryRun(flags.dryRun), (found) => {
      const { rollout, deployment } = found;
      if (readHeld(deployment) === undefined) inRelease(found, 'abort');
      if (stateOf(rollout, deployment) === 'RollingBack')
        throw new CliError(`${rollout.metadata.name} is rolling back already: ${rollout.status?.message}`);
      return stableOf(found);
    });
  },
});
