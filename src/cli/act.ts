// Shared parts of commands that change something: read, decide, write once with a precondition, print the result.
import type { Rollout } from '../api/types.ts';
import { refuseRival, type Target } from '../view/act/target.ts';
import type { Cluster, Write } from './cluster.ts';
import type { Context } from './context.ts';
import { dryRunNote, type DryRun } from './flags.ts';
import { oneLine } from './paint.ts';
import { findWorkload, getRollout, listRollouts } from './resources.ts';

export interface Change {
  /** Absent: nothing to write. */
  readonly write?: Write;
  /** The result for the user. `answer`: the answer of the server; undefined if nothing was sent. */
  says(answer: Rollout | undefined): string | Promise<string>;
}

export const ATTEMPTS = 5;

/** Reads, decides and writes. On a conflict, for example with the operator, it starts again. */
export async function change(
  context: Context,
  name: string,
  dryRun: DryRun,
  decide: (target: Target) => Change | Promise<Change>,
): Promise<Target> {
  const cluster = await context.cluster();
  for (let attempt = 1; ; attempt++) {
    const target = await getTarget(cluster, name);
    const { write, says } = await decide(target);
    try {
      const answer = write && (await cluster.send(write, dryRun));
      context.io.out(`${oneLine(await says(answer as Rollout | undefined))}${dryRunNote(dryRun)}\n`);
      return target;
    } catch (error) {
      if (cluster.answerOf(error) !== 'Conflict' || attempt >= ATTEMPTS) throw error;
    }
  }
}

export async function getTarget(cluster: Cluster, name: string): Promise<Target> {
  const rollout = await getRollout(cluster, name);
  const [deployment] = await Promise.all([findWorkload(cluster, rollout), refuseOlder(cluster, rollout)]);
  return { rollout, deployment };
}

/** Throws Refusal if an older Rollout names the same workload. Without the permission to list Rollouts, it is not known. */
async function refuseOlder(cluster: Cluster, rollout: Rollout): Promise<void> {
  const all = await listRollouts(cluster, rollout.metadata.namespace).catch((error: unknown) => {
    if (cluster.answerOf(error) === 'Forbidden') return [];
    throw error;
  });
  refuseRival(rollout, all);
}
