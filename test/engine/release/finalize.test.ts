// The ways out of a release: rolled back, finished, disabled, deleted, left by the program, left by its Rollout. Each gives the workload back.
import assert from 'node:assert/strict';
import { asDigest } from '../../support/digests.ts';
import {
  BUDGET,
  CHANGED_BY,
  HELD,
  IN_PROGRESSING,
  ON_DELETE,
  PAUSED_UNSEEN,
  ROLLOUT_FINALIZER,
  WORKLOAD_TYPE,
} from '../../../src/api/keys.ts';
import { DEPLOYMENTS } from '../../../src/api/resources.ts';
import type { CanaryStatus, Held } from '../../../src/api/types.ts';
import type { Decision } from '../../../src/engine/decision.ts';
import { openGate } from '../../../src/engine/policy/gate.ts';
import { cancel, depart, finalize, leave, releaseOrphan } from '../../../src/engine/release/finalize.ts';
import { stableCopy } from '../../../src/engine/release/stable.ts';
import type { Snapshot } from '../../../src/engine/snapshot.ts';
import { deploymentKind } from '../../../src/engine/workload/deployment/kind.ts';
import {
  ago,
  atStep,
  brief,
  condition,
  deployment,
  digest,
  healthy,
  mergePatchOf,
  progressOf,
  rollout,
  rows,
  sha256,
  NOW,
  snapshot,
  stage,
  template,
  type RolloutSketch,
  type Stage,
} from '../build.ts';

const shotOf = (sketch: RolloutSketch, of: Stage, facts: Partial<Snapshot> = {}): Snapshot =>
  snapshot({ rollout: rollout(sketch), ...stage(of), ...facts });
const protecting = { gate: { ...openGate, protects: 'careful' } };
const stalled = condition('Stalled', 'True', 'PodsFailing');
const copy = stableCopy(DEPLOYMENTS, deployment(), template('v1'), asDigest('v1'));
const noReplicaSetKnowsIt: Stage = { updated: 2, old: { v0: 8 } };

