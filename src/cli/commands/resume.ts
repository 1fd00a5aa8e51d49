// `kubectl tranche resume`: resumes a paused release.
import { change } from '../act.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { DRY_RUN, parseDryRun, ROLLOUT } from '../flags.ts';

export const resume = defineCommand({
  description:
    'Resumes a release that was paused by "kubectl tranche pause" or by the workload, such as by spec.paused of a Deployment. It approves nothing.',
  arguments: [ROLLOUT],
  options: [DRY_RUN],
  run: resumeRelease,
});

async function resumeRelease(context: Context, flags: { dryRun?: string }, name: string): Promise<number> {
  const dryRun = parseDryRun(flags.dryRun);
  const cluster = await context.cluster();
  const { resume: decide } = await import('../../view/act/pause.ts');
  await change(context, name, dryRun, async (target) => {
    const { writes, says } = decide(target);
    for (const write of writes.slice(0, -1)) await cluster.send(write, dryRun);
    const last = writes.at(-1);
    return { ...(last && { write: last }), says: () => says };
  });
  return EXIT.done;
}
