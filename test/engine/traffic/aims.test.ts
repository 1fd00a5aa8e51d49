// Where traffic is to stand: in each state of a step, before a workload is given back, and at the end.
import assert from 'node:assert/strict';
import { TRAFFIC } from '../../../src/api/keys.ts';
import { HTTP_ROUTES } from '../../../src/api/resources.ts';
import type { TrafficStatus } from '../../../src/api/traffic.ts';
import type { CanaryStep, Rollout, StepState } from '../../../src/api/types.ts';
import {
  aimAway,
  aimOfStep,
  askOf,
  begun,
  hasMoved,
  isMarked,
  NOTHING_LEFT,
} from '../../../src/engine/traffic/aims.ts';
import type { Split } from '../../../src/engine/traffic/split.ts';
import { ago, atStep, deployment, NOW, progressOf, rollout, rows, snapshot, stage } from '../build.ts';
import { apart, shared } from './build.ts';
import { aim as aimed, known, ROUTING } from './scene.ts';

/** 10 Pods, of which so many are new, at a step. */
interface Sketch {
  readonly steps?: readonly CanaryStep[];
  readonly index?: number;
  readonly state?: StepState;
  readonly updated?: number;
  readonly available?: number;
  readonly traffic?: Partial<TrafficStatus>;
  readonly routing?: object;
}

const SHARED: readonly CanaryStep[] = [
  { replicas: 1, traffic: '40%' },
  { replicas: 2, traffic: '60%' },
  { replicas: '100%' },
];
const APART: readonly CanaryStep[] = [
  { replicas: 2, traffic: '5%' },
  { replicas: 5, traffic: '50%' },
  { replicas: '100%' },
];
const matches = [{ headers: [{ name: 'x-user', value: 'me' }] }];

function release({
  steps = SHARED,
  index = 1,
  state = 'StepTrafficRouting',
  updated = 1,
  traffic,
  routing = ROUTING,
}: Sketch): Rollout {
  const status = atStep(index, state);
  const { canaryStatus } = status;
  assert.ok(canaryStatus);
  const canary = { ...canaryStatus, canaryReplicas: updated, ...(traffic && { traffic: known(traffic) }) };
  return rollout({
    steps,
    canary: { trafficRoutings: [routing as typeof ROUTING] },
    status: { ...status, canaryStatus: canary },
  });
}

function aimOf(sketch: Sketch): ReturnType<typeof aimOfStep> {
  const { index = 1, state = 'StepTrafficRouting', updated = 1, available = updated, steps = SHARED } = sketch;
  const shot = snapshot({ rollout: release(sketch), ...stage({ updated, available }) });
  const target = Number(String(steps[index - 1]?.replicas).replace('100%', '10'));
  const goal = { target, tolerated: 0, keeps: false, last: false, goesOn: false, young: false };
  return aimOfStep({ rollout: shot.rollout, progress: progressOf(shot), children: shot.children, goal, index, state });
}

