import assert from 'node:assert/strict';
import type { ContainerStatus, Pod } from '../../src/api/types.ts';
import { judgePods, type HealthRules } from '../../src/engine/signals.ts';
import { formatTime } from '../../src/engine/time.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const ago = (seconds: number): string => formatTime(NOW - seconds * 1000);

interface Sketch {
  ageSeconds?: number;
  readySeconds?: number;
  unreadySeconds?: number;
  container?: Partial<ContainerStatus>;
  unschedulableSeconds?: number;
  disrupted?: boolean;
}

const pod = ({ ageSeconds = 100, ...sketch }: Sketch): Pod => ({
  metadata: { name: 'demo-1', creationTimestamp: ago(ageSeconds) },
  status: {
    conditions: [
      ...(sketch.readySeconds === undefined ? [] : [condition('Ready', 'True', sketch.readySeconds)]),
      ...(sketch.unreadySeconds === undefined ? [] : [condition('Ready', 'False', sketch.unreadySeconds)]),
      ...(sketch.disrupted ? [condition('DisruptionTarget', 'True', 1)] : []),
      ...(sketch.unschedulableSeconds === undefined
        ? []
        : [{ ...condition('PodScheduled', 'False', sketch.unschedulableSeconds), reason: 'Unschedulable' }]),
    ],
    ...(sketch.container ? { containerStatuses: [{ name: 'main', ...sketch.container }] } : {}),
  },
});
const condition = (type: string, status: string, seconds: number) => ({
  type,
  status,
  lastTransitionTime: ago(seconds),
});
const waiting = (reason: string): Partial<ContainerStatus> => ({ state: { waiting: { reason } } });

const judge = (sketch: Sketch, rules: Partial<HealthRules> = {}) =>
  judgePods([pod(sketch)], {
    now: NOW,
    minReadySeconds: 0,
    stepStartedAt: NOW - 1_000_000,
    stepDeadlineSeconds: 600,
    ...rules,
  });

describe('a Pod of the new version', () => {
  const failing: [string, Sketch, string][] = [
    ['crash-loops', { unreadySeconds: 40, container: waiting('CrashLoopBackOff') }, 'CrashLoopBackOff'],
    ['has no image', { ageSeconds: 31, container: waiting('ErrImagePull') }, 'ErrImagePull'],
    [
      'has no configuration',
      { ageSeconds: 60, container: waiting('CreateContainerConfigError') },
      'CreateContainerConfigError',
    ],
    [
      'ran out of memory',
      { unreadySeconds: 60, container: { lastState: { terminated: { reason: 'OOMKilled' } } } },
      'OOMKilled',
    ],
    ['has restarted three times', { unreadySeconds: 1, container: { restartCount: 3 } }, '3 restarts'],
    ['is Ready for a moment between restarts', { readySeconds: 5, container: { restartCount: 4 } }, '4 restarts'],
    ['found no node for five minutes', { ageSeconds: 400, unschedulableSeconds: 300 }, 'Unschedulable'],
  ];
  for (const [name, sketch, why] of failing)
    it(`fails when it ${name}`, () => assert.deepEqual(judge(sketch).failing, [{ pod: 'demo-1', why }]));

  it('is waited for until it has been Ready for long enough, and no longer because our clock is behind', () => {
    const names = (sketch: Sketch, minReadySeconds: number): string[] =>
      judge(sketch, { minReadySeconds }).waiting.map(({ pod }) => pod);
    assert.deepEqual(names({ readySeconds: 5 }, 10), ['demo-1']);
    assert.deepEqual(names({ readySeconds: 10 }, 10), []);
    assert.deepEqual(names({ readySeconds: -18_000 }, 0), []);
  });

  const fine: [string, Sketch][] = [
    ['it crashed a moment ago', { unreadySeconds: 20, container: waiting('CrashLoopBackOff') }],
    ['it is starting', { ageSeconds: 300, container: waiting('ContainerCreating') }],
    [
      'it ran out of memory once and is Ready',
      { readySeconds: 60, container: { restartCount: 1, lastState: { terminated: { reason: 'OOMKilled' } } } },
    ],
    ['it has been Ready for long after restarts', { readySeconds: 60, container: { restartCount: 9 } }],
    ['it waits for a node since four minutes', { ageSeconds: 400, unschedulableSeconds: 240 }],
    ['it is being evicted', { unreadySeconds: 100, disrupted: true, container: waiting('CrashLoopBackOff') }],
  ];
  for (const [name, sketch] of fine)
    it(`has not failed when ${name}`, () => assert.deepEqual(judge(sketch).failing, []));

  it('is late after the deadline, counted from when it was made or the step began', () => {
    assert.equal(judge({ ageSeconds: 601, unreadySeconds: 601 }).late.length, 1);
    assert.equal(judge({ ageSeconds: 599, unreadySeconds: 599 }).late.length, 0);
    assert.equal(judge({ ageSeconds: 601 }, { stepStartedAt: NOW - 10_000 }).late.length, 0);
    assert.equal(judge({ ageSeconds: 99_999 }, { stepDeadlineSeconds: 0 }).late.length, 0);
    assert.equal(judge({ ageSeconds: 601, readySeconds: 300 }).late.length, 0);
  });

  it('says when to look again', () => {
    assert.equal(judge({ unreadySeconds: 20, container: waiting('CrashLoopBackOff') }).changesAt, NOW + 10_000);
    assert.equal(judge({ ageSeconds: 599 }).changesAt, NOW + 1_000);
    assert.equal(judge({ readySeconds: 1 }).changesAt, undefined);
  });

  it('waits with a reason', () => {
    assert.equal(judge({ container: waiting('ContainerCreating') }).waiting[0]?.why, 'ContainerCreating');
    assert.equal(judge({ readySeconds: 3 }, { minReadySeconds: 30 }).waiting[0]?.why, 'Ready for 3 of 30 s');
    assert.equal(judge({ unreadySeconds: 3 }).waiting[0]?.why, 'not ready');
  });
});
