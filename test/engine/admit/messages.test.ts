// The sentences that a user reads at the moment of an edit.
import assert from 'node:assert/strict';
import type { CanaryStep } from '../../../src/api/types.ts';
import * as words from '../../../src/engine/admit/messages.ts';
import { readHeld } from '../../../src/engine/workload/deployment/hold.ts';
import { demo, disabled, held, web, withSpec } from './support.ts';

const record = readHeld(held())!;
const v2 = web('v2');

describe('the sentence about a release that begins', () => {
  for (const [when, steps, replicas, expected] of [
    [
      'counts its Pods',
      [1, '50%', '100%'],
      10,
      'Rollout demo releases this in 3 steps: 1 → 5 → 10 of 10 Pods; step 1 waits for approval; approve with: kubectl tranche approve demo -n shop',
    ],
    [
      'tells of the rest',
      [1],
      10,
      'Rollout demo releases this in 1 step: 1 of 10 Pods; step 1 waits for approval; after the last step, the remaining Pods are updated in a rolling update; approve with: kubectl tranche approve demo -n shop',
    ],
    [
      'tells of the only Pod',
      [1, '100%'],
      1,
      'Rollout demo releases this in 2 steps: 1 → 1 of 1 Pod; step 1 replaces the only Pod; step 1 waits for approval; approve with: kubectl tranche approve demo -n shop',
    ],
    ['does not wait after a last step that is all', ['100%'], 1, 'Rollout demo releases this in 1 step: 1 of 1 Pod'],
    [
      'shows eight steps at most',
      [1, 2, 3, 4, 5, 6, 7, 8, 9],
      20,
      'Rollout demo releases this in 9 steps: 1 → 2 → 3 → 4 → 5 → 6 → … → 9 of 20 Pods; step 1 waits for approval; after the last step, the remaining Pods are updated in a rolling update; approve with: kubectl tranche approve demo -n shop',
    ],
  ] as const) {
    it(when, () => {
      assert.equal(
        words.released(demo(undefined, steps), withSpec(v2, { replicas }), 'Version'),
        `tranche: ${expected}`,
      );
    });
  }

  it('says how long the checks watch the first step', () => {
    const releasedWith = (step: CanaryStep): string =>
      words.released(
        {
          ...demo(),
          spec: { ...demo().spec, strategy: { canary: { steps: [{ replicas: 1, ...step }, { replicas: '100%' }] } } },
        },
        v2,
        'Version',
      );
    const analysis = { seconds: 600 };
    assert.match(releasedWith({ analysis }), /10 Pods; step 1 is watched for 600s$/);
    assert.match(releasedWith({ analysis, pause: {} }), /; step 1 waits for approval; approve with/);
    assert.match(releasedWith({ analysis, pause: { duration: 60 } }), /; step 1 waits 60s$/);
  });

  it('of a restart, and of one in place of another', () => {
    assert.match(words.released(demo(), v2, 'Restart'), /^tranche: Rollout demo restarts the Pods in 3 steps/);
    assert.match(words.superseded(demo(), v2, 'Version'), /replaces its current release and releases this from step 1/);
    assert.match(words.superseded(demo(), v2, 'Restart'), /restarts the Pods from step 1/);
    assert.match(words.superseded(demo(), v2, 'Version'), /kubectl tranche undo demo -n shop$/);
    assert.match(
      words.superseded(demo(), withSpec(v2, { revisionHistoryLimit: 0 }), 'Version'),
      /to roll back, apply the manifest of the stable version$/,
    );
  });
});

describe('the sentence about a release that does not begin', () => {
  it('says why there are no steps', () => {
    const reason = (next: typeof v2, rollout = demo()) => words.bypassReason(rollout, next, 'Version') ?? '';
    assert.equal(reason(v2), '');
    assert.match(
      reason(withSpec(v2, { strategy: { type: 'Recreate' } })),
      /; set spec.strategy.type to RollingUpdate$/,
    );
    assert.match(reason(withSpec(v2, { replicas: 0 })), /web has 0 replicas$/);
    assert.match(reason(v2, demo(undefined, [])), /it has no spec.strategy.canary.steps$/);
    assert.match(
      words.standsAside(disabled(), v2),
      /^tranche: Rollout demo is disabled: Deployment web updates all Pods/,
    );
    assert.match(words.stillHeld(record, v2), /kubectl rollout resume deployment\/web -n shop$/);
  });
});

describe('the sentence about a release that routes requests', () => {
  it('says what the first step sends to the new version', () => {
    const one = demo();
    const steps = [{ replicas: 1, traffic: '5%' }, { replicas: '100%' }];
    const canary = { trafficRoutings: [{ service: 'web', gateway: { httpRouteName: 'web' } }], steps };
    const routed = { ...one, spec: { ...one.spec, strategy: { canary } } };
    assert.match(
      words.released(routed, v2, 'Version'),
      /in 2 steps: 1 → 10 of 10 Pods; step 1 sends 5% of the requests of Service web to 1 Pod; step 1 waits for approval/,
    );
  });
});

describe('the sentence about an edit beside the release', () => {
  const kept = (edits: Parameters<typeof words.kept>[2], more = { unpaused: false, marked: false }, next = v2) =>
    words.kept(record, next, edits, { ends: false, ...more, paused: record.user.paused === true }).join('\n');

  it('names what is noted for later, and nothing that is in force', () => {
    assert.equal(kept(['minReadySeconds']), '');
    assert.match(
      kept(['maxSurge']),
      /spec.strategy.rollingUpdate.maxSurge recorded: Rollout demo applies the new value when the release ends/,
    );
    assert.match(kept(['minReadySeconds'], { unpaused: false, marked: true }), /spec.minReadySeconds recorded/);
  });

  it('tells who pauses or un-pauses how to go on', () => {
    assert.match(
      kept([], { unpaused: true, marked: false }),
      /Deployment web stays held: Rollout demo releases it in steps; approve with/,
    );
    assert.match(
      kept(['paused'], undefined, withSpec(v2, { paused: true })),
      /Rollout demo pauses its release; continue with/,
    );
  });
});