describe('the stable template is put back', () => {
  const cancelled = (sketch: RolloutSketch, of: Stage): Decision => {
    const shot = shotOf(sketch, { version: 'v1', updated: 8, old: { v2: 2 }, ...of });
    const progress = progressOf(shot);
    return cancel(shot, progress, digest(progress.workload.spec.template));
  };
  const done: Stage = { updated: 10, old: { v2: 0 }, state: 'free' };
  const cancelling = { status: atStep(1, 'StepUpgrade', { reason: 'Cancelling' }) };
  const failing = { status: atStep(1, 'StepUpgrade', { reason: 'Cancelling', conditions: [stalled] }) };
  const table: readonly (readonly [
    what: string,
    sketch: RolloutSketch,
    of: Stage,
    decision: string,
    outcome?: string,
  ])[] = [
    [
      'the Deployment is given back, and that is told',
      { status: atStep(1, 'StepUpgrade') },
      {},
      'free | Progressing 1 StepUpgrade Progressing=Cancelling | RolledBack | children',
    ],
    ['it is told once', cancelling, {}, 'free | Progressing 1 StepUpgrade Progressing=Cancelling | - | children'],
    [
      'the native controller rolls back',
      cancelling,
      { state: 'free' },
      '- | Progressing 1 StepUpgrade Progressing=Cancelling | - | children',
    ],
    [
      'a Pod that is not available is waited for',
      cancelling,
      { ...done, available: 9 },
      '- | Progressing 1 StepUpgrade Progressing=Cancelling | - | children',
    ],
    [
      'it has rolled back: the release is over',
      cancelling,
      done,
      'delete web-stable-v1 | Healthy 1 Completed | - | -',
      'RolledBack',
    ],
    [
      'it has rolled back a release that had failed',
      { ...failing, canary: { onFailure: 'Rollback' } },
      done,
      'delete web-stable-v1 | Healthy 1 Completed | - | -',
      'Failed',
    ],
    [
      'somebody has rolled back a release that had failed',
      failing,
      done,
      'delete web-stable-v1 | Healthy 1 Completed | - | -',
      'RolledBack',
    ],
    [
      'it has rolled back, and nothing had failed',
      { ...cancelling, canary: { onFailure: 'Rollback' } },
      done,
      'delete web-stable-v1 | Healthy 1 Completed | - | -',
      'RolledBack',
    ],
  ];
  rows(table, (sketch, of, decision, outcome) => {
    const made = cancelled(sketch, of);
    assert.equal(brief(made), decision);
    assert.equal(made.status?.history?.[0]?.outcome, outcome);
  });

  it('and the status is that of the stable version', () => {
    const { status } = cancelled(cancelling, done);
    const { observedRolloutID, stableRevision, templateDigest, stableDigest, nextStepIndex, lastUpdateTime } =
      status?.canaryStatus as CanaryStatus;
    assert.deepEqual(
      { observedRolloutID, stableRevision, templateDigest, stableDigest, nextStepIndex, lastUpdateTime },
      {
        observedRolloutID: 'rollback-r1',
        stableRevision: 'v1',
        templateDigest: 'v1',
        stableDigest: 'v1',
        nextStepIndex: -1,
        lastUpdateTime: ago(0),
      },
    );
    const is = Object.fromEntries((status?.conditions ?? []).map((one) => [one.type, one.status]));
    assert.deepEqual(is, { Progressing: 'False', Succeeded: 'False' });
    assert.equal(status?.message, 'Rollout progressing has been canceled');
  });

  it('and the message says how far it is', () => {
    assert.equal(cancelled(cancelling, {}).status?.message, 'rolling back natively: 8 of 10 Pods updated');
  });

  it('and a note that keeps the native controller from it is corrected', () => {
    const shot = shotOf(cancelling, { version: 'v1', ...done, available: 10 });
    const [set] = shot.children!.replicaSets.filter(({ metadata }) => metadata.name === 'web-v1');
    const noted = {
      ...set!,
      metadata: { ...set!.metadata, annotations: { 'deployment.kubernetes.io/desired-replicas': '9' } },
    };
    const facts = {
      ...shot,
      workload: deployment({ status: { updatedReplicas: 9 } }),
      children: { replicaSets: [noted], pods: shot.children!.pods },
    };
    assert.equal(brief(cancel(facts, progressOf(facts), asDigest('v1'))).split(' | ')[0], 'repair web-v1');
  });
});

