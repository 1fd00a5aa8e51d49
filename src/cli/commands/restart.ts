// `kubectl tranche restart`: what `kubectl rollout restart` does, with a word on what follows, and not in the middle of a release.
import { ON_RESTART, RESTARTED_AT } from '../../api/keys.ts';
import { formatTime } from '../../engine/lib/time.ts';
import { DEPLOYMENTS } from '../../api/resources.ts';
import { pathOf } from '../../kube/path.ts';
import type { Run } from '../cli.ts';
import { change, follow, nameOf } from '../act.ts';
import { parseDryRun } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { messageOf, stateOf } from '../state.ts';

const FOLLOWS: Readonly<Record<string, string>> = {
  Release: 'as a release, in steps',
  Batches: 'through the steps, without approvals',
  Native: 'in a normal rolling update',
};

export function restart(flags: { dryRun?: string }, name: string): Run {
  const dryRun = parseDryRun(flags.dryRun);
  return async (context) => {
    await change(context, name, dryRun, ({ rollout, deployment }) => {
      const { name } = rollout.metadata;
      if (!deployment)
        throw new CliError(`Deployment "${rollout.spec.workloadRef.name}" of Rollout "${name}" does not exist`);
      const state = stateOf(rollout, deployment);
      if (rollout.status?.phase === 'Progressing' || state === 'Starting')
        throw new CliError(
          `cannot restart: ${name} is in the middle of a release (${messageOf(rollout)}), which would begin again at step 1; ` +
            `finish or abort it first`,
        );
      const how = rollout.metadata.annotations?.[ON_RESTART] ?? 'Release';
      const native = rollout.spec.disabled === true || state === 'Deleting';
      const follows = native ? FOLLOWS['Native'] : (FOLLOWS[how] ?? FOLLOWS['Release']);
      const annotations = { [RESTARTED_AT]: formatTime(context.io.now()) };
      return {
        call: {
          method: 'PATCH',
          path: pathOf(DEPLOYMENTS, nameOf(deployment)),
          contentType: 'application/merge-patch+json',
          body: {
            metadata: { resourceVersion: deployment.metadata.resourceVersion },
            spec: { template: { metadata: { annotations } } },
          },
        },
        says: () => `the Pods of Deployment ${deployment.metadata.name} are restarted ${follows}; ${follow(rollout)}`,
      };
    });
    return EXIT.done;
  };
}
