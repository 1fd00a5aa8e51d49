// Where a release begins, and where what runs becomes the stable version.
import assert from 'node:assert/strict';
import { CHANGED_BY } from '../../../src/api/keys.ts';
import type { CanaryStatus, Held, HistoryEntry, Rollout } from '../../../src/api/types.ts';
import { changedBack, idle, noReplicas } from '../../../src/engine/messages.ts';
import { openGate, type Gate } from '../../../src/engine/policy/gate.ts';
import { deploymentKind } from '../../../src/engine/workload/deployment/kind.ts';
import { adopt, start as begin, hasComeBack } from '../../../src/engine/release/start.ts';
import { conditionOf } from '../../../src/engine/status.ts';
import type { Decision } from '../../../src/engine/decision.ts';
import type { Snapshot } from '../../../src/engine/snapshot.ts';
import {
  ago,
  atStep,
  brief,
  condition,
  digest,
  healthy,
  progressOf,
  rollout,
  rows,
  snapshot,
  stage,
  template,
  type RolloutSketch,
  type Stage,
} from '../build.ts';

const shotOf = (sketch: RolloutSketch, of: Stage, gate?: Gate): Snapshot =>
  snapshot({ rollout: rollout(sketch), ...stage(of), ...(gate && { gate }) });
const begun = (sketch: RolloutSketch, of: Stage = {}, gate?: Gate): Decision => {
  const shot = shotOf(sketch, of, gate);
  const progress = progressOf(shot);
  return begin(shot, progress, digest(progress.workload.spec.template));
};
const canaryOf = (decision: Decision): CanaryStatus => {
  assert.ok(decision.status?.canaryStatus);
  return decision.status.canaryStatus;
};
const blocked: Gate = { ...openGate, blocked: { reason: 'WindowClosed', message: 'closed', opensAt: undefined } };
const failed: RolloutSketch = {
  canary: { onFailure: 'Rollback' },
  status: atStep(1, 'StepUpgrade', { conditions: [condition('Stalled', 'True', 'PodsFailing')] }),
};
const back: Stage = { version: 'v3', old: { v1: 8, v2: 2 }, record: { bypassed: changedBack } };

