// Faults of the leadership: two leaders, a lost lease, and clocks that jump.
import { setTimeout as pause } from 'node:timers/promises';
import type { KubeObject } from '../../../src/api/types.ts';
import type { Fault, Run } from '../fault.ts';
import { LEASE, type Replica, type Stage } from '../stage.ts';
import type { Subject } from '../subject.ts';

const HOUR_MS = 3_600_000;
/** Time without an answer after which a Pod is removed from its Service. */
const UNREADY_MS = 10_000;

/** Returns a subject whose second batch has just started, and the leader. */
export async function inBatch(stage: Stage): Promise<{ subject: Subject; leader: Replica }> {
  const subject = await stage.subject();
  await subject.release('v2');
  await subject.stands(1);
  const leader = await stage.leader();
  await subject.approve();
  await subject.moves(2);
  return { subject, leader };
}

/** Stops the leader for longer than its lease. When it continues, it still believes that it is the leader. */
const stopped = (seconds: number): Run => ({
  what: `the leader stopped for ${seconds} s`,
  async play(stage, recovered) {
    const { subject, leader } = await inBatch(stage);
    leader.service.kill('SIGSTOP');
    const waking = pause(seconds * 1000).then(() => leader.service.kill('SIGCONT'));
    const unready = pause(UNREADY_MS).then(() => stage.takeOut(leader));
    const took = await subject.stands(2, 90);
    recovered(took);
    await Promise.all([waking, unready]);
    stage.putBack(leader);
    await subject.toEnd('v2');
  },
});

interface Lease extends KubeObject {
  readonly spec: { readonly holderIdentity: string; readonly leaseTransitions?: number };
}
const readLease = (stage: Stage): Promise<Lease> => stage.get(LEASE) as Promise<Lease>;

const stolen: Run = {
  what: 'the lease held by a process that does not exist',
  async play(stage, recovered) {
    const { subject } = await inBatch(stage);
    const renewTime = new Date().toISOString().replace('Z', '000Z');
    await stage.patch(LEASE, { spec: { holderIdentity: 'nobody_12345678', renewTime, leaseDurationSeconds: 15 } });
    recovered(await subject.stands(2, 90));
    await subject.toEnd('v2');
  },
};

const deleted: Run = {
  what: 'the lease deleted',
  short: true,
  async play(stage, recovered) {
    const { subject } = await inBatch(stage);
    await stage.remove(LEASE);
    recovered(await subject.stands(2, 90));
    await subject.toEnd('v2');
  },
};

export const twoLeaders: Fault = {
  name: 'two-leaders',
  title: 'the leader stopped (SIGSTOP) for longer than its lease, then continued; its lease taken or deleted',
  runs: [deleted, stolen, stopped(25), stopped(40)],
};

/** A change of the clock must not change the leader. */
const jump = (who: 'leader' | 'standby', hours: number): Run => ({
  what: `the ${who}'s clock ${hours > 0 ? 'forward' : 'back'} ${Math.abs(hours)} h`,
  short: who === 'standby' && hours > 0,
  async play(stage, recovered) {
    const { subject, leader } = await inBatch(stage);
    const before = await readLease(stage);
    const jumping = who === 'leader' ? leader : stage.replicas.find((one) => one !== leader)!;
    await jumping.setClock(hours * HOUR_MS);
    recovered(await subject.stands(2));
    // Longer than a renewal or an acquisition of the lease takes.
    await pause(6_000);
    const after = await readLease(stage);
    if (after.spec.holderIdentity !== before.spec.holderIdentity)
      throw new Error(`${before.spec.holderIdentity} led, and ${after.spec.holderIdentity} has taken the lease`);
    await subject.toEnd('v2');
    await jumping.setClock(0);
    const again = await stage.subject();
    await again.release('v2');
    await again.toEnd('v2');
  },
});

export const clocks: Fault = {
  name: 'clock-jumps',
  title: 'the clock of one replica jumps by hours, forward and back',
  stage: { clock: true },
  runs: [jump('standby', 5), jump('leader', 5), jump('standby', -5), jump('leader', -5)],
};
