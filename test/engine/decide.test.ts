// The heart as one table: what the operator knows about a Rollout, and what it does then. Read it from top to bottom to learn the protocol.
import assert from 'node:assert/strict';
import { HELD, ON_RESTART, PAUSED_UNSEEN, RESTARTED_AT } from '../../src/api/keys.ts';
import { decide } from '../../src/engine/decide.ts';
import { unreachedBy } from '../../src/engine/release/reach.ts';
import type { Snapshot } from '../../src/engine/snapshot.ts';
import { NO_BUDGET } from '../../src/engine/workload/deployment/hold.ts';
import {
  ago,
  atStep,
  brief,
  deployment,
  healthy,
  held,
  mergePatchOf,
  replicaSet,
  rollout,
  rows,
  snapshot,
  stage,
  template,
  USER,
} from './build.ts';

type Row = readonly [what: string, facts: Partial<Snapshot>, decision: string];
const check = (facts: Partial<Snapshot>, decision: string): void =>
  assert.equal(brief(decide(snapshot(facts))), decision);
const unreached = unreachedBy({ watched: ['other'] })('shop')!;
const going = { deletionTimestamp: ago(1) };
const inRelease = atStep(1, 'StepUpgrade');

describe('before a workload is looked at', () => {
  const table: readonly Row[] = [
    [
      'a kind that is not released is left alone',
      { rollout: rollout({ workloadRef: { kind: 'Job' } }) },
      '- | - | - | -',
    ],
    [
      'a Rollout that is deleted with nothing held loses its finalizer, once the workload has none of our labels',
      { rollout: rollout({ metadata: going }) },
      'leave | - | - | -',
    ],
    [
      'a Rollout that is deleted without a workload loses its finalizer',
      { rollout: rollout({ metadata: going }), workload: undefined },
      'finalizer web-rollout | - | - | -',
    ],
    [
      'a Rollout that is deleted during a release gives the workload back first',
      { rollout: rollout({ metadata: going, status: inRelease }), ...stage({ updated: 2 }) },
      'free, delete web-stable-v1 | Terminating 1 StepUpgrade Progressing=InRolling Terminating=InTerminating | ReleaseEnded | children',
    ],
    [
      'a Rollout that is disabled and never did anything says so',
      { rollout: rollout({ disabled: true }), workload: undefined },
      '- | Disabled | - | -',
    ],
    [
      'a Rollout that is deleted and disabled is deleted',
      { rollout: rollout({ disabled: true, metadata: going }), workload: undefined },
      'finalizer web-rollout | - | - | -',
    ],
    [
      'a name that no workload can have is refused',
      { rollout: rollout({ workloadRef: { name: '../x' } }), workload: undefined },
      '- | Initial Stalled=InvalidWorkloadRef | Stalled | -',
    ],
    ['where the webhooks do not reach, nothing begins', { unreached }, '- | Initial Stalled=NotReached | Stalled | -'],
    [
      'where the webhooks do not reach any more, a release goes on to its end',
      { unreached, rollout: rollout({ status: inRelease }), ...stage() },
      'move | Progressing 1 StepUpgrade Progressing=InRolling | - | children',
    ],
    [
      'before anything is held the Rollout gets its finalizer',
      { rollout: rollout({ metadata: { finalizers: [] } }) },
      'finalizer web-rollout | - | - | -',
    ],
    [
      'a kind that the cluster does not serve is waited for',
      { workload: undefined, absence: { message: 'no', gone: true } },
      '- | Initial Stalled=KindNotServed | - | -',
    ],
    [
      'a kind that cannot be read stops its Rollout, even one that is deleted during a release',
      {
        rollout: rollout({ status: inRelease, metadata: going }),
        workload: undefined,
        absence: { message: 'no', gone: false },
      },
      '- | Progressing 1 StepUpgrade Progressing=InRolling Stalled=KindNotServed | Stalled | -',
    ],
    [
      'a Rollout of a kind that cannot be read may go if nothing is in a release',
      { rollout: rollout({ metadata: going }), workload: undefined, absence: { message: 'no', gone: false } },
      'finalizer web-rollout | - | - | -',
    ],
    [
      'a workload that does not exist is waited for',
      { workload: undefined },
      '- | Initial Stalled=WorkloadNotFound | - | again in 60 s',
    ],
    [
      'a workload of another name does not exist for this Rollout',
      { workload: deployment({ metadata: { name: 'other' } }) },
      '- | Initial Stalled=WorkloadNotFound | - | again in 60 s',
    ],
    [
      'neither does one of another namespace',
      { workload: deployment({ metadata: { namespace: 'other' } }) },
      '- | Initial Stalled=WorkloadNotFound | - | again in 60 s',
    ],
    [
      'a workload gets the label by which its changes are intercepted',
      { workload: deployment({ labels: { 'rollouts.kruise.io/workload-type': undefined } }) },
      'enrol | - | Enrolled | -',
    ],
    [
      'a release that OpenKruise has left in the middle is to be taken over first',
      {
        workload: deployment({
          settings: { paused: true },
          annotations: { 'rollouts.kruise.io/in-progressing': '{}' },
        }),
      },
      '- | Initial Stalled=LeftByOpenKruise | Stalled | -',
    ],
    [
      'a workload that cannot be released in steps says why',
      { workload: deployment({ type: 'Recreate', settings: { maxSurge: null, maxUnavailable: null } }) },
      '- | Initial Stalled=RecreateStrategy | Stalled | -',
    ],
    [
      'a workload at rest needs none of its children',
      { rollout: rollout({ status: healthy() }), children: undefined },
      '- | Healthy 3 Completed | - | -',
    ],
    ['everything else does', { children: undefined }, '- | - | - | children'],
  ];
  rows(table, check);
});

