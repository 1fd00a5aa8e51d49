// `kubectl tranche restart`: like `kubectl rollout restart`, but says what follows, and refuses during a release.
import { ON_RESTART, RESTARTED_AT } from '../../api/keys.ts';
import { formatTime } from '../../engine/lib/time.ts';
import { resourceOf } from '../../view/reference.ts';
import { messageOf, stateOf } from '../../view/state.ts';
import { follow, type Target } from '../../view/act/target.ts';
import { nameOf } from '../../view/act/write.ts';
import { change, type Change } from '../act.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { DRY_RUN, parseDryRun, ROLLOUT } from '../flags.ts';

export const restart = defineCommand({
  description:
    'Restarts all Pods of the workload with their current template. The annotation tranche.dev/on-restart of the Rollout specifies how: as a release ' +
    '(Release, the default), in steps without approvals unless a policy requires them (Batches), or as a normal rolling update (Native).',
  arguments: [ROLLOUT],
  options: [DRY_RUN],
  async run(context: Context, flags: { dryRun?: string }, name: string) {
    await change(context, name, parseDryRun(flags.dryRun), (target) => restartPods(target, context.io.now()));
    return EXIT.done;
  },
});

const FOLLOWS: Readonly<Record<string, string>> = {
  Release: 'as a release, in steps',
  Batches: 'through the steps, without approvals',
  Native: 'in a normal rolling update',
};

function restartPods({ rollout, deployment }: Target, now: number): Change {
  const { name } = rollout.metadata;
  const resource = resourceOf(rollout);
  if (!deployment)
    throw new CliError(`${resource.kind} "${rollout.spec.workloadRef.name}" of Rollout "${name}" does not exist`);
  const state = stateOf(rollout, deployment);
  if (rollout.status?.phase === 'Progressing' || state === 'Starting')
    throw new CliError(
      `cannot restart: the current release of ${name} (${messageOf(rollout)}) would start again at step 1; ` +
        `finish or abort it first`,
    );
  const how = rollout.metadata.annotations?.[ON_RESTART] ?? 'Release';
  const native = rollout.spec.disabled === true || state === 'Deleting';
  const follows = native ? FOLLOWS['Native'] : (FOLLOWS[how] ?? FOLLOWS['Release']);
  const annotations = { [RESTARTED_AT]: formatTime(now) };
  return {
    write: {
      method: 'PATCH',
      resource,
      ...nameOf(deployment),
      contentType: 'application/merge-patch+json',
      body: {
        metadata: { resourceVersion: deployment.metadata.resourceVersion },
        spec: { template: { metadata: { annotations } } },
      },
    },
    says: () => `the Pods of ${resource.kind} ${deployment.metadata.name} are restarted ${follows}; ${follow(rollout)}`,
  };
}
