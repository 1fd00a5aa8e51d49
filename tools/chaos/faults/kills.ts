// Kills the program with SIGKILL: at each of its API calls, and, if it is the leader, in each phase of a release.
import { setTimeout as pause } from 'node:timers/promises';
import type { Fault, Run } from '../fault.ts';
import type { Replica, Stage } from '../stage.ts';
import type { Subject } from '../subject.ts';
import type { Call, Moment } from '../tap.ts';

/**
 * Starts the program during a release, kills it at its k-th call, and starts it again. There is one replica without a lease, so the next one
 * can start at once. Resolves with false if it made fewer calls.
 */
async function killAtCall(
  stage: Stage,
  k: number,
  moment: Moment,
  recovered: (seconds: number) => void,
): Promise<boolean> {
  const subject = await stage.subject(4);
  await subject.release('v2');
  await subject.stands(1);
  stage.replicas[0]!.kill();
  let struckAt: number | undefined;
  const struck = Promise.withResolvers<void>();
  const first = stage.startReplica(({ tap, kill }) => {
    tap!.strike = (call, when) => {
      if (struckAt !== undefined || call.n !== k || when !== moment) return undefined;
      struckAt = Date.now();
      return () => {
        kill();
        struck.resolve();
      };
    };
  });
  // It may be killed before it is ready.
  first.catch(() => undefined);
  const second = struck.promise.then(() => stage.startReplica());
  second.catch(() => undefined);
  await subject.toEnd('v2', 90);
  if (struckAt === undefined) return false;
  recovered((Date.now() - struckAt) / 1000);
  await second;
  return true;
}

const atCalls = (moment: Moment): Run[] => [
  {
    what: `killed ${moment} each call`,
    async play(stage, recovered) {
      for (let k = 1; await killAtCall(stage, k, moment, recovered); k++);
    },
  },
];

/** A short form that kills at one call only. */
const atOneCall = (moment: Moment): Run => ({
  what: `killed ${moment} one call`,
  short: 'only',
  async play(stage, recovered) {
    await killAtCall(stage, stage.chance.between(20, 45), moment, recovered);
  },
});

export const killedAtCalls: Fault = {
  name: 'operator-killed-at-calls',
  title: 'kill -9 of the operator before and after each of its API calls',
  // Each run leaves its Deployment in the cluster.
  stage: { tapped: true, replicas: 1, nodes: 16, flags: ['--leader-elect', 'false'] },
  client: false,
  runs: [...atCalls('before'), ...atCalls('after'), atOneCall('before'), atOneCall('after')],
};

interface Phase {
  readonly what: string;
  /** Returns true for the call of this phase. */
  readonly at: (call: Call) => boolean;
  readonly moment: Moment;
  /** Brings the subject to the phase, and triggers the call. */
  readonly cause: (subject: Subject, stage: Stage) => Promise<unknown>;
  /** Waits until the release has continued. */
  readonly then: (subject: Subject) => Promise<unknown>;
}

interface Patch {
  readonly metadata?: { readonly annotations?: Record<string, unknown>; readonly finalizers?: unknown };
  readonly spec?: { readonly paused?: boolean; readonly minReadySeconds?: number };
}

const onDeployment =
  (accept: (patch: Patch) => boolean) =>
  (call: Call): boolean =>
    call.method === 'PATCH' && call.path.includes('/deployments/') && accept(call.body as Patch);

const frees = onDeployment(({ metadata }) => metadata?.annotations?.['tranche.dev/held'] === null);
const marks = onDeployment(({ spec }) => (spec?.minReadySeconds ?? 0) > 1e6);
const moves = onDeployment(({ spec }) => spec?.paused === false);
const holds = onDeployment(({ spec }) => spec?.paused === true);

