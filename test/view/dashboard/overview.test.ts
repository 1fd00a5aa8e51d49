// Rows of the overview: their order, ranks and words, from the Rollout and its workload alone.
import assert from 'node:assert/strict';
import type { Rollout } from '../../../src/api/types.ts';
import { overviewOf } from '../../../src/view/dashboard/overview.ts';
import { rowOf } from '../../../src/view/dashboard/row.ts';
import { ago, deployment, NOW, progressing, rollout } from '../support.ts';
import { goldenView } from './support.ts';

const named = (name: string, status: object, spec: object = {}): Rollout =>
  rollout(status, spec, { name, namespace: name.startsWith('x') ? 'mail' : 'shop' });
const conditions = (type: string, reason: string): object => ({ conditions: [{ type, status: 'True', reason }] });
const timed = { strategy: { canary: { steps: [{ replicas: 1, pause: { duration: 60 } }, { replicas: '100%' }] } } };
const since = (seconds: number): object => ({ lastUpdateTime: ago(seconds) });
const entry = (outcome: string): object => ({
  rolloutID: 'r',
  revision: 'v',
  startTime: ago(99),
  endTime: ago(9),
  outcome,
});

const ROLLOUTS = [
  named('b-idle', { phase: 'Healthy', history: [entry('Completed')] }),
  named('a-rolled-back', { phase: 'Healthy', history: [entry('RolledBack')] }),
  named('moving', progressing({ currentStepState: 'StepUpgrade' })),
  named('waits-a-little', progressing(since(30))),
  named('waits-long', progressing(since(3000))),
  named('x-waits-longer', progressing(since(30_000))),
  named('stalled', progressing({}, conditions('Stalled', 'PodsFailing'))),
  named('worse', progressing(since(10), conditions('Stalled', 'AnalysisFailed'))),
  named('paused', progressing(since(20), conditions('Progressing', 'Paused'))),
  named(
    'timed',
    progressing(since(50), { message: 'step 1/2 done: continuing at 2026-01-01T01:00:10Z (pause of 60 s)' }),
    timed,
  ),
  named(
    'timed-and-approval',
    progressing(since(5), { message: 'step 1/2 done: waiting for approval (0 of 1), and until 2026-01-01T01:00:10Z' }),
    timed,
  ),
  named('blocked', progressing(since(60), conditions('PolicyBlocked', 'WindowClosed'))),
];
const items = ROLLOUTS.map((one) => ({
  rollout: one,
  workload: deployment('v2', one.status?.phase === 'Healthy' ? { labels: {} } : {}),
}));

describe('the overview of the dashboard', () => {
  it('has those that wait for a person first, the longest wait at the top, then failing ones, those in motion, and the others', () => {
    const { releases, counts } = overviewOf(items, { namespace: undefined, now: NOW });
    assert.deepEqual(
      releases.map(({ name, rank, tone, word }) => `${rank} ${name}: ${word} (${tone})`),
      [
        'person x-waits-longer: Waits for approval (waits)',
        'person waits-long: Waits for approval (waits)',
        'person waits-a-little: Waits for approval (waits)',
        'person paused: Paused (waits)',
        'person worse: Stopped by a check (bad)',
        'person timed-and-approval: Waits for approval (waits)',
        'failing stalled: Stalled (bad)',
        'motion blocked: Held by a policy (moving)',
        'motion moving: Replacing Pods (moving)',
        'motion timed: Timed pause (moving)',
        'rest a-rolled-back: Rolled back (idle)',
        'rest b-idle: Completed (done)',
      ],
    );
    assert.deepEqual(counts, { person: 6, failing: 1, motion: 3, rest: 2 });
  });

  it('does not depend on the order of the objects', () => {
    const options = { namespace: undefined, now: NOW };
    assert.deepEqual(overviewOf(items.toReversed(), options), overviewOf(items, options));
  });

  it('shows the numbers of the workload, and says when a step goes on', () => {
    goldenView('overview', overviewOf(items.slice(0, 4).concat(items.slice(9, 10)), { namespace: 'shop', now: NOW }));
  });

  it('says what to do if there are no Rollouts', () => {
    const empty = (namespace: string | undefined): string | undefined => overviewOf([], { namespace, now: NOW }).empty;
    assert.equal(
      empty('shop'),
      'there are no Rollouts in namespace "shop"; to create one: kubectl tranche init WORKLOAD -n shop',
    );
    assert.equal(
      empty(undefined),
      'there are no Rollouts in the cluster; to create one: kubectl tranche init WORKLOAD',
    );
  });

  it('makes the row of a changed object again, and no other', () => {
    const [first, second] = items as [(typeof items)[0], (typeof items)[0]];
    const options = { namespace: 'shop', now: NOW };
    const before = overviewOf([first, second], options).releases;
    const workload = { ...deployment(), spec: { ...deployment().spec, replicas: 9 } };
    const after = overviewOf([first, { ...second, workload }], options).releases;
    const [a, b] = before.map((row) => after.find(({ key }) => key === row.key)!);
    assert.equal(b, before[1]);
    assert.equal(a!.pods.wanted, 9);
    assert.deepEqual(b, rowOf(first.rollout, first.workload));
  });
});