describe('the steps are done', () => {
  const finished = (sketch: RolloutSketch, of: Stage): Decision => {
    const shot = shotOf(sketch, { updated: 10, old: { v1: 0 }, ...of });
    return finalize(shot, progressOf(shot), asDigest('v2'));
  };
  const at = (state: CanaryStatus['currentStepState'], conditions = [] as ReturnType<typeof condition>[]) => ({
    status: atStep(3, state as 'Completed', { reason: 'Finalising', conditions }),
  });
  const free: Stage = { state: 'free' };
  const over = 'delete web-stable-v1 | Healthy 3 Completed';
  const table: readonly (readonly [
    what: string,
    sketch: RolloutSketch,
    of: Stage,
    decision: string,
    outcome?: string,
  ])[] = [
    [
      'the Deployment is given back',
      at('Completed'),
      {},
      'free | Progressing 3 Completed Progressing=Finalising | - | children',
    ],
    [
      'what is left follows natively',
      at('Completed'),
      { ...free, updated: 8, old: 2 },
      '- | Progressing 3 Completed Progressing=Finalising | - | children',
    ],
    [
      'a Pod that is not available is waited for',
      at('Completed'),
      { ...free, available: 9 },
      '- | Progressing 3 Completed Progressing=Finalising | - | children',
    ],
    [
      'a Pod that may fail is not',
      { ...at('Completed'), canary: { failureThreshold: '5%' } },
      { ...free, available: 9 },
      `${over} Succeeded= | ReleaseCompleted | -`,
      'Completed',
    ],
    [
      'all Pods are new: the release is over',
      at('Completed'),
      free,
      `${over} Succeeded= | ReleaseCompleted | -`,
      'Completed',
    ],
    ['all Pods are new before the steps were done', at('StepUpgrade'), free, `${over} | - | -`, 'Bypassed'],
    [
      'with 0 replicas no step began, and nothing went past them',
      at('BeforeStepUpgrade'),
      free,
      `${over} Succeeded= | ReleaseCompleted | -`,
      'Completed',
    ],
    [
      'no step began, and something went past them',
      at('BeforeStepUpgrade', [condition('Bypassed', 'True', 'NotSeenByWebhook')]),
      free,
      `${over} Bypassed=NotSeenByWebhook | - | -`,
      'Bypassed',
    ],
    [
      'it is not stalled, nor blocked any more',
      at('Completed', [stalled, condition('PolicyBlocked', 'True', 'WindowClosed')]),
      free,
      `${over} Succeeded= | ReleaseCompleted | -`,
      'Completed',
    ],
  ];
  rows(table, (sketch, of, decision, outcome) => {
    const made = finished(sketch, of);
    assert.equal(brief(made), decision);
    assert.equal(made.status?.history?.[0]?.outcome, outcome);
  });

  it('and the status is that of the new version, with nothing of the steps', () => {
    const status = {
      status: atStep(3, 'Completed', {
        reason: 'Finalising',
        canary: {
          planChanged: true,
          releasedRolloutID: 'x',
          approvals: [{ step: 3, rolloutID: 'r2', revision: 'v2', user: 'anna', time: ago(9) }],
        },
      }),
    };
    const { status: after, events } = finished(status, free);
    const canary = after?.canaryStatus as CanaryStatus;
    assert.deepEqual(
      ['keepsReplicas', 'plan', 'releasedRolloutID', 'planChanged'].filter((field) => field in canary),
      [],
    );
    assert.deepEqual([canary.observedRolloutID, canary.stableRevision, canary.stableDigest], ['r2', 'v2', 'v2']);
    assert.equal(after?.message, 'Rollout progressing has been completed');
    assert.equal(after?.history?.[0]?.approvals?.[0]?.user, 'anna');
    assert.equal(events[0]?.message, 'release r2 completed');
    assert.equal(
      finished(at('StepUpgrade'), free).status?.canaryStatus?.observedRolloutID,
      'r2',
      'it runs, whoever let it',
    );
    assert.match(finished(at('StepUpgrade'), free).status?.message ?? '', /^all Pods were updated before/);
  });

  it('and the message says how far it is', () => {
    assert.equal(finished(at('Completed'), {}).status?.message, 'finishing natively: 10 of 10 Pods updated');
  });

  it('and no copy is deleted where none was kept', () => {
    const none = { status: atStep(3, 'Completed', { reason: 'Finalising', canary: { stableDigest: undefined! } }) };
    assert.equal(brief(finished(none, free)).split(' | ')[0], '-');
  });
});