describe('the aim of a step', () => {
  const apartStep = (traffic: Partial<TrafficStatus>): Partial<TrafficStatus> => ({
    mode: 'Apart',
    state: 'Watch',
    step: 1,
    weight: 50,
    ...traffic,
  });
  const { canary: _canary, ...pinned } = apart(0);
  const table: readonly (readonly [what: string, sketch: Sketch, split: Split | undefined, step: number])[] = [
    ['is its split when its Pods are there (shared)', {}, shared(333), 1],
    ['counts the Pods that are there', { updated: 4 }, undefined, 1],
    ['is nothing before the first Pods (shared)', { state: 'StepUpgrade', updated: 0 }, undefined, 0],
    [
      'is nothing before the first Pods, whatever the version before had (shared)',
      { state: 'StepUpgrade', updated: 0, traffic: { state: 'Unroute', step: 2, weight: 600 } },
      undefined,
      0,
    ],
    ['is its split when its Pods are there (apart)', { steps: APART, updated: 2 }, apart(50), 1],
    [
      'keeps all requests away while Pods start (apart)',
      { steps: APART, state: 'BeforeStepUpgrade', updated: 0 },
      apart(0),
      0,
    ],
    ['has no canary leg without Pods (apart)', { steps: APART, updated: 0 }, pinned, 1],
    [
      'gives no more than both steps ask for while Pods start (shared)',
      { state: 'StepUpgrade', index: 2, updated: 1, traffic: { state: 'Watch', step: 1, weight: 333 } },
      shared(333),
      1,
    ],
    [
      'grows with the Pods that can carry it (apart)',
      { steps: APART, state: 'StepUpgrade', index: 2, updated: 4, available: 3, traffic: apartStep({}) },
      apart(300),
      1,
    ],
    [
      'grows to the next step at most (apart)',
      {
        steps: [
          { replicas: 2, traffic: '5%' },
          { replicas: 5, traffic: '6%' },
        ],
        state: 'StepUpgrade',
        index: 2,
        updated: 5,
        traffic: apartStep({}),
      },
      apart(60),
      1,
    ],
    [
      'keeps the requests that match while Pods start',
      {
        steps: [
          { replicas: 1, matches },
          { replicas: 2, matches },
        ],
        state: 'StepUpgrade',
        index: 2,
        traffic: apartStep({ weight: 0 }),
      },
      apart(0, { matches }),
      1,
    ],
    [
      'takes a share away before requests that match',
      {
        steps: [
          { replicas: 2, traffic: '5%' },
          { replicas: 3, matches },
        ],
        state: 'StepUpgrade',
        index: 2,
        updated: 2,
        traffic: apartStep({}),
      },
      apart(0),
      1,
    ],
    [
      'follows the first Pods of a first step (apart)',
      {
        steps: [
          { replicas: 5, traffic: '40%' },
          { replicas: 6, traffic: '50%' },
        ],
        state: 'StepUpgrade',
        updated: 3,
        available: 2,
        traffic: apartStep({ state: 'Pin', weight: 0, step: 0 }),
      },
      apart(200),
      0,
    ],
    [
      'follows the Pods after requests that match',
      {
        steps: [
          { replicas: 1, matches },
          { replicas: 3, traffic: '20%' },
        ],
        state: 'StepUpgrade',
        index: 2,
        updated: 1,
        traffic: apartStep({ weight: 0 }),
      },
      apart(100),
      1,
    ],
    [
      'gives a leg that has lost its requests as many as its Pods can carry',
      {
        steps: APART,
        state: 'StepUpgrade',
        index: 2,
        updated: 3,
        available: 1,
        traffic: apartStep({ state: 'Retreated', weight: 0 }),
      },
      apart(100),
      0,
    ],
    [
      'takes no requests away from Pods that are not available (apart)',
      { steps: APART, state: 'StepUpgrade', index: 2, updated: 4, available: 1, traffic: apartStep({ weight: 300 }) },
      apart(300),
      1,
    ],
    [
      "is the user's route for a step of all Pods",
      { index: 3, state: 'BeforeStepUpgrade', updated: 2, traffic: { step: 2 } },
      undefined,
      0,
    ],
    [
      "is the user's route for a step without traffic",
      { steps: [{ replicas: 1, traffic: '40%' }, { replicas: 2 }], index: 2, updated: 2 },
      undefined,
      2,
    ],
    [
      'keeps the mode of the release',
      { steps: APART, updated: 2, traffic: { mode: 'Shared', state: 'Watch', step: 1 } },
      undefined,
      1,
    ],
  ];
  rows(table, (sketch, split, step) => {
    const aim = aimOf(sketch);
    assert.deepEqual([aim.split, aim.step], [split, step]);
    assert.notEqual(aim.clean, true);
  });

  it('pins each leg to its version and to the Pods of it', () => {
    const { canary, stable } = aimOf({ updated: 2, steps: APART }).pins;
    assert.deepEqual(canary?.label, { key: 'pod-template-hash', value: 'v2' });
    assert.deepEqual(stable?.label, { key: 'pod-template-hash', value: 'v1' });
    assert.deepEqual([canary?.pods.size, canary?.needs, stable?.pods.size, stable?.needs], [2, 2, 8, 8]);
  });
  it('is nothing of ours where the Rollout names another route or Service', () => {
    for (const routing of [
      { ...ROUTING, service: 'other' },
      { ...ROUTING, gateway: { grpcRouteName: 'web' } },
      { service: 'web' },
    ]) {
      const aim = aimOf({ routing, traffic: {} });
      assert.deepEqual([aim.split, aim.clean], [undefined, true]);
    }
  });
});

