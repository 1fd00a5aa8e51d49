// Plays every n-th history in a thread of its own.
import { parentPort, workerData } from 'node:worker_threads';
import { play } from './history.ts';
import { planOf } from './plan.ts';

export interface Share {
  readonly first: number;
  readonly step: number;
  readonly count: number;
  /** Milliseconds since the epoch; 0 = no end. */
  readonly until: number;
}

export interface ShareReport {
  readonly played: number;
  readonly failures: readonly { readonly seed: number; readonly problems: readonly string[]; readonly story: string }[];
}

/** Enough to see a pattern. */
const MAX_FAILURES = 5;

export async function playShare({ first, step, count, until }: Share): Promise<ShareReport> {
  const failures: ShareReport['failures'][number][] = [];
  let played = 0;
  for (let seed = first; played < count && failures.length < MAX_FAILURES; seed += step) {
    if (until > 0 && Date.now() >= until) break;
    const plan = planOf(seed);
    const { problems, end, story } = await play(plan);
    played += 1;
    if (problems.length > 0) failures.push({ seed, problems, story: story() });
    else if (seed % 10 === 0) {
      const undisturbed = await play(plan, { trouble: false });
      if (undisturbed.end !== end)
        failures.push({ seed, problems: [`ends with ${end}, undisturbed with ${undisturbed.end}`], story: story() });
    }
  }
  return { played, failures };
}

if (parentPort) parentPort.postMessage(await playShare(workerData as Share));
