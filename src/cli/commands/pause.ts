// `kubectl tranche pause`: pauses a release.
import type { Rollout } from '../../api/types.ts';
import { namespaceFlag } from '../../engine/lib/text.ts';
import { stateOf } from '../../view/state.ts';
import { change, patchSpec, refuseDeleted, type Change, type Target } from '../act.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { DRY_RUN, parseDryRun, ROLLOUT } from '../flags.ts';

export const pause = defineCommand({
  description: 'Pauses the release: no more Pods are replaced and no timer runs until you resume it.',
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
  if (rollout.spec.strategy.paused === true)
    return { says: () => `${name} is already paused; to resume it: ${resume}` };
  const releasing = rollout.status?.phase === 'Progressing';
  const what = releasing
    ? 'no more Pods are replaced and no timer runs'
    : stateOf(rollout, deployment) === 'Disabled'
      ? 'it is disabled; after it is enabled, the next change is held at its first step'
      : 'no release is in progress; the next change is held at its first step';
  return {
    write: patchSpec(rollout, { strategy: { paused: true } }),
    says: () => `${name} is paused: ${what}; to resume it: ${resume}`,
  };
}

const resumeCommand = (rollout: Rollout): string =>
  `kubectl tranche resume ${rollout.metadata.name}${namespaceFlag(rollout)}`;