describe('a Rollout that goes in the middle of a release', () => {
  const deleted: RolloutSketch = { metadata: { deletionTimestamp: ago(1) }, status: atStep(1, 'StepUpgrade') };
  const disabled: RolloutSketch = { disabled: true, status: atStep(1, 'StepUpgrade') };
  const back = { annotations: { [ON_DELETE]: 'Rollback' } };
  const reverted = (text: string): Stage => ({ updated: 2, record: { reverted: text } });
  type Row = readonly [
    what: string,
    outcome: 'Deleted' | 'Disabled',
    sketch: RolloutSketch,
    of: Stage,
    decision: string,
    facts?: Partial<Snapshot>,
    message?: RegExp,
  ];
  const terminating = 'Terminating 1 StepUpgrade Progressing=InRolling';
  const ending = `${terminating} Terminating=InTerminating`;
  const table: readonly Row[] = [
    [
      'deleted: the workload finishes natively',
      'Deleted',
      deleted,
      { updated: 2 },
      `free, delete web-stable-v1 | ${ending} | ReleaseEnded | children`,
      {},
      /^deleted: giving the Deployment back$/,
    ],
    [
      'disabled: the same',
      'Disabled',
      disabled,
      { updated: 2 },
      'free, delete web-stable-v1 | Disabling 1 StepUpgrade Progressing=InRolling | ReleaseEnded | children',
      {},
      /^Disabling rollout, release resources$/,
    ],
    ['needs the children before', 'Deleted', deleted, { updated: 2 }, '- | - | - | children', { children: undefined }],
    [
      'goes back, where its annotation says so',
      'Deleted',
      { ...deleted, ...back },
      { updated: 2 },
      `revert | ${ending} | - | children`,
    ],
    [
      'goes back, where a policy protects it',
      'Deleted',
      deleted,
      { updated: 2 },
      `revert | ${ending} | - | children`,
      protecting,
    ],
    [
      'is given back where the stable template is there',
      'Deleted',
      { ...deleted, ...back },
      { version: 'v1', updated: 8, old: { v2: 2 } },
      `free, delete web-stable-v1 | ${ending} | ReleaseEnded | children`,
    ],
    [
      'takes marks off first',
      'Deleted',
      deleted,
      { updated: 2, old: { v0: 1, v1: 7 }, marked: ['v0'], record: { marks: true } },
      `unmark web-v0 | ${ending} | - | children`,
    ],
    [
      'asks for the copy of the stable template',
      'Deleted',
      { ...deleted, ...back },
      noReplicaSetKnowsIt,
      '- | - | - | children, copy web-stable-v1',
    ],
    [
      'goes back to the copy',
      'Deleted',
      { ...deleted, ...back },
      noReplicaSetKnowsIt,
      `revert | ${ending} | - | children`,
      { copy },
    ],
    [
      'stays held where nobody knows the way',
      'Deleted',
      { ...deleted, ...back },
      { ...noReplicaSetKnowsIt, state: 'moving' },
      `freeze | ${terminating} Terminating=InTerminating Stalled=StableUnknown | Stalled | children`,
      { copy: null },
      /its stable template is not found/,
    ],
    [
      'says that once',
      'Deleted',
      {
        ...back,
        metadata: deleted.metadata!,
        status: atStep(1, 'StepUpgrade', { conditions: [condition('Stalled', 'True', 'StableUnknown')] }),
      },
      noReplicaSetKnowsIt,
      `- | ${terminating} Stalled=StableUnknown Terminating=InTerminating | - | children`,
      { copy: null },
    ],
    [
      'is let go with what others made of the template that was put back',
      'Deleted',
      { ...deleted, ...back },
      reverted('generation 4'),
      `free, delete web-stable-v1 | ${ending} | ReleaseEnded | children`,
    ],
    [
      'is let go with it after the first try',
      'Deleted',
      { ...deleted, ...back },
      reverted('v2'),
      `free, delete web-stable-v1 | ${ending} | ReleaseEnded | children`,
    ],
    [
      'goes back again where somebody has changed it since',
      'Deleted',
      { ...deleted, ...back },
      reverted('generation 3'),
      `revert | ${ending} | - | children`,
    ],
    [
      'stays held with it where a policy protects the release',
      'Deleted',
      deleted,
      reverted('generation 4'),
      `- | ${terminating} Terminating=InTerminating Stalled=StableUnknown | Stalled | children`,
      protecting,
      /another webhook or policy changes the stable template/,
    ],
    [
      'is another’s: nothing is touched',
      'Deleted',
      deleted,
      { updated: 2 },
      'finalizer web-rollout | - | - | -',
      { alone: false },
    ],
    [
      'has no workload: its finalizer goes',
      'Deleted',
      deleted,
      { updated: 2 },
      'finalizer web-rollout | - | - | -',
      { workload: undefined },
    ],
    [
      'has no workload, disabled: its history is closed',
      'Disabled',
      disabled,
      { updated: 2 },
      '- | Disabled | - | -',
      { workload: undefined },
      /^Rollout is disabled$/,
    ],
    [
      'is of no kind that is released',
      'Deleted',
      { ...deleted, workloadRef: { kind: 'Job' } },
      { updated: 2 },
      'finalizer web-rollout | - | - | -',
    ],
    [
      'is without our finalizer: nothing is left to do',
      'Deleted',
      { ...deleted, metadata: { ...deleted.metadata, finalizers: ['others'] } },
      { updated: 2 },
      '- | - | - | -',
      { workload: undefined },
    ],
    ['gave its workload back: our labels go', 'Deleted', deleted, { updated: 2, state: 'free' }, 'leave | - | - | -'],
    [
      'gave its workload back, and our labels are gone',
      'Deleted',
      deleted,
      { updated: 2, state: 'free', deployment: { labels: { [WORKLOAD_TYPE]: undefined } } },
      'finalizer web-rollout | - | - | -',
      { workload: deployment({ version: 'v2', labels: { [WORKLOAD_TYPE]: undefined } }) },
    ],
    [
      'has a workload with a template that nobody held',
      'Deleted',
      { ...deleted, status: healthy() },
      { updated: 2, state: 'free' },
      'leave | - | - | -',
    ],
    [
      'holds such a one first where a policy protects it',
      'Deleted',
      { ...deleted, status: healthy() },
      { updated: 2, state: 'free' },
      'hold | - | Bypassed | children',
      protecting,
    ],
    [
      'holds nothing where the template is the stable one',
      'Deleted',
      { ...deleted, status: healthy('v2') },
      { updated: 2, state: 'free' },
      'leave | - | - | -',
      protecting,
    ],
    [
      'holds nothing where no stable one is known',
      'Deleted',
      { metadata: deleted.metadata! },
      { updated: 2, state: 'free' },
      'leave | - | - | -',
      protecting,
    ],
    [
      'holds nothing where a record cannot be read',
      'Deleted',
      { ...deleted, status: healthy() },
      { updated: 2, state: 'free', deployment: { annotations: { [HELD]: '{' } } },
      'leave | - | - | -',
      protecting,
    ],
  ];
  rows(table, (outcome, sketch, of, decision, facts, message) => {
    const made = leave(shotOf(sketch, of, facts), outcome);
    assert.equal(brief(made), decision);
    if (message) assert.match(made.status?.message ?? '', message);
  });

  it('says how the workload is given back', () => {
    const said = (
      sketch: RolloutSketch,
      facts: Partial<Snapshot> = {},
      outcome: 'Deleted' | 'Disabled' = 'Deleted',
    ): string | undefined =>
      leave(shotOf(sketch, { version: 'v1', updated: 8, old: { v2: 2 } }, facts), outcome).events[0]?.message;
    const given = 'during a release: the Deployment';
    assert.equal(said(deleted), `the Rollout was deleted ${given} finishes without steps`);
    assert.equal(said(disabled, {}, 'Disabled'), `the Rollout was disabled ${given} finishes without steps`);
    assert.equal(
      said({ ...deleted, ...back }),
      `the Rollout was deleted ${given} rolls back, because of the annotation ${ON_DELETE}`,
    );
    assert.equal(
      said(deleted, protecting),
      `the Rollout was deleted ${given} rolls back, because policy careful protects releases in progress`,
    );
  });

  it('notes what was stored in its place, while marks are taken off', () => {
    const marks: Stage = {
      updated: 2,
      old: { v0: 1, v1: 7 },
      marked: ['v0'],
      state: 'moving',
      budget: [3, 2],
      record: { marks: true, reverted: 'generation 4', budget: { maxSurge: 3, maxUnavailable: 2 } },
    };
    const { effects } = leave(shotOf({ ...deleted, ...back }, marks), 'Deleted');
    const { annotations } = mergePatchOf(effects).metadata as { annotations: Record<string, string> };
    assert.equal((JSON.parse(annotations[HELD]!) as Held).reverted, 'v2');
  });

  it('says another reason for staying held', () => {
    const sketch = {
      ...back,
      metadata: deleted.metadata!,
      status: atStep(1, 'StepUpgrade', { conditions: [condition('Stalled', 'True', 'PodsFailing')] }),
    };
    const decision = leave(shotOf(sketch, noReplicaSetKnowsIt, { copy: null }), 'Deleted');
    assert.deepEqual(
      decision.events.map(({ reason }) => reason),
      ['Stalled'],
    );
  });

  it('notes of which generation it has put the stable template back', () => {
    const [effect] = leave(shotOf({ ...deleted, ...back }, { updated: 2 }), 'Deleted').effects;
    assert.ok(effect?.kind === 'Patch' && Array.isArray(effect.patch));
    const op = effect.patch.find(({ path }: { path: string }) => path.startsWith('/metadata/annotations'));
    assert.equal((JSON.parse(op?.value as string) as Held).reverted, 'generation 5');
  });

  it('takes everything of ours off the workload in the same write', () => {
    const of: Stage = { updated: 2, deployment: { annotations: { [CHANGED_BY]: 'anna', other: 'stays' } } };
    const decision = leave(shotOf(deleted, of), 'Deleted');
    const { labels, annotations } = mergePatchOf(decision.effects.slice(0, 1)).metadata as Record<
      string,
      Record<string, null>
    >;
    assert.deepEqual(Object.keys(labels!).toSorted(), ['rollouts.kruise.io/stable-revision', WORKLOAD_TYPE, BUDGET]);
    assert.deepEqual(Object.keys(annotations!).toSorted(), [
      'rollouts.kruise.io/in-progressing',
      CHANGED_BY,
      'tranche.dev/give-back',
      HELD,
    ]);
  });

  it('ends without its conditions, and with a history that says so', () => {
    const conditions = ['Stalled', 'Bypassed', 'PolicyBlocked', 'Other'].map((type) => condition(type, 'True'));
    const sketch = { disabled: true, status: atStep(1, 'StepUpgrade', { conditions }) };
    const { status } = leave(shotOf(sketch, {}, { workload: undefined }), 'Disabled');
    assert.deepEqual(
      status?.conditions?.map(({ type }) => type),
      ['Other'],
    );
    assert.deepEqual(
      status?.history?.map(({ outcome }) => outcome),
      ['Disabled'],
    );
    assert.equal(status?.canaryStatus, undefined);
  });

  it('leaves the finalizers of others', () => {
    const both = { ...deleted, metadata: { ...deleted.metadata, finalizers: ['others', ROLLOUT_FINALIZER] } };
    const { effects } = leave(shotOf(both, {}, { workload: undefined }), 'Deleted');
    assert.deepEqual(mergePatchOf(effects).metadata, { resourceVersion: '50', finalizers: ['others'] });
  });

  it('resumes a workload that only the API server’s own policy has paused', () => {
    const workload = deployment({
      version: 'v2',
      settings: { paused: true },
      annotations: { [PAUSED_UNSEEN]: 'false' },
    });
    const { effects } = leave(shotOf(deleted, {}, { workload }), 'Deleted');
    assert.deepEqual(mergePatchOf(effects).spec, { paused: null });
  });
});

