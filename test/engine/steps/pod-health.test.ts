import assert from 'node:assert/strict';
import type { ContainerStatus, Pod } from '../../../src/api/types.ts';
import { KRUISE_IN_PLACE } from '../../../src/api/keys.ts';
import { judgePods, podsIn, type HealthRules } from '../../../src/engine/steps/pod-health.ts';
import { formatTime } from '../../../src/engine/lib/time.ts';
import { cleaned } from '../../../src/engine/messages.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const ago = (seconds: number): string => formatTime(NOW - seconds * 1000);

interface Sketch {
  ageSeconds?: number;
  readySeconds?: number;
  unreadySeconds?: number;
  container?: Partial<ContainerStatus>;
  unschedulableSeconds?: number;
  disrupted?: boolean;
  inPlaceSeconds?: number;
}

const pod = ({ ageSeconds = 100, ...sketch }: Sketch): Pod => ({
  metadata: {
    name: 'demo-1',
    creationTimestamp: ago(ageSeconds),
    ...(sketch.inPlaceSeconds !== undefined && {
      annotations: { [KRUISE_IN_PLACE]: `{"revision":"2","updateTimestamp":"${ago(sketch.inPlaceSeconds)}"}` },
    }),
  },
  status: {
    conditions: [
      ...(sketch.inPlaceSeconds === undefined ? [] : [condition('InPlaceUpdateReady', 'True', sketch.inPlaceSeconds)]),
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
    [
      'crash-loops after an update in place',
      { unreadySeconds: 500, inPlaceSeconds: 40, container: { ...waiting('CrashLoopBackOff'), restartCount: 5 } },
      'CrashLoopBackOff',
    ],
    [
      'restarts again and again after an update in place',
      {
        unreadySeconds: 1,
        inPlaceSeconds: 300,
        container: { restartCount: 40, lastState: { terminated: { reason: 'Error', finishedAt: ago(2) } } },
      },
      '40 restarts',
    ],
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
    ['updates in place restarted it', { unreadySeconds: 5, inPlaceSeconds: 5, container: { restartCount: 3 } }],
    [
      'it still shows how the version before an update in place failed',
      { unreadySeconds: 500, inPlaceSeconds: 5, container: { ...waiting('CrashLoopBackOff'), restartCount: 9 } },
    ],
    [
      'it ran out of memory before an update in place',
      {
        unreadySeconds: 40,
        inPlaceSeconds: 40,
        container: { restartCount: 3, lastState: { terminated: { reason: 'OOMKilled' } } },
      },
    ],
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
    assert.equal(judge({ readySeconds: 1, container: { restartCount: 3 } }).changesAt, NOW + 29_000);
  });

  it('waits with a reason', () => {
    assert.equal(judge({ container: waiting('ContainerCreating') }).waiting[0]?.why, 'ContainerCreating');
    assert.equal(judge({ readySeconds: 3 }, { minReadySeconds: 30 }).waiting[0]?.why, 'Ready for 3 of 30 s');
    assert.equal(judge({ unreadySeconds: 3 }).waiting[0]?.why, 'not ready');
  });
});

