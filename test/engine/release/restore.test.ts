// A completed version that was put back: what the operator makes of it, from the first look to the end of the history entry.
import assert from 'node:assert/strict';
import { CHANGED_BY, PAUSED_UNSEEN, ROLLOUT_ID } from '../../../src/api/keys.ts';
import type { CompletedVersion, Rollout, RolloutStatus } from '../../../src/api/types.ts';
import { decide } from '../../../src/engine/decide.ts';
import { openGate } from '../../../src/engine/policy/gate.ts';
import { planDigest } from '../../../src/engine/policy/plan.ts';
import { UNDO_STEP, undoStatus } from '../../../src/engine/release/completed.ts';
import type { Snapshot } from '../../../src/engine/snapshot.ts';
import { asDigest } from '../../support/digests.ts';
import { policy } from '../policy/support.ts';
import {
  ago,
  atStep,
  brief,
  deployment,
  healthy,
  mergePatchOf,
  pods,
  replicaSet,
  rollout,
  rows,
  sha256,
  snapshot,
  stage,
  template,
  USER,
  type Stage,
} from '../build.ts';

const completedVersions: readonly CompletedVersion[] = [
  { workload: 'Deployment/web', templateDigest: asDigest('v2'), revision: 'v2', completedTime: ago(500) },
  {
    workload: 'Deployment/web',
    templateDigest: asDigest('v1'),
    revision: 'v1',
    completedTime: ago(9_000),
    replacedTime: ago(500),
  },
];
const known = (status: RolloutStatus): RolloutStatus => ({ ...status, completedVersions });
const canary = { rollbackWindow: { revisions: 1 } };
const atRest = rollout({ canary, status: known(healthy('v2')) });
/** v2 is stable; v1 is put back, and one of ten Pods runs it. */
const back = (sketch: Stage = {}): Partial<Snapshot> =>
  stage({ version: 'v1', updated: 1, old: { v2: 9 }, state: 'free', ...sketch });
const heldBack = back({ state: 'held', record: { stable: asDigest('v2') } });
const RESTORES = 'Progressing 3 Completed Progressing=Cancelling';