describe('a release that OpenKruise has left in the middle', () => {
  const workload = deployment({ settings: { paused: true }, annotations: { [IN_PROGRESSING]: '{}' } });
  const left = (sketch: RolloutSketch, outcome: 'Deleted' | 'Disabled'): string =>
    brief(leave(shotOf(sketch, {}, { workload }), outcome));
  it('is to be taken over before its Rollout goes', () => {
    assert.equal(left({}, 'Deleted'), '- | Terminating Stalled=LeftByOpenKruise | Stalled | -');
    assert.equal(left({}, 'Disabled'), '- | Disabling Stalled=LeftByOpenKruise | Stalled | -');
    const said = leave(shotOf({}, {}, { workload }), 'Deleted').status!;
    assert.equal(brief(leave(shotOf({ status: said }, {}, { workload }), 'Deleted')), '- | - | - | -', 'told once');
  });
});

describe('the program leaves the cluster', () => {
  const during: RolloutSketch = { status: atStep(1, 'StepUpgrade') };
  const two: Stage = { updated: 2 };
  const unseen = deployment({
    version: 'v2',
    settings: { paused: true },
    annotations: { [PAUSED_UNSEEN]: 'false' },
  });
  const table: readonly (readonly [
    what: string,
    sketch: RolloutSketch,
    of: Stage,
    how: 'Finish' | 'Rollback',
    decision: string,
    facts?: Partial<Snapshot>,
  ])[] = [
    [
      'a release finishes natively',
      during,
      two,
      'Finish',
      'free, delete web-stable-v1 | Disabling 1 StepUpgrade Progressing=InRolling | ReleaseEnded | children',
    ],
    [
      'a release goes back, where that is asked for',
      during,
      two,
      'Rollback',
      'revert | Disabling 1 StepUpgrade Progressing=InRolling | - | children',
    ],
    [
      'the Rollout’s own annotation does not count',
      { ...during, annotations: { [ON_DELETE]: 'Rollback' } },
      two,
      'Finish',
      'free, delete web-stable-v1 | Disabling 1 StepUpgrade Progressing=InRolling | ReleaseEnded | children',
    ],
    [
      'a workload of two Rollouts is given back, too',
      during,
      two,
      'Finish',
      'free, delete web-stable-v1 | Disabling 1 StepUpgrade Progressing=InRolling | ReleaseEnded | children',
      { alone: false },
    ],
    [
      'a Rollout that is deleted goes as it would have',
      { ...during, metadata: { deletionTimestamp: ago(1) } },
      two,
      'Rollback',
      'free, delete web-stable-v1 | Terminating 1 StepUpgrade Progressing=InRolling Terminating=InTerminating | ReleaseEnded | children',
    ],
    [
      'a release of OpenKruise’s is left as it is',
      {},
      two,
      'Finish',
      '- | - | - | -',
      { workload: deployment({ settings: { paused: true }, annotations: { [IN_PROGRESSING]: '{}' } }) },
    ],
    [
      'a template that the API server paused is held first, to be rolled back',
      { status: healthy() },
      {},
      'Rollback',
      'hold | - | Bypassed | children',
      { workload: unseen },
    ],
    [
      'a template that the API server paused finishes natively',
      { status: healthy() },
      {},
      'Finish',
      'leave | - | - | -',
      { workload: unseen },
    ],
    [
      'a template that was held first is rolled back',
      { status: healthy() },
      { version: 'v2', record: { bypassed: 'a new template was not held' } },
      'Rollback',
      'revert | Disabling 3 Completed | - | children',
    ],
    [
      'a Rollout without a workload is disabled',
      during,
      two,
      'Finish',
      '- | Disabled | - | -',
      { workload: undefined },
    ],
  ];
  rows(table, (sketch, of, how, decision, facts) =>
    assert.equal(brief(depart(shotOf(sketch, of, facts), how)), decision),
  );
});