describe('a release begins', () => {
  const GOES_ON = 'Progressing=InRolling';
  type Row = readonly [what: string, sketch: RolloutSketch, of: Stage, decision: string, message: string, gate?: Gate];
  const first = `step 1/3: 0 of 2 Pods updated, waiting for the Deployment controller`;
  const kept = 'create web-stable-v1';
  const table: readonly Row[] = [
    [
      'at step 1, and keeps a copy of the stable template',
      { status: healthy() },
      {},
      `${kept} | Progressing 1 StepUpgrade ${GOES_ON} | ReleaseStarted | children`,
      first,
    ],
    [
      'without the step while a policy does not let it',
      { status: healthy() },
      {},
      `${kept} | Progressing 1 BeforeStepUpgrade ${GOES_ON} | ReleaseStarted | children`,
      first,
      blocked,
    ],
    [
      'at step 1 where a policy lets it',
      { status: healthy() },
      {},
      `${kept} | Progressing 1 StepUpgrade ${GOES_ON} | ReleaseStarted | children`,
      first,
      openGate,
    ],
    [
      'without the step with 0 replicas',
      { status: healthy() },
      { replicas: 0, old: { v1: 0 } },
      `${kept} | Progressing 1 BeforeStepUpgrade ${GOES_ON} | ReleaseStarted | children`,
      noReplicas(deploymentKind),
    ],
    [
      'with everything where there are no steps',
      { status: healthy(), steps: [] },
      {},
      `${kept} | Progressing 1 StepUpgrade ${GOES_ON} | ReleaseStarted | children`,
      'step 1/1: 0 of 10 Pods updated, waiting for the Deployment controller',
    ],
    [
      'again with a newer template; the copy is there already',
      { status: atStep(2, 'StepPaused') },
      { version: 'v3', old: { v1: 5, v2: 5 } },
      `- | Progressing 1 StepUpgrade ${GOES_ON} | ReleaseSuperseded | children`,
      first,
    ],
    [
      'again from another stable version, and keeps that',
      { status: atStep(3, 'Completed', { reason: 'Finalising' }) },
      { version: 'v3', old: { v2: 10 }, record: { stable: 'v2' } },
      `create web-stable-v2 | Progressing 1 StepUpgrade ${GOES_ON} | ReleaseSuperseded | children`,
      first,
    ],
    [
      'without a copy where no ReplicaSet has the stable template',
      { status: healthy() },
      { old: { v0: 10 } },
      `- | Progressing 1 StepUpgrade ${GOES_ON} | ReleaseStarted | children`,
      first,
    ],
    [
      'as a first one after OpenKruise’s',
      { status: atStep(2, 'StepPaused', { canary: { templateDigest: undefined! } }) },
      { version: 'v3', old: { v1: 5, v2: 5 } },
      `- | Progressing 1 StepUpgrade ${GOES_ON} | ReleaseStarted | children`,
      first,
    ],
    [
      'and says what no webhook saw',
      { status: healthy() },
      { record: { bypassed: 'nobody saw it' } },
      `${kept} | Progressing 1 StepUpgrade Bypassed=NotSeenByWebhook ${GOES_ON} | ReleaseStarted | children`,
      first,
    ],
    [
      'without what is over',
      {
        status: healthy('v1', {
          conditions: ['Succeeded', 'Stalled', 'Bypassed', 'PolicyBlocked'].map((type) => condition(type, 'True')),
        }),
      },
      {},
      `${kept} | Progressing 1 StepUpgrade ${GOES_ON} | ReleaseStarted | children`,
      first,
    ],
    [
      'as another one when it is the rollback of a failed one',
      failed,
      back,
      `- | Progressing 1 StepUpgrade ${GOES_ON} Bypassed=NotSeenByWebhook | ReleaseStarted | children`,
      first,
    ],
  ];
  rows(table, (sketch, of, decision, message, gate) => {
    const made = begun(sketch, of, gate);
    assert.equal(brief(made), decision);
    assert.equal(made.status?.message, message);
  });

  it('with all that its status knows of it', () => {
    const {
      observedRolloutID,
      stableRevision,
      stableDigest,
      templateDigest,
      canaryRevision,
      plan,
      currentStepIndex,
      nextStepIndex,
      stepReplicas,
      keepsReplicas,
      canaryReplicas,
      lastUpdateTime,
      rolloutHash,
    } = canaryOf(begun({ status: healthy() }));
    assert.deepEqual(
      {
        observedRolloutID,
        stableRevision,
        stableDigest,
        templateDigest,
        canaryRevision,
        currentStepIndex,
        nextStepIndex,
        stepReplicas,
        keepsReplicas,
        canaryReplicas,
        lastUpdateTime,
      },
      {
        observedRolloutID: 'r2',
        stableRevision: 'v1',
        stableDigest: 'v1',
        templateDigest: 'v2',
        canaryRevision: '',
        currentStepIndex: 1,
        nextStepIndex: 2,
        stepReplicas: 10,
        keepsReplicas: false,
        canaryReplicas: 0,
        lastUpdateTime: ago(0),
      },
    );
    assert.deepEqual(plan, ['20%', '50%', '100%']);
    assert.match(rolloutHash ?? '', /^[0-9a-f]{64}$/);
  });

  it('with all Pods in a single step of as many', () => {
    assert.equal(
      begun({ status: healthy(), steps: [10] }).status?.message,
      'step 1/1: 0 of 10 Pods updated, waiting for the Deployment controller',
    );
    assert.equal(
      begun({ status: healthy(), steps: [10, '100%'] }).status?.message,
      'step 1/2: 0 of 9 Pods updated, waiting for the Deployment controller',
    );
  });

  it('with the Pods that are there already, where the step asks for fewer', () => {
    const keeps = (updated: number): boolean | undefined =>
      canaryOf(begun({ status: healthy() }, { updated, record: { bypassed: 'x' } })).keepsReplicas;
    assert.deepEqual([keeps(2), keeps(3)], [false, true]);
  });

  it('from the version that is stable, also where its ReplicaSet is gone', () => {
    const gone: Stage = { old: { v0: 10 } };
    assert.equal(canaryOf(begun({ status: healthy() }, gone)).stableRevision, 'v1', 'what ran');
    const free = begun({ status: healthy() }, { replicas: 0, old: { v1: 0 }, state: 'free' });
    assert.deepEqual([canaryOf(free).stableDigest, canaryOf(free).stableRevision], ['v1', 'v1'], 'not held: what ran');
    const other = healthy('v1', { canary: { stableDigest: 'v0', stableRevision: 'v0' } });
    const ran = canaryOf(begun({ status: other }, { replicas: 0, old: { v8: 0 }, state: 'free' }));
    assert.deepEqual([ran.stableDigest, ran.stableRevision], ['v1', 'v1'], 'what ran, not what was stable before that');
    const renamed = atStep(1, 'StepUpgrade', { canary: { stableRevision: 'other' } });
    assert.equal(canaryOf(begun({ status: renamed }, { version: 'v3' })).stableRevision, 'v1', 'the one on record');
    const again = begun(
      { status: atStep(1, 'StepUpgrade') },
      { version: 'v3', replicas: 0, old: { v0: 0 }, state: 'free' },
    );
    assert.deepEqual(
      [canaryOf(again).stableDigest, canaryOf(again).stableRevision],
      ['v1', 'v1'],
      'what ran before the release',
    );
    assert.equal(
      'stableDigest' in canaryOf(begun({}, { replicas: 0, old: { v0: 0 }, state: 'free' })),
      false,
      'unknown',
    );
  });

  it('and closes the history of the one under way', () => {
    const history = (decision: Decision) =>
      decision.status?.history?.map(({ rolloutID, outcome }) => `${rolloutID} ${outcome ?? 'goes on'}`);
    assert.deepEqual(history(begun({ status: atStep(2, 'StepPaused') }, { version: 'v3', old: { v1: 5, v2: 5 } })), [
      'r3 goes on',
      'r2 Superseded',
    ]);
    assert.deepEqual(history(begun(failed, back)), ['r3 goes on', 'r2 Failed']);
    const third: Stage = { version: 'v3', old: { v1: 8, v2: 2 } };
    assert.deepEqual(history(begun(failed, third)), ['r3 goes on', 'r2 Superseded'], 'a newer template is no rollback');
    const still = atStep(1, 'StepUpgrade', {
      history: [
        { rolloutID: 'r2', revision: 'v2', startTime: ago(90) },
        { rolloutID: 'r1', revision: 'v1', startTime: ago(900), endTime: ago(90), outcome: 'Failed' },
      ],
      conditions: [condition('Stalled', 'True', 'PodsFailing')],
    });
    assert.deepEqual(
      history(begun({ status: still }, back))?.slice(0, 2),
      ['r3 goes on', 'r2 Superseded'],
      'it has come back once',
    );
    const well = atStep(1, 'StepUpgrade');
    assert.deepEqual(history(begun({ status: well }, back)), ['r3 goes on', 'r2 Superseded'], 'it had not failed');
  });

  it('with its author and its trace', () => {
    const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, admitted: '2026-01-01T11:59:00.000Z' };
    const record: Partial<Held> = { trace };
    const [entry] =
      begun({ status: healthy() }, { record, deployment: { annotations: { [CHANGED_BY]: 'anna' } } }).status?.history ??
      [];
    const steps = [{ step: 1, time: ago(0) }];
    assert.deepEqual(entry, { rolloutID: 'r2', revision: '', author: 'anna', startTime: ago(0), trace, steps });
    assert.deepEqual(begun({ status: healthy() }, { updated: 1 }).status?.history?.[0], {
      rolloutID: 'r2',
      revision: 'v2',
      startTime: ago(0),
      steps,
    });
  });

  it('and the first version counts as completed if all its Pods are available', () => {
    const completed = (sketch: RolloutSketch, of: Stage = {}) =>
      begun(sketch, of).status?.completedVersions?.map(
        ({ templateDigest, revision, workload, replacedTime }) =>
          `${workload} ${templateDigest} ${revision} ${replacedTime ?? 'stable'}`,
      );
    const enrolled = { status: healthy('v1', { history: [] }) };
    assert.deepEqual(completed(enrolled), ['Deployment/web v1 v1 stable']);
    assert.equal(completed(enrolled, { lacking: 1 }), undefined, 'one Pod is not available');
    assert.equal(completed(enrolled, { old: { v1: 9 } }), undefined, 'one Pod is missing');
    assert.equal(completed(enrolled, { replicas: 0, old: { v1: 0 } }), undefined, 'no Pods');
    assert.equal(
      completed(enrolled, { replicas: 4, old: { v1: 10 }, lacking: 6 }),
      undefined,
      'it was scaled down to its available Pods',
    );
    assert.equal(
      completed(enrolled, { record: { bypassed: 'nobody saw it' } }),
      undefined,
      'no webhook saw the change',
    );
    const later = { status: healthy('v1', { history: [{ rolloutID: 'r1', revision: 'v1', startTime: ago(900) }] }) };
    assert.equal(completed(later), undefined, 'not the first one');
    const unfinished = { status: { ...enrolled.status, phase: 'Progressing' as const } };
    assert.equal(completed(unfinished), undefined, 'it was never adopted');
  });

  it('and says in which field a rollback that came as a newer template differs', () => {
    const of: Stage = {
      version: 'v3',
      old: { v1: 8, v2: 2 },
      deployment: { template: template('v1', { by: 'another tool' }) },
    };
    assert.equal(
      begun({ status: atStep(1, 'StepUpgrade') }, of).events[0]?.message,
      'a newer template replaced the release: release r3 starts at step 1; it differs from the stable version in metadata.annotations',
    );
    const gone: Stage = { version: 'v3', old: { v0: 8, v2: 2 } };
    assert.equal(
      begun({ status: atStep(1, 'StepUpgrade') }, gone).events[0]?.message,
      'a newer template replaced the release: release r3 starts at step 1',
      'nothing to compare with',
    );
    assert.equal(begun({ status: healthy() }).events[0]?.message, 'release r2 starts with step 1 of 3');
    assert.equal(begun({ status: healthy(), steps: [] }).events[0]?.message, 'release r2 starts with step 1 of 1');
  });
});

