// Plays every n-th history of one of the other kinds in a thread of its own.
import { parentPort, workerData } from 'node:worker_threads';
import { playAlone } from './alone.ts';
import { playNewer } from './newer.ts';

export interface OtherShare {
  readonly kind: 'newer' | 'alone';
  readonly first: number;
  readonly step: number;
  readonly count: number;
}

export interface OtherReport {
  readonly played: number;
  readonly failures: readonly { readonly seed: number; readonly story: string }[];
}

async function playOthers({ kind, first, step, count }: OtherShare): Promise<OtherReport> {
  const failures: OtherReport['failures'][number][] = [];
  let played = 0;
  for (let seed = first; played < count && failures.length < 5; seed += step, played++) {
    if (kind === 'newer') {
      const { problems, story } = await playNewer(seed);
      if (problems.length > 0) failures.push({ seed, story: story() });
    } else {
      const { problems } = await playAlone(seed);
      if (problems.length > 0) failures.push({ seed, story: problems.join('\n') });
    }
  }
  return { played, failures };
}

if (parentPort) parentPort.postMessage(await playOthers(workerData as OtherShare));
