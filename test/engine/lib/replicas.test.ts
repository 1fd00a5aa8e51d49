import assert from 'node:assert/strict';
import {
  hasFallen,
  isWhole,
  knownReplicas,
  percentOf,
  podsOf,
  replicasOf,
  isEmpty,
  strayPods,
  resolveLimits,
  shareOf,
  stepTarget,
  stepTargets,
} from '../../../src/engine/lib/replicas.ts';
import type { Workload } from '../../../src/api/types.ts';

describe('the number of Pods in a step', () => {
  const cases: [string | number | undefined, number, number][] = [
    // replicas of the step, spec.replicas, Pods
    [1, 10, 1],
    ['50%', 10, 5],
    ['100%', 10, 10],
    ['1%', 10, 1],
    ['1%', 1000, 10],
    ['5%', 30, 2],
    ['99%', 10, 9],
    ['91%', 10, 9],
    ['50%', 1, 1],
    ['99%', 1, 1],
    ['99%', 2, 1],
    ['0%', 10, 0],
    [0, 10, 0],
    [10, 10, 10],
    [12, 10, 10],
    [3, 0, 0],
    ['50%', 0, 0],
    ['100%', 0, 0],
    ['50%', 3, 2],
    ['34%', 3, 2],
    [undefined, 10, 0],
    ['a lot', 10, 0],
    [-1, 10, 0],
    [1.5, 10, 0],
  ];
  for (const [step, replicas, pods] of cases)
    it(`is ${pods} for ${JSON.stringify(step)} of ${replicas}`, () =>
      assert.equal(stepTarget(step as string | number, replicas), pods));

  it('is never all Pods below 100%, never more than there are, and at least one above nothing', () => {
    for (let replicas = 0; replicas <= 100; replicas++)
      for (let percent = 0; percent <= 100; percent++) {
        const pods = stepTarget(`${percent}%`, replicas);
        assert.ok(pods <= replicas, `${percent}% of ${replicas}`);
        if (percent < 100 && replicas > 1) assert.ok(pods < replicas, `${percent}% of ${replicas}`);
        if (percent > 0 && replicas > 0) assert.ok(pods >= 1, `${percent}% of ${replicas}`);
        if (percent === 100) assert.equal(pods, replicas);
      }
  });
});

describe('a step that leaves nothing to release', () => {
  it('is 100%, or an integer of all replicas', () => {
    assert.ok(isWhole({ replicas: '100%' }, 10));
    assert.ok(isWhole({ replicas: 10 }, 10));
    assert.ok(isWhole({ replicas: '50%' }, 1));
    assert.ok(!isWhole({ replicas: 9 }, 10));
    assert.ok(!isWhole({ replicas: '99%' }, 10));
    assert.ok(!isWhole(undefined, 10));
  });
});

describe("the Deployment's own limits", () => {
  const cases: [string | number | null, string | number | null, number, number, number][] = [
    // maxSurge, maxUnavailable, replicas, surge, unavailable
    [0, 1, 10, 0, 1],
    [1, 0, 10, 1, 0],
    ['25%', '25%', 10, 3, 2],
    ['25%', '25%', 1, 1, 0],
    ['100%', 0, 7, 7, 0],
    [0, 0, 10, 0, 1],
    [0, '25%', 3, 0, 1],
    ['0%', '0%', 10, 0, 1],
    [null, null, 10, 3, 2],
    [5, 20, 10, 5, 10],
    ['25%', '25%', 0, 0, 1],
  ];
  for (const [maxSurge, maxUnavailable, replicas, surge, unavailable] of cases)
    it(`${maxSurge}/${maxUnavailable} of ${replicas} is ${surge}/${unavailable}`, () =>
      assert.deepEqual(resolveLimits(maxSurge, maxUnavailable, replicas), { surge, unavailable }));
});

describe('an amount', () => {
  it('rounds a percent as it is told', () => {
    assert.equal(podsOf('25%', 10, 'up'), 3);
    assert.equal(podsOf('25%', 10, 'down'), 2);
    assert.equal(podsOf(4, 2, 'up'), 4);
  });
  it('knows a percent from other text', () => {
    assert.equal(percentOf('7%'), 7);
    for (const text of ['7', '%', '-7%', '7.5%', ' 7%']) assert.equal(percentOf(text), undefined, text);
  });
});

describe('a share', () => {
  it('comes to exactly the number of Pods up to 100 replicas, as Kubernetes rounds it', () => {
    for (let replicas = 1; replicas <= 100; replicas++)
      for (let pods = 0; pods <= replicas; pods++) {
        assert.equal(podsOf(shareOf(pods, replicas, 'up'), replicas, 'up'), pods, `${pods} of ${replicas}`);
        assert.equal(podsOf(shareOf(pods, replicas, 'down'), replicas, 'down'), pods, `${pods} of ${replicas}`);
      }
    assert.equal(shareOf(3, 10, 'down'), '30%');
    assert.equal(shareOf(3, 101, 'down'), 3);
    assert.equal(shareOf(12, 10, 'up'), 12);
  });
});

describe('a number of Pods in a step', () => {
  it('leaves one, as a percent does, where another step follows', () => {
    assert.equal(stepTarget(10, 10, false), 9);
    assert.equal(stepTarget(12, 10, false), 9);
    assert.equal(stepTarget(1, 1, false), 1);
    assert.equal(stepTarget('100%', 10, false), 10);
    assert.deepEqual(stepTargets([{ replicas: 3 }, { replicas: '50%' }, { replicas: 3 }], 3), [2, 2, 3]);
  });
  it('is not the whole release because the Deployment has become smaller', () => {
    assert.ok(hasFallen({ replicas: 5 }, 4, 10, true));
    assert.ok(hasFallen({ replicas: '50%' }, 1, 10, true));
    assert.ok(!hasFallen({ replicas: 5 }, 4, 5, true));
    assert.ok(!hasFallen({ replicas: 5 }, 10, 10, true));
    assert.ok(!hasFallen({ replicas: 5 }, 4, undefined, true));
  });
});

describe('the Pods of a DaemonSet', () => {
  const set = (status?: object): Workload =>
    ({ kind: 'DaemonSet', metadata: { name: 'agent' }, spec: {}, status }) as never;
  it('are as many as its controller has counted nodes', () => {
    const seen = set({ observedGeneration: 1, desiredNumberScheduled: 7 });
    assert.deepEqual([replicasOf(seen), knownReplicas(seen)], [7, 7]);
    assert.deepEqual(
      [replicasOf(set({ observedGeneration: 1 })), knownReplicas(set({ observedGeneration: 1 }))],
      [0, 0],
    );
  });
  it('are not known before', () => {
    assert.deepEqual([replicasOf(set()), knownReplicas(set())], [1, undefined]);
    assert.equal(knownReplicas({ ...set(), kind: 'StatefulSet' }), 1);
  });
  it('are none only if none are left on nodes that accept no new ones', () => {
    const counted = { observedGeneration: 1, desiredNumberScheduled: 0, numberMisscheduled: 0 };
    const stranded = { ...counted, numberMisscheduled: 2 };
    assert.deepEqual([strayPods(set(counted)), isEmpty(set(counted))], [0, true]);
    assert.deepEqual([strayPods(set(stranded)), isEmpty(set(stranded))], [2, false]);
    assert.equal(isEmpty({ ...set(stranded), kind: 'Deployment', spec: { replicas: 0 } } as never), true);
  });
});
