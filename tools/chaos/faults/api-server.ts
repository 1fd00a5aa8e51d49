// Faults of the API server: it is killed and restarted, or slow.
import { setTimeout as pause } from 'node:timers/promises';
import type { Fault, Run } from '../fault.ts';
import type { Stage } from '../stage.ts';

/** Kills the API server at the start of a batch, and restarts it after a while. */
const killed = (downMs: number, short = false): Run => ({
  what: `down for ${downMs / 1000} s in the middle of a batch`,
  short,
  async play(stage, recovered) {
    const subject = await stage.subject();
    await subject.release('v2');
    await subject.stands(1);
    await stage.trouble(async () => {
      await subject.approve();
      await subject.moves(2);
      stage.killServer();
      await pause(downMs);
      await stage.startServer();
    });
    recovered(await subject.stands(2));
    await subject.toEnd('v2');
  },
});

export const apiServerKilled: Fault = {
  name: 'api-server-killed',
  title: 'kill -9 and restart of the API server',
  runs: [killed(0, true), killed(1_000), killed(5_000), killed(20_000), killed(0), killed(40_000)],
};

/** Delays with a median of 500 ms and a 99th percentile of five seconds. */
export const longTail = (stage: Stage) => (): number => Math.min(500 * Math.exp(1.0 * normal(stage)), 20_000);

function normal({ chance }: Stage): number {
  return Math.sqrt(-2 * Math.log(1 - chance.next())) * Math.cos(2 * Math.PI * chance.next());
}

export const apiServerSlow: Fault = {
  name: 'api-server-slow',
  title: 'delayed answers to the operator: median 500 ms, 99th percentile 5 s',
  stage: { tapped: true },
  runs: Array.from({ length: 3 }, (_, i): Run => ({
    what: `release ${i + 1}`,
    async play(stage, recovered) {
      const subject = await stage.subject();
      await stage.trouble(async () => {
        for (const { tap } of stage.replicas) tap!.delayMs = longTail(stage);
        await subject.release('v2');
        await subject.stands(1, 120);
        // It is refused while the rights of the user cannot be checked in time.
        await stage.persist('the approval', () => subject.approve());
        await subject.stands(2, 120);
        for (const { tap } of stage.replicas) tap!.delayMs = undefined;
      });
      await subject.approve();
      recovered(await subject.toEnd('v2'));
    },
  })),
};
