// `kubectl tranche retry`: replaces failing Pods of a stalled release, or releases a rolled back version again.
import { follow } from '../../view/act/target.ts';
import { change, getTarget } from '../act.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { DRY_RUN, dryRunNote, parseDryRun, ROLLOUT } from '../flags.ts';
import { gather, sendDeletion } from '../resources.ts';

export const retry = defineCommand({
  description:
    'Retries a stalled or rolled back release. If the release is stalled, the command deletes the Pods of the new version that are not ready, with your ' +
    'permissions, and Kubernetes replaces them. If the last release was rolled back, the command releases the same version again from step 1.',
  arguments: [ROLLOUT],
  options: [DRY_RUN],
  run: retryRelease,
});

async function retryRelease(context: Context, flags: { dryRun?: string }, name: string): Promise<number> {
  const dryRun = parseDryRun(flags.dryRun);
  const { io } = context;
  const cluster = await context.cluster();
  const { releaseAgain, retryable, startAnew } = await import('../../view/act/retry.ts');
  const target = await getTarget(cluster, name);
  const last = retryable(target);
  if (last === 'Stalled') {
    const { writes, says } = startAnew(await gather(cluster, target.rollout, io.now()));
    for (const write of writes) await sendDeletion(cluster, write, dryRun);
    io.out(`${says}; ${follow(target.rollout)}${dryRunNote(dryRun)}\n`);
    return EXIT.done;
  }
  await change(context, name, dryRun, async ({ rollout, deployment }) => {
    const { writes, says } = releaseAgain({ ...(await gather(cluster, rollout, io.now())), deployment }, last);
    return { write: writes[0]!, says: () => `${says}; ${follow(rollout)}` };
  });
  return EXIT.done;
}
