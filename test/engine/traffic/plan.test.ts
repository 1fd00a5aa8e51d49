// What steps mean for traffic.
import assert from 'node:assert/strict';
import type { TrafficMode, TrafficRouting } from '../../../src/api/traffic.ts';
import type { CanaryStep } from '../../../src/api/types.ts';
import {
  describeStep,
  graceOf,
  pinned,
  routingOf,
  shareOfNew,
  stepSplit,
  trafficMode,
  type Counts,
} from '../../../src/engine/traffic/plan.ts';
import type { Split } from '../../../src/engine/traffic/split.ts';
import { rollout, rows } from '../build.ts';
import { apart, shared } from './build.ts';

const routing: TrafficRouting = { service: 'web', gateway: { httpRouteName: 'web' } };
const matches = [{ headers: [{ name: 'x-user', value: 'me' }] }];
const step = (replicas: number | string, traffic?: string): CanaryStep => ({ replicas, ...(traffic && { traffic }) });

describe('the mode of a release', () => {
  type Row = readonly [what: string, steps: readonly CanaryStep[], replicas: number, mode: TrafficMode | undefined];
  const table: readonly Row[] = [
    ['is none where no step has traffic', [step('20%'), step('100%')], 10, undefined],
    ['is none where only a step of all Pods has traffic', [step('100%', '50%')], 10, undefined],
    ['is shared where the Pods have the share', [step('20%', '20%'), step('50%', '50%'), step('100%')], 10, 'Shared'],
    ['is shared where traffic is more than the Pods have', [step(1, '50%')], 10, 'Shared'],
    ['is apart where the Pods have more, by rounding too', [step('5%', '5%')], 10, 'Apart'],
    ['is apart for one step of several', [step('50%', '50%'), step('60%', '50%')], 10, 'Apart'],
    ['is apart for matches', [{ ...step('20%', '20%'), matches }], 10, 'Apart'],
    ['ignores steps without traffic', [step('50%'), step('60%', '60%')], 10, 'Shared'],
  ];
  rows(table, (steps, replicas, mode) => assert.equal(trafficMode(steps, replicas), mode));
});

describe('the split of a step', () => {
  type Row = readonly [what: string, mode: TrafficMode, step: CanaryStep, counts: Counts, split: Split | undefined];
  const counts = { updated: 2, all: 10 };
  const table: readonly Row[] = [
    ["is the user's route where the Pods have the share", 'Shared', step('20%', '20%'), counts, undefined],
    ["is the user's route where they have more", 'Shared', step('20%', '20%'), { updated: 3, all: 10 }, undefined],
    ["is the user's route where all Pods are new", 'Shared', step('20%', '20%'), { updated: 3, all: 3 }, undefined],
    ['gives the rest to the canary leg', 'Shared', step('20%', '60%'), counts, shared(500)],
    ['rounds down', 'Shared', step(1, '20%'), { updated: 1, all: 7 }, shared(66)],
    ['is exact where the Pods have it exactly', 'Shared', step('7%', '7%'), { updated: 7, all: 100 }, undefined],
    ['gives the share to the canary leg', 'Apart', step(1, '5%'), counts, apart(50)],
    ['gives nothing without traffic', 'Apart', step(1), counts, apart(0)],
    ['gives requests that match', 'Apart', { ...step(1, '5%'), matches }, counts, apart(0, { matches })],
    [
      'changes their headers',
      'Apart',
      { ...step(1), matches, requestHeaderModifier: { remove: ['x'] } },
      counts,
      apart(0, { matches, requestHeaderModifier: { remove: ['x'] } }),
    ],
  ];
  rows(table, (mode, one, found, split) => assert.deepEqual(stepSplit(routing, mode, one, found), split));

  it('is never more than the step says (shared), and less by a thousandth at most', () => {
    for (let all = 1; all <= 60; all++) {
      for (let updated = 0; updated < all; updated++) {
        for (let percent = 1; percent <= 100; percent++) {
          if (percent * all < 100 * updated) continue;
          const found = { updated, all };
          const share = shareOfNew(stepSplit(routing, 'Shared', step(1, `${percent}%`), found), found);
          assert.ok(
            share <= percent * 10 + 1e-9 && share > percent * 10 - 1,
            `${updated} of ${all}, ${percent}%: ${share}`,
          );
        }
      }
    }
  });

  it('before any Pod starts has the stable leg only', () => {
    const { canary: _canary, ...wanted } = apart(0);
    assert.deepEqual(pinned(routing), wanted);
  });
  it('shows the share of the new version', () => {
    assert.equal(shareOfNew(undefined, { updated: 2, all: 8 }), 250);
    assert.equal(shareOfNew(undefined, { updated: 0, all: 0 }), 0);
    assert.equal(shareOfNew(apart(50), { updated: 2, all: 8 }), 50);
  });
});

describe('the words for a step', () => {
  type Row = readonly [what: string, steps: readonly CanaryStep[], words: string | undefined];
  const table: readonly Row[] = [
    [
      'say its share and its Pods',
      [step(1, '5%'), step('100%')],
      'step 1 sends 5% of the requests of Service web to 1 Pod',
    ],
    [
      'say that requests match',
      [{ ...step('30%', '5%'), matches }, step('100%')],
      'step 1 sends the requests that match of Service web to 3 Pods',
    ],
    ['are none where Pods get their share', [step('20%')], undefined],
    ['are none without the step', [], undefined],
  ];
  rows(table, (steps, words) => assert.equal(describeStep(routing, steps, 0, 10), words));
});

describe('the routing of a Rollout', () => {
  it('is the first', () => {
    assert.deepEqual(routingOf(rollout({ canary: { trafficRoutings: [routing] } })), routing);
    assert.equal(routingOf(rollout()), undefined);
  });
  it('has a grace period, of which 0 is the default', () => {
    assert.deepEqual(
      [{}, { gracePeriodSeconds: 0 }, { gracePeriodSeconds: 9 }].map((one) => graceOf({ ...routing, ...one })),
      [3, 3, 9],
    );
  });
});