describe('the rollback of a failed release has come back as another one', () => {
  const entry = (more: Partial<HistoryEntry>): HistoryEntry => ({
    rolloutID: 'r',
    revision: 'v',
    startTime: ago(10),
    ...more,
  });
  it('when that began as the other failed', () => {
    assert.equal(hasComeBack([entry({}), entry({ outcome: 'Failed', endTime: ago(10) })]), true);
    assert.equal(hasComeBack([entry({}), entry({ outcome: 'Failed', endTime: ago(11) })]), false);
    assert.equal(hasComeBack([entry({}), entry({ outcome: 'Superseded', endTime: ago(10) })]), false);
    assert.equal(hasComeBack([entry({})]), false);
    assert.equal(hasComeBack([]), false);
  });
});

describe('what runs becomes the stable version', () => {
  const adopted = (
    status: Rollout['status'],
    bypassed?: string,
    of: Stage = { updated: 10, old: {}, state: 'free' },
  ): Decision => {
    const shot = shotOf(status ? { status } : {}, of);
    const progress = progressOf(shot);
    return adopt(shot, progress, digest(progress.workload.spec.template), bypassed);
  };

  it('with all that its status knows of it', () => {
    const decision = adopted(undefined);
    assert.equal(brief(decision), '- | Healthy 3 Completed | - | -');
    assert.equal(decision.status?.message, idle);
    const {
      stableRevision,
      canaryRevision,
      templateDigest,
      stableDigest,
      nextStepIndex,
      observedRolloutID,
      canaryReplicas,
      lastUpdateTime,
    } = canaryOf(decision);
    assert.deepEqual(
      {
        stableRevision,
        canaryRevision,
        templateDigest,
        stableDigest,
        nextStepIndex,
        observedRolloutID,
        canaryReplicas,
        lastUpdateTime,
      },
      {
        stableRevision: 'v2',
        canaryRevision: 'v2',
        templateDigest: 'v2',
        stableDigest: 'v2',
        nextStepIndex: -1,
        observedRolloutID: 'r2',
        canaryReplicas: 10,
        lastUpdateTime: ago(0),
      },
    );
  });

  it('since when it was, where it is the same', () => {
    assert.equal(canaryOf(adopted(healthy('v2'))).lastUpdateTime, ago(5_000));
    assert.equal(canaryOf(adopted(healthy('v1'))).lastUpdateTime, ago(0));
  });

  it('and a release that nobody held is in the history', () => {
    const decision = adopted(healthy(), 'it went out');
    assert.equal(brief(decision), '- | Healthy 3 Completed Bypassed=NotSeenByWebhook | Bypassed | -');
    const [{ rolloutID, revision, startTime, endTime, outcome } = assert.fail()] = decision.status?.history ?? [];
    assert.deepEqual(
      { rolloutID, revision, startTime, endTime, outcome },
      { rolloutID: 'r2', revision: 'v2', startTime: ago(0), endTime: ago(0), outcome: 'Bypassed' },
    );
    assert.equal(decision.events[0]?.message, 'it went out');
  });

  it('and is stalled no more', () => {
    const { status } = adopted(healthy('v1', { conditions: [condition('Stalled', 'True', 'WorkloadTaken')] }));
    assert.equal(conditionOf(status?.conditions, 'Stalled')?.status, 'False');
    assert.deepEqual(adopted(undefined).status?.conditions, []);
  });
});