describe('Pods that are due', () => {
  const at = { now: NOW, minReadySeconds: 0, stepStartedAt: NOW - 3_600_000, stepDeadlineSeconds: 600 };
  const missing = (pods: number, refusedSeconds?: number) => ({
    pod: 'ReplicaSet demo',
    pods,
    why: 'not made',
    ...(refusedSeconds === undefined ? {} : { refusedAt: NOW - refusedSeconds * 1000 }),
  });
  const since = (seconds: number): number => NOW - seconds * 1000;
  const cases: [name: string, rules: Partial<HealthRules>, failing: number, late: number][] = [
    ['and missing are late after the deadline, all of them', { missing: missing(3), dueSince: since(600) }, 0, 3],
    ['and missing are not late before', { missing: missing(3), dueSince: since(599) }, 0, 0],
    ['are never late without a deadline', { missing: missing(1), dueSince: 0, stepDeadlineSeconds: 0 }, 0, 0],
    ['have the deadline and minReadySeconds', { missing: missing(1), dueSince: since(629), minReadySeconds: 30 }, 0, 0],
    ['are late after both', { missing: missing(1), dueSince: since(630), minReadySeconds: 30 }, 0, 1],
    ['and refused for five minutes fail', { missing: missing(2, 300), dueSince: since(300) }, 2, 0],
    ['and refused for less do not', { missing: missing(2, 299), dueSince: since(400) }, 0, 0],
    ['do not fail for a refusal of before', { missing: missing(2, 9_000), dueSince: since(10) }, 0, 0],
  ];
  for (const [name, rules, failing, late] of cases)
    it(name, () => {
      const health = judgePods([], { ...at, ...rules });
      assert.deepEqual([podsIn(health.failing), podsIn(health.late)], [failing, late]);
      assert.deepEqual(health.waiting, [{ pod: 'ReplicaSet demo', pods: rules.missing!.pods, why: 'not made' }]);
    });

  it('say when to look again', () => {
    assert.equal(judgePods([], { ...at, missing: missing(1), dueSince: since(590) }).changesAt, NOW + 10_000);
    assert.equal(judgePods([], { ...at, missing: missing(1, 290), dueSince: since(300) }).changesAt, NOW + 10_000);
  });

  const failed = (seconds: number, name: string, reason = 'OutOfcpu', conditions: object[] = []): Pod =>
    ({
      metadata: { name, creationTimestamp: ago(seconds) },
      status: { phase: 'Failed', reason, conditions },
    }) as Pod;
  const several = (count: number, youngest: number, apart: number): Pod[] =>
    Array.from({ length: count }, (_, i) => failed(youngest + i * apart, `f${i}`));
  const starting = (seconds: number, name = 'demo-1'): Pod => ({
    metadata: { name, creationTimestamp: ago(seconds) },
    status: { phase: 'Pending' },
  });
  const rejected: [name: string, pods: Pod[], failed: Pod[], failing: number][] = [
    ['three that failed', [starting(1)], several(3, 1, 15), 1],
    ['two that failed', [starting(1)], several(2, 1, 40), 0],
    ['three within less than 30 seconds', [starting(1)], several(3, 1, 5), 0],
    ['three of before, and none since', [starting(1)], several(3, 400, 20), 0],
    [
      'three that were evicted',
      [starting(1)],
      several(3, 1, 15).map((pod) => failed(20, pod.metadata.name, 'Evicted')),
      0,
    ],
    [
      'three whose node was drained',
      [starting(1)],
      several(3, 1, 15).map((pod) => failed(20, pod.metadata.name, '', [condition('DisruptionTarget', 'True', 1)])),
      0,
    ],
    ['six that failed, for two', [starting(1), starting(2, 'demo-2'), starting(3, 'demo-3')], several(6, 1, 10), 2],
    ['a hundred that failed, for one', [starting(1)], several(100, 1, 1), 1],
  ];
  for (const [name, pods, failures, failing] of rejected)
    it(`fail after ${name}: ${failing}`, () =>
      assert.equal(podsIn(judgePods(pods, { ...at, dueSince: since(1_000), failed: failures }).failing), failing));

  it('do not fail once they are available, whatever failed before', () => {
    const ready = pod({ readySeconds: 1 });
    const health = judgePods([ready], { ...at, dueSince: since(100), failed: several(9, 1, 10) });
    assert.deepEqual([health.failing, health.waiting], [[], []]);
  });

  it('are late from when they were due, in the place of one that failed', () => {
    const rules = { ...at, dueSince: since(700) };
    const late = (pods: Pod[], failures: Pod[]): number => judgePods(pods, { ...rules, failed: failures }).late.length;
    assert.equal(late([starting(10)], [failed(400, 'f0')]), 1);
    assert.equal(late([starting(10)], [failed(400, 'f0', 'Evicted')]), 0);
    assert.equal(late([starting(10), starting(20, 'demo-2')], [failed(400, 'f0')]), 1, 'one for one');
  });

  it('name the last that failed and how many did, in Kubernetes’ words', () => {
    const last = failed(1, 'f0', 'UnexpectedAdmissionError');
    const said = { ...last, status: { ...last.status, message: 'no\u0007 device\nleft' } };
    const { waiting } = judgePods([starting(1)], { ...at, failed: [said, failed(40, 'f1')] });
    assert.deepEqual(waiting[0], {
      pod: 'f0',
      why: 'UnexpectedAdmissionError: no device left; 1 earlier Pod failed too',
      pods: 1,
    });
  });
});

describe('what others say', () => {
  const cases: [name: string, text: string, shown: string][] = [
    ['stays as it is', 'pods "a" is forbidden', 'pods "a" is forbidden'],
    ['is one line without control characters', 'a\u001b[31mb\r\nc\u202ed\u2028e', 'a [31mb c d e'],
    ['is cut', 'x'.repeat(400), `${'x'.repeat(299)}…`],
    ['is cut between characters', '😀'.repeat(400), `${'😀'.repeat(299)}…`],
    ['may be half a character', '\ud83d', ''],
  ];
  for (const [name, text, shown] of cases) it(name, () => assert.equal(cleaned(text), shown));
});