describe('a completed version that is put back', () => {
  const table: readonly (readonly [what: string, facts: Partial<Snapshot>, decision: string])[] = [
    [
      'within the window is restored, and not held',
      { rollout: atRest, ...back() },
      `- | ${RESTORES} | Restored | children`,
    ],
    [
      'that the webhook held is restored as well',
      { rollout: atRest, ...heldBack },
      `- | ${RESTORES} | Restored | children`,
    ],
    [
      'whose Pods all run when the operator looks is restored, and not bypassed',
      { rollout: atRest, ...back({ updated: 10, old: {} }) },
      `- | ${RESTORES} | Restored | children`,
    ],
    [
      'without a window is held',
      { rollout: rollout({ status: known(healthy('v2')) }), ...back() },
      'hold | - | Bypassed | children',
    ],
    [
      'without a window goes through the steps',
      { rollout: rollout({ status: known(healthy('v2')) }), ...heldBack },
      'create web-stable-v2 | Progressing 1 StepUpgrade Progressing=InRolling | ReleaseStarted | children',
    ],
    [
      'is held where a policy forbids the window',
      {
        rollout: atRest,
        ...back(),
        gate: { ...openGate, policies: [policy('p', { rollbackWindow: { maxRevisions: 0 } })] },
      },
      'hold | - | Bypassed | children',
    ],
    [
      'too late is held; admission may have decided a minute ago',
      {
        rollout: rollout({ canary: { rollbackWindow: { seconds: 439 } }, status: known(healthy('v2')) }),
        ...back(),
      },
      'hold | - | Bypassed | children',
    ],
    [
      'a moment too late is restored',
      {
        rollout: rollout({ canary: { rollbackWindow: { seconds: 440 } }, status: known(healthy('v2')) }),
        ...back(),
      },
      `- | ${RESTORES} | Restored | children`,
    ],
    [
      'is no matter of the record on the Deployment: a version that was never completed is held',
      {
        rollout: atRest,
        ...stage({ version: 'v3', updated: 1, old: { v2: 9 }, state: 'free', record: { stable: 'v3' } }),
      },
      'hold | - | Bypassed | children',
    ],
    [
      'nor of ReplicaSets: the status alone says what was completed',
      {
        rollout: rollout({ canary, status: healthy('v2') }),
        ...back(),
      },
      'hold | - | Bypassed | children',
    ],
    [
      'during the release of another version ends that release',
      {
        rollout: rollout({
          canary,
          status: known(
            atStep(1, 'StepPaused', { canary: { templateDigest: 'v3', stableDigest: 'v2', stableRevision: 'v2' } }),
          ),
        }),
        ...stage({
          version: 'v1',
          updated: 0,
          old: { v2: 8, v3: 2 },
          record: { stable: asDigest('v2') },
          deployment: { labels: { [ROLLOUT_ID]: 'r4' } },
        }),
      },
      `delete web-stable-v2 | ${RESTORES} | Restored | children`,
    ],
    [
      'is restored as soon as the window is set, although it was in a step',
      {
        rollout: rollout({
          canary,
          status: known(
            atStep(1, 'StepPaused', {
              canary: { templateDigest: 'v1', stableDigest: 'v2', stableRevision: 'v2', observedRolloutID: 'r1' },
            }),
          ),
        }),
        ...heldBack,
      },
      `delete web-stable-v2 | ${RESTORES} | Restored | children`,
    ],
    [
      'with 0 replicas waits for Pods, as any other',
      {
        rollout: atRest,
        workload: deployment({ version: 'v1', replicas: 0 }),
        children: { replicaSets: [replicaSet('v2', { size: 0 })], pods: [] },
      },
      'create web-stable-v2 | Progressing 1 BeforeStepUpgrade Progressing=InRolling | ReleaseStarted | children',
    ],
  ];
  rows(table, (facts, decision) => assert.equal(brief(decide(snapshot(facts))), decision));

  const restoring = (facts: Partial<Snapshot>): Rollout => {
    const first = decide(snapshot(facts));
    return rollout({ canary, status: first.status! });
  };

  it('is given back with the next decision, if it was held', () => {
    const after = restoring({ rollout: atRest, ...heldBack });
    const decision = decide(snapshot({ rollout: after, ...heldBack }));
    assert.deepEqual(
      decision.effects.map(({ why }) => why),
      ['free'],
    );
    assert.deepEqual((mergePatchOf(decision.effects).spec as { paused?: unknown }).paused, null);
  });

  it('that the API server paused while no webhook answered is resumed', () => {
    const paused = back({
      updated: 0,
      old: { v2: 10 },
      deployment: { settings: { ...USER, paused: true }, annotations: { [PAUSED_UNSEEN]: 'false' } },
    });
    const after = restoring({ rollout: atRest, ...paused });
    const [effect] = decide(snapshot({ rollout: after, ...paused })).effects;
    assert.ok(effect?.kind === 'Patch' && 'metadata' in effect.patch);
    assert.deepEqual(effect.patch.spec, { paused: null });
    assert.deepEqual(effect.patch.metadata['annotations'], { [PAUSED_UNSEEN]: null });
  });

  it('is the stable version in the end, and the history says how it came', () => {
    const after = restoring({ rollout: atRest, ...back() });
    const { status } = decide(snapshot({ rollout: after, ...back({ updated: 10, old: {} }) }));
    assert.equal(status?.phase, 'Healthy');
    assert.deepEqual(
      [status.history?.[0]?.outcome, status.history?.[0]?.rolloutID, status.canaryStatus?.restores],
      ['Restored', 'r1', undefined],
    );
    assert.deepEqual([status.canaryStatus?.templateDigest, status.canaryStatus?.stableDigest], ['v1', 'v1']);
    assert.deepEqual(
      status.completedVersions?.map(({ revision, replacedTime }) => [revision, replacedTime]),
      [
        ['v1', undefined],
        ['v2', ago(0)],
      ],
    );
  });

  it('that a newer version replaces is the version to go back to', () => {
    const after = restoring({ rollout: atRest, ...back() });
    const newer = stage({
      version: 'v3',
      updated: 0,
      old: { v1: 4, v2: 6 },
      record: { stable: asDigest('v1') },
    });
    const { status } = decide(snapshot({ rollout: after, ...newer }));
    assert.deepEqual(
      [status?.canaryStatus?.stableDigest, status?.canaryStatus?.templateDigest, status?.canaryStatus?.restores],
      ['v1', 'v3', undefined],
    );
    assert.equal(status?.history?.[1]?.outcome, 'Superseded');
  });
});