describe('what a workload and its children say', () => {
  const put = (record: object) => ({ annotations: { [HELD]: JSON.stringify(record) } });
  const table: readonly Row[] = [
    [
      'BornHeld: made from a backup, held and with nothing running, it is given back',
      { workload: deployment({ held: held(), status: { replicas: 0 } }), children: { replicaSets: [], pods: [] } },
      'free | - | HoldReleased | children',
    ],
    [
      'StaleRecord: a record that cannot be read is taken off',
      { workload: deployment(put({})) },
      'leave | - | - | children',
    ],
    [
      'HeldForNothing: held with the stable template, it is given back',
      { rollout: rollout({ status: healthy() }), ...stage({ version: 'v1', updated: 10, old: {} }) },
      'free | - | HoldReleased | children',
    ],
    [
      'VersionNotMade: its ReplicaSet is waited for',
      { children: { replicaSets: [], pods: [] } },
      '- | - | - | children',
    ],
    ['Settled: what runs becomes the stable version', {}, '- | Healthy 3 Completed | - | -'],
    [
      'Settled past us: what runs is stable from now on, and the bypass is told',
      { rollout: rollout({ status: healthy() }), ...stage({ updated: 10, old: { v1: 0 }, state: 'free' }) },
      '- | Healthy 3 Completed Bypassed=NotSeenByWebhook | Bypassed | -',
    ],
    [
      'NewTemplate: held by the webhook, the release begins, with a copy of the stable template',
      { rollout: rollout({ status: healthy() }), ...stage() },
      'create web-stable-v1 | Progressing 1 StepUpgrade Progressing=InRolling | ReleaseStarted | children',
    ],
    [
      'NotHeld: seen by no webhook, it is held now',
      { rollout: rollout({ status: healthy() }), ...stage({ state: 'free', updated: 2, old: 9 }) },
      'hold | - | Bypassed | children',
    ],
    [
      'PutBack: the stable template is back, and the native controller goes back with it',
      { rollout: rollout({ status: inRelease }), ...stage({ version: 'v1', updated: 8, old: { v2: 2 } }) },
      'free | Progressing 1 StepUpgrade Progressing=Cancelling | RolledBack | children',
    ],
    [
      'StepsDone: after the last step the workload is given back',
      {
        rollout: rollout({ status: atStep(3, 'Completed', { reason: 'Finalising' }) }),
        ...stage({ updated: 10, old: { v1: 0 } }),
      },
      'free | Progressing 3 Completed Progressing=Finalising | - | children',
    ],
    [
      'StepsDone, given back and rolled out: the release is completed',
      {
        rollout: rollout({ status: atStep(3, 'Completed', { reason: 'Finalising' }) }),
        ...stage({ updated: 10, old: { v1: 0 }, state: 'free' }),
      },
      'delete web-stable-v1 | Healthy 3 Completed Succeeded= | ReleaseCompleted | -',
    ],
    [
      'NoReplicas: there is nothing to release',
      { rollout: rollout({ status: inRelease }), ...stage({ replicas: 0, old: 0, state: 'free' }) },
      '- | Progressing 1 StepUpgrade Progressing=InRolling | - | children',
    ],
    [
      'Loose: un-paused by somebody, it is held again',
      {
        rollout: rollout({ status: inRelease }),
        ...stage({ updated: 2, deployment: { settings: { ...USER, ...NO_BUDGET, paused: false } } }),
      },
      'freeze | - | Bypassed | children',
    ],
    [
      'EditedUnseen: an edit of a borrowed field is taken down as the user’s',
      {
        rollout: rollout({ status: inRelease }),
        ...stage({ updated: 2, deployment: { settings: { ...USER, maxSurge: 4, maxUnavailable: 1, paused: true } } }),
      },
      'hold | - | - | children',
    ],
    [
      'StableGone: its ReplicaSet was deleted, and nothing more was granted',
      {
        rollout: rollout({ status: inRelease }),
        ...stage({ updated: 10, old: {} }),
      },
      'freeze | - | Bypassed | children',
    ],
    [
      'InSteps: the release goes through its steps',
      { rollout: rollout({ status: inRelease }), ...stage() },
      'move | Progressing 1 StepUpgrade Progressing=InRolling | - | children',
    ],
  ];
  rows(table, check);
});