describe('the aim before a workload is given back', () => {
  const { canary: _canary, ...pinned } = apart(0);
  const away = (version: string, mode: 'Apart' | 'Shared', stays: boolean): ReturnType<typeof aimAway> => {
    const shot = snapshot({
      rollout: release({ traffic: { mode } }),
      ...stage({ updated: version === 'v1' ? 0 : 2, version }),
    });
    return aimAway({ rollout: shot.rollout, progress: progressOf(shot), children: shot.children }, stays);
  };
  it("is the user's route where the release goes on to its end", () => {
    assert.deepEqual([away('v2', 'Apart', false).split, away('v2', 'Shared', false).split], [undefined, undefined]);
  });
  it('is the stable leg where a newer version starts, apart', () => {
    assert.deepEqual(away('v2', 'Apart', true).split, pinned);
    assert.equal(away('v2', 'Shared', true).split, undefined);
  });
  it('is the stable leg in a rollback, apart, and does not wait for a Gateway for ever', () => {
    assert.deepEqual([away('v1', 'Apart', false).split, away('v1', 'Apart', false).urgent], [pinned, true]);
  });
  it("is the user's route where a template that no Pod has is given back", () => {
    const facts = stage({ updated: 2, version: 'v3' });
    const shot = snapshot({ rollout: release({ traffic: { mode: 'Apart' } }), ...facts });
    const progress = { ...progressOf(shot), newVersion: undefined };
    const aim = aimAway({ rollout: shot.rollout, progress, children: shot.children }, false);
    assert.deepEqual([aim.split, aim.urgent], [undefined, false]);
  });
  it('at the end is nothing', () => assert.deepEqual(NOTHING_LEFT, { ...aimed(undefined, { pins: {} }), clean: true }));
});

describe('the objects of a release', () => {
  const web = { service: 'web', route: { resource: HTTP_ROUTES, name: 'web' } };
  it('are those that the Rollout names', () => {
    assert.deepEqual(askOf(release({})), web);
    assert.equal(hasMoved(release({})), false);
    assert.equal(askOf(rollout()), undefined);
  });
  it('are those of the status while something may be left on them', () => {
    const moved = release({ routing: { ...ROUTING, service: 'other' }, traffic: {} });
    assert.deepEqual([askOf(moved), hasMoved(moved)], [web, true]);
  });
  it('have names that can be part of a path', () => {
    assert.equal(askOf(release({ routing: { ...ROUTING, service: '../secrets' } })), undefined);
    assert.equal(askOf(release({ routing: { service: 'web', gateway: { httpRouteName: 'a/b' } } })), undefined);
  });
  it('are in the status before the first write', () => {
    assert.deepEqual(begun(release({}), web, aimed(apart(50)), NOW), known({ mode: 'Apart', since: ago(0) }));
  });
  it('mark the workload', () => {
    assert.deepEqual(
      [isMarked(undefined), isMarked(deployment()), isMarked(deployment({ annotations: { [TRAFFIC]: 'x' } }))],
      [false, false, true],
    );
  });
});