describe('a version counts as completed', () => {
  const finishing = (canaryOf: object, history: object = {}): Rollout =>
    rollout({
      status: atStep(3, 'Completed', {
        reason: 'Finalising',
        canary: canaryOf,
        history: [{ rolloutID: 'r2', revision: 'v2', startTime: ago(90), ...history }],
      }),
    });
  const done = stage({ updated: 10, old: {}, state: 'free' });
  const completed = (facts: Partial<Snapshot>): string[] =>
    (decide(snapshot(facts)).status?.completedVersions ?? []).map(({ revision }) => revision);
  const table: readonly (readonly [what: string, facts: Partial<Snapshot>, versions: readonly string[]])[] = [
    ['at the end of its steps', { rollout: finishing({}), ...done }, ['v2']],
    [
      'not where it was resumed before its last step',
      { rollout: finishing({ currentStepState: 'StepPaused' }), ...done },
      [],
    ],
    ['not where a part of it bypassed the steps', { rollout: finishing({}, { bypassed: 'resumed' }), ...done }, []],
    [
      'not where it came at 0 replicas, and no step started',
      { rollout: finishing({ currentStepState: 'BeforeStepUpgrade' }), ...done },
      [],
    ],
    ['when the Rollout is created and all its Pods are available', {}, ['v1']],
    [
      'when the Rollout was created, as soon as its Pods are available',
      { rollout: rollout({ status: healthy() }), children: undefined },
      ['v1'],
    ],
    [
      'not before',
      { rollout: rollout({ status: healthy() }), workload: deployment({ status: { availableReplicas: 9 } }) },
      [],
    ],
    [
      'not where it was rolled out unseen',
      {
        rollout: rollout({ status: healthy() }),
        ...stage({ updated: 10, old: {}, state: 'free' }),
      },
      [],
    ],
    [
      'not later either, when the operator rests',
      {
        rollout: rollout({
          status: healthy('v2', {
            history: [{ rolloutID: 'r2', revision: 'v2', startTime: ago(90), endTime: ago(80), outcome: 'Bypassed' }],
          }),
        }),
        ...stage({ updated: 10, old: {}, state: 'free' }),
      },
      [],
    ],
  ];
  rows(table, (facts, versions) => assert.deepEqual(completed(facts), versions));

  it('an approved version is not by the author of what ran, who may not approve, but by the approver', () => {
    const { canaryStatus, ...status } = known(healthy('v2'));
    const before = rollout({ status: { ...status, canaryStatus: canaryStatus! } });
    const plan = planDigest(before, undoStatus(canaryStatus!, asDigest('v1')), sha256);
    const about = {
      step: UNDO_STEP,
      rolloutID: canaryStatus!.observedRolloutID!,
      revision: canaryStatus!.canaryRevision!,
    };
    const approvals = [{ ...about, user: 'anna', time: ago(5), plan }];
    const approved = rollout({ status: { ...status, canaryStatus: { ...canaryStatus!, approvals } } });
    const gate = { ...openGate, policies: [policy('p', { approval: { notAuthor: true } })] };
    const by = (author: string) =>
      decide(snapshot({ rollout: approved, gate, ...back({ deployment: { annotations: { [CHANGED_BY]: author } } }) }));
    assert.equal(by('carol').status?.history?.[0]?.author, 'anna');
    assert.equal(brief(by('system:serviceaccount:ci:bot')), 'hold | - | Bypassed | children', 'two must approve');
  });

  it('a template that only has the hash of the released one is not added', () => {
    const status = atStep(3, 'Completed', { reason: 'Finalising', canary: { canaryReplicas: 10 } });
    const other = { template: template('v2', { not: 'released' }) };
    const workload = deployment(other);
    const children = { replicaSets: [replicaSet('v2', other)], pods: pods('v2', 10) };
    const decision = decide(snapshot({ rollout: rollout({ status }), workload, children }));
    assert.equal(decision.status?.history?.[0]?.outcome, 'Completed');
    assert.equal(decision.status?.completedVersions, undefined);
  });

  it('where a version bypassed the steps, the one before was replaced', () => {
    const status = { ...healthy('v2'), completedVersions: [completedVersions[0]!] };
    const facts = stage({ version: 'v3', updated: 10, old: {}, state: 'free' });
    const decision = decide(snapshot({ rollout: rollout({ status }), ...facts }));
    assert.deepEqual(decision.status?.completedVersions, [{ ...completedVersions[0]!, replacedTime: ago(0) }]);
  });

  it('a template that was put back while the API server held it is resumed at rest', () => {
    const workload = deployment({
      settings: { ...USER, paused: true },
      annotations: { [PAUSED_UNSEEN]: 'false' },
    });
    const { effects } = decide(snapshot({ rollout: rollout({ status: healthy() }), workload }));
    assert.deepEqual(mergePatchOf(effects).spec, { paused: null });
  });
});