describe('a decision', () => {
  it('that was carried out and is taken again changes nothing', () => {
    const first = decide(snapshot());
    const second = decide(snapshot({ rollout: rollout({ status: first.status! }) }));
    assert.equal(brief(second), '- | - | - | -');
  });

  it('of the same snapshot is the same', () => {
    const facts = { rollout: rollout({ status: inRelease }), ...stage({ updated: 2, available: 1 }) };
    assert.deepEqual(decide(snapshot(facts)), decide(snapshot(facts)));
  });

  it('goes by the children of the workload that it is about, not by those of another of its name', () => {
    const others = { replicaSets: [replicaSet('v1', { metadata: { ownerReferences: [] } })], pods: [] };
    assert.equal(brief(decide(snapshot({ children: others }))), '- | - | - | children');
  });

  it('about a native restart that the API server paused resumes it', () => {
    const workload = deployment({
      settings: { paused: true },
      annotations: { [PAUSED_UNSEEN]: 'false' },
      template: template('v1', { [RESTARTED_AT]: 'now' }),
    });
    const native = rollout({ status: healthy(), annotations: { [ON_RESTART]: 'Native' } });
    const decision = decide(snapshot({ rollout: native, workload }));
    assert.equal(brief(decision), 'free | - | - | children');
    assert.deepEqual(mergePatchOf(decision.effects).spec, { paused: null });
  });

  it('about a pause that only the API server made is the same as about any pause', () => {
    const workload = deployment({
      settings: { paused: true },
      annotations: { [PAUSED_UNSEEN]: 'false' },
      version: 'v2',
    });
    const facts = { rollout: rollout({ status: healthy() }), workload };
    assert.equal(brief(decide(snapshot(facts))), 'hold | - | Bypassed | children');
  });
});
