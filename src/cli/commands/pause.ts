// `kubectl tranche pause`: a release is frozen where it is.
import type { Rollout } from '../../api/types.ts';
import { namespaceFlag } from '../../engine/lib/text.ts';
import { stateOf } from '../../view/state.ts';
import { change, patchSpec, refuseDeleted, type Change, type Target } from '../act.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { DRY_RUN, parseDryRun, ROLLOUT } from '../flags.ts';

export const pause = defineCommand({
  description: 'Freezes the release where it is: no further Pod is replaced and no timer runs, until it is resumed.',
  arguments: [ROLLOUT],
  options: [DRY_RUN],
  async run(context: Context, flags: { dryRun?: string }, name: string) {
    await change(context, name, parseDryRun(flags.dryRun), freeze);
    return EXIT.done;
  },
});

function freeze({ rollout, deployment }: Target): Change {
  refuseDeleted(rollout, 'pause');
  const { name } = rollout.metadata;
  const resume = resumeCommand(rollout);
  if (rollout.spec.strategy.paused === true) return { says: () => `${name} is paused already; go on with: ${resume}` };
  const releasing = rollout.status?.phase === 'Progressing';
  const what = releasing
    ? 'no further Pod is replaced and no timer runs'
    : stateOf(rollout, deployment) === 'Disabled'
      ? 'it is disabled, so this counts from when it is enabled; then a change will be held at its first step'
      : 'it releases nothing now; the next change will be held at its first step';
  return {
    write: patchSpec(rollout, { strategy: { paused: true } }),
    says: () => `${name} is paused: ${what}, until: ${resume}`,
  };
}

const resumeCommand = (rollout: Rollout): string =>
  `kubectl tranche resume ${rollout.metadata.name}${namespaceFlag(rollout)}`;
