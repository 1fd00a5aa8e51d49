// Computes the status of a Pod from its containers.
import type { KubeObject } from '../../core/types.ts';
import { findCondition, timestamp, type Condition } from '../framework/meta.ts';
import { containerStatus, type Life } from './container.ts';
import { READY } from './keys.ts';

export interface Address {
  podIP: string;
  hostIP: string;
}

/** Whether a Pod is expected to end by itself. */
export const isTask = (pod: KubeObject): boolean =>
  pod.spec.restartPolicy === 'Never' || pod.spec.restartPolicy === 'OnFailure';

export const podStatus = (
  pod: KubeObject,
  lives: ReadonlyMap<string, Life>,
  address: Address,
  nowMs: number,
): Record<string, unknown> => {
  const before: Record<string, unknown> = pod.status ?? {};
  const allowed = pod.metadata.annotations?.[READY] !== 'false';
  const containers = [...lives].map(([name, life]) => ({ name, life, ready: life.ready && allowed }));
  const phase = phaseOf([...lives.values()]);
  const unready = containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const over = phase === 'Succeeded' || phase === 'Failed';
  const readiness =
    phase === 'Succeeded'
      ? ({ status: 'False', reason: 'PodCompleted' } as const)
      : unready.length > 0
        ? ({
            status: 'False',
            reason: phase === 'Failed' ? 'PodFailed' : 'ContainersNotReady',
            message: `containers with unready status: [${unready.join(' ')}]`,
          } as const)
        : ({ status: 'True' } as const);
  const old = (pod.status?.conditions ?? []) as Condition[];
  return {
    ...before,
    conditions: [
      condition(old, { type: 'PodScheduled', status: 'True' }, nowMs),
      condition(
        old,
        { type: 'Initialized', status: 'True', ...(phase === 'Succeeded' ? { reason: 'PodCompleted' } : {}) },
        nowMs,
      ),
      condition(old, { type: 'ContainersReady', ...readiness }, nowMs),
      condition(old, { type: 'Ready', ...readiness }, nowMs),
      ...old.filter(({ type }) => type === 'InPlaceUpdateReady'),
    ],
    containerStatuses: containers.map(({ name, life, ready }) => containerStatus(name, life, ready)),
    ...initStatuses(pod, nowMs),
    hostIP: address.hostIP,
    phase,
    ...(over && !before.podIP ? {} : { podIP: address.podIP, podIPs: [{ ip: address.podIP }] }),
    startTime: before.startTime ?? timestamp(nowMs),
  };
};

const phaseOf = (lives: readonly Life[]): string => {
  if (lives.every(({ stage }) => stage === 'completed')) return 'Succeeded';
  if (lives.every(({ stage }) => stage === 'completed' || stage === 'failed')) return 'Failed';
  return lives.some(({ stage }) => stage === 'creating' || stage.startsWith('pull')) ? 'Pending' : 'Running';
};

/** Keeps lastTransitionTime while the status is the same. */
const condition = (
  old: readonly Condition[],
  next: Pick<Condition, 'type' | 'status' | 'reason' | 'message'>,
  nowMs: number,
): object => {
  const current = findCondition(old, next.type);
  const same = current?.status === next.status;
  return { lastProbeTime: null, ...next, lastTransitionTime: same ? current.lastTransitionTime : timestamp(nowMs) };
};

/** Init containers are complete when the other containers start. */
const initStatuses = (pod: KubeObject, nowMs: number): object => {
  const containers: { name: string; image: string }[] = pod.spec.initContainers ?? [];
  if (containers.length === 0) return {};
  if (pod.status?.initContainerStatuses) return { initContainerStatuses: pod.status.initContainerStatuses };
  const now = timestamp(nowMs);
  return {
    initContainerStatuses: containers.map(({ name, image }) => ({
      image,
      imageID: 'x',
      lastState: {},
      name,
      ready: true,
      restartCount: 0,
      state: { terminated: { exitCode: 0, reason: 'Completed', startedAt: now, finishedAt: now } },
    })),
  };
};