describe('a workload that is held by a Rollout that does not exist', () => {
  type Facts = Partial<Pick<Snapshot, 'children' | 'gate' | 'copy'>>;
  const orphan = (of: Stage, facts: Facts = {}, known = true): Decision => {
    const { workload, children } = stage(of);
    const common = { now: NOW, digest, sha256, children: known ? children : undefined };
    return releaseOrphan(deploymentKind, workload, { ...common, ...facts });
  };
  const marks: Stage = { updated: 2, old: { v0: 1, v1: 7 }, marked: ['v0'], record: { marks: true } };
  const two: Stage = { updated: 2 };
  const nothingKnowsIt: Stage = { updated: 2, available: 0, old: { v0: 0 } };
  const table: readonly (readonly [
    what: string,
    of: Stage,
    decision: string,
    facts?: Facts,
    known?: boolean,
    version?: string,
  ])[] = [
    [
      'is given back at once, whatever its children are',
      two,
      'free, delete web-stable-v1 | - | HoldReleased | -',
      {},
      false,
    ],
    ['is left alone where it is not held', { updated: 2, state: 'free' }, '- | - | - | -'],
    ['needs its children where one carries a mark', marks, '- | - | - | children', {}, false],
    ['has the mark taken off first', marks, 'unmark web-v0 | - | - | children'],
    [
      'is given back then',
      { updated: 2, record: { marks: true }, old: { v1: 0 }, replicas: 2 },
      'free, delete web-stable-v1 | - | HoldReleased | children',
    ],
    ['needs its children where a policy protects releases', two, '- | - | - | children', protecting, false],
    ['goes back where a policy protects releases', two, 'revert | - | - | children', protecting],
    [
      'is given back when it is there',
      { version: 'v1', updated: 8, old: { v2: 2 } },
      'free, delete web-stable-v1 | - | HoldReleased | children',
      protecting,
    ],
    [
      'asks for the copy, where the version on record does not run',
      noReplicaSetKnowsIt,
      '- | - | - | children, copy web-stable-v1',
      protecting,
    ],
    [
      'goes back to the copy, which users cannot write, and not to what most available Pods run',
      noReplicaSetKnowsIt,
      'revert | - | - | children',
      { ...protecting, copy: stableCopy(DEPLOYMENTS, deployment(), template('v1'), asDigest('v1')) },
      true,
      'v1',
    ],
    [
      'goes back to what most available Pods run, where there is no copy either',
      noReplicaSetKnowsIt,
      'revert | - | - | children',
      { ...protecting, copy: null },
      true,
      'v0',
    ],
    [
      'asks for the copy of the stable template',
      nothingKnowsIt,
      '- | - | - | children, copy web-stable-v1',
      protecting,
    ],
    [
      'stays held where nobody knows the way',
      { ...nothingKnowsIt, state: 'moving' },
      'freeze | - | Stalled | children',
      { ...protecting, copy: null },
    ],
    [
      'stays held where others change the template that was put back',
      { updated: 2, state: 'moving', record: { reverted: 'generation 4' } },
      'freeze | - | Stalled | children',
      protecting,
    ],
    [
      'goes back again where somebody has changed it since',
      { updated: 2, record: { reverted: 'generation 3' } },
      'revert | - | - | children',
      protecting,
    ],
  ];
  rows(table, (of, decision, facts, known, version) => {
    const decided = orphan(of, facts, known ?? true);
    assert.equal(brief(decided), decision);
    if (version === undefined) return;
    const [effect] = decided.effects;
    const ops = effect?.kind === 'Patch' && 'length' in effect.patch ? effect.patch : [];
    const restored = ops.find((op) => op.path === '/spec/template');
    assert.deepEqual(restored && 'value' in restored && restored.value, template(version));
  });

  it('is told with the name of the Rollout, and how it is given back', () => {
    assert.equal(
      orphan(two).events[0]?.message,
      'Rollout "web-rollout", which held the Deployment, does not exist: the Deployment finishes without steps',
    );
    assert.match(
      orphan({ version: 'v1', updated: 8, old: { v2: 2 } }, protecting).events[0]?.message ?? '',
      /the Deployment rolls back, because policy careful protects releases in progress$/,
    );
  });

  it('loses our labels', () => {
    const [effect] = orphan(two).effects;
    const { labels } = mergePatchOf(effect ? [effect] : []).metadata as { labels: object };
    assert.deepEqual(Object.keys(labels).toSorted(), ['rollouts.kruise.io/stable-revision', WORKLOAD_TYPE, BUDGET]);
  });
});