const stands = (step: number) => (subject: Subject) => subject.stands(step, 60);
const atStep1 = async (subject: Subject): Promise<void> => {
  await subject.release('v2');
  await subject.stands(1);
};
const approveAt1 = async (subject: Subject): Promise<void> => {
  await atStep1(subject);
  await subject.approve();
};
const approveAt2 = async (subject: Subject): Promise<void> => {
  await approveAt1(subject);
  await subject.stands(2);
  await subject.approve();
};
const disable = async (subject: Subject, stage: Stage): Promise<void> => {
  await atStep1(subject);
  await stage.patch(subject.rolloutPath, { spec: { disabled: true } });
};
const remove = async (subject: Subject, stage: Stage): Promise<void> => {
  await atStep1(subject);
  await stage.remove(subject.rolloutPath);
};
const isFree = async (subject: Subject): Promise<boolean> => {
  const { metadata, spec, status } = await subject.deployment();
  return (
    metadata.annotations?.['tranche.dev/held'] === undefined &&
    !spec.paused &&
    status?.updatedReplicas === spec.replicas &&
    status?.replicas === spec.replicas
  );
};
const gone = async (subject: Subject): Promise<void> => {
  await subject.until('given back', async () => isFree(subject));
  await subject.until('the Rollout is gone', async () => (await subject.look()).rollout === undefined);
  await subject.checkWritten();
};
const disabled = async (subject: Subject): Promise<void> => {
  await subject.until('given back', async () => isFree(subject));
  await subject.checkWritten();
};
const released = (subject: Subject): Promise<unknown> => subject.toEnd('v2');

const PHASES: readonly Phase[] = [
  { what: 'before the mark', at: marks, moment: 'before', cause: approveAt1, then: stands(2) },
  { what: 'marked', at: marks, moment: 'after', cause: approveAt1, then: stands(2) },
  { what: 'moving', at: moves, moment: 'after', cause: approveAt1, then: stands(2) },
  { what: 'before holding', at: holds, moment: 'before', cause: approveAt1, then: stands(2) },
  { what: 'held', at: holds, moment: 'after', cause: approveAt1, then: stands(2) },
  { what: 'before finishing', at: frees, moment: 'before', cause: approveAt2, then: released },
  { what: 'finished', at: frees, moment: 'after', cause: approveAt2, then: released },
  { what: 'before disabling', at: frees, moment: 'before', cause: disable, then: disabled },
  { what: 'disabled', at: frees, moment: 'after', cause: disable, then: disabled },
  { what: 'before deleting', at: frees, moment: 'before', cause: remove, then: gone },
  { what: 'deleting', at: frees, moment: 'after', cause: remove, then: gone },
];

const inPhase = ({ what, at, moment, cause, then }: Phase): Run => ({
  what,
  async play(stage, recovered) {
    const subject = await stage.subject();
    const leader = await stage.leader();
    const killed = Promise.withResolvers<number>();
    let done = false;
    leader.tap!.strike = (call, when) => {
      if (done || when !== moment || !call.path.endsWith(`/${subject.name}`) || !at(call)) return undefined;
      done = true;
      return () => {
        leader.kill();
        killed.resolve(Date.now());
      };
    };
    await cause(subject, stage);
    const at_ = await Promise.race([
      killed.promise,
      pause(60_000).then(() => Promise.reject(new Error('the call did not occur'))),
    ]);
    await afterKill(stage, subject, at_, then, recovered);
  },
});

/** Starts another replica, like a ReplicaSet. The standby becomes the leader when the lease expires. */
async function afterKill(
  stage: Stage,
  subject: Subject,
  at: number,
  then: (subject: Subject) => Promise<unknown>,
  recovered: (seconds: number) => void,
): Promise<void> {
  const another = stage.startReplica();
  await then(subject);
  recovered((Date.now() - at) / 1000);
  await another;
}

/** Phases without a call of the operator: it waits, or the API server and the webhook work alone. */
const waiting: Run = {
  what: 'waiting for approval',
  short: true,
  async play(stage, recovered) {
    const subject = await stage.subject();
    await atStep1(subject);
    const leader: Replica = await stage.leader();
    leader.kill();
    const at = Date.now();
    await stage.persist('the approval', () => subject.approve());
    await afterKill(stage, subject, at, stands(2), recovered);
    await subject.toEnd('v2');
  },
};

const rollingBack: Run = {
  what: 'rolling back',
  async play(stage, recovered) {
    const subject = await stage.subject();
    await approveAt1(subject);
    await subject.stands(2);
    const leader = await stage.leader();
    await subject.release('v1');
    leader.kill();
    await afterKill(stage, subject, Date.now(), () => subject.toEnd('v1'), recovered);
  },
};

export const leaderKilled: Fault = {
  name: 'leader-killed',
  title: 'kill -9 of the leader in every phase of a release, with a standby',
  stage: { tapped: true },
  runs: [waiting, ...PHASES.map(inPhase), rollingBack],
};
