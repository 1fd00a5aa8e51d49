// Where a release stands: each Situation, and each rule that tells two of them apart.
import assert from 'node:assert/strict';
import { asDigest } from '../support/digests.ts';
import { HELD, ON_RESTART, PAUSED_UNSEEN, RESTARTED_AT, ROLLOUT_ID } from '../../src/api/keys.ts';
import { situationOf } from '../../src/engine/situation.ts';
import type { Snapshot } from '../../src/engine/snapshot.ts';
import { changedBack } from '../../src/engine/messages.ts';
import { openGate } from '../../src/engine/policy/gate.ts';
import { deploymentKind } from '../../src/engine/workload/deployment/kind.ts';
import { NO_BUDGET } from '../../src/engine/workload/deployment/hold.ts';
import {
  atStep,
  condition,
  deployment,
  digest,
  healthy,
  held,
  replicaSet,
  rollout,
  rows,
  snapshot,
  stage,
  template,
  USER,
  type RolloutSketch,
} from './build.ts';
import type { Deployment, ReplicaSet } from '../../src/api/types.ts';

/** The name, and what was bypassed. */
function situation(facts: Partial<Snapshot>): string {
  const shot = snapshot(facts);
  const workload = shot.workload as Deployment;
  const progress = deploymentKind.progress(shot, workload, shot.children!);
  const found = situationOf(shot, progress, digest(workload.spec.template));
  return 'bypassed' in found && found.bypassed !== undefined ? `${found.name}: ${found.bypassed}` : found.name;
}

type Row = readonly [what: string, facts: Partial<Snapshot>, situation: string];
const check = (facts: Partial<Snapshot>, name: string): void => assert.equal(situation(facts), name);
const none = { replicaSets: [], pods: [] };
const at = (sketch: RolloutSketch['status'], more: RolloutSketch = {}) => ({
  rollout: rollout({ status: sketch!, ...more }),
});
const well = at(healthy());
const protecting = { ...openGate, protects: 'careful' };
const approving = { ...openGate, approval: [] };

describe('with no release under way, the situation is', () => {
  const bornHeld = deployment({ version: 'v2', held: held(), status: { replicas: 0 } });
  const free = (version: string, updated: number, old: Record<string, number>) =>
    stage({ version, updated, old, state: 'free' });
  const native = at(healthy(), { annotations: { [ON_RESTART]: 'Native' } });
  const restarted = template('v1', { [RESTARTED_AT]: 'now' });
  /** No webhook has seen the template, and a ReplicaSet of it has the hash of v1. */
  const forged = (...stable: ReplicaSet[]) => ({
    workload: deployment({
      version: 'evil',
      settings: { paused: true },
      annotations: { [PAUSED_UNSEEN]: 'false' },
    }),
    children: {
      replicaSets: [
        ...stable,
        replicaSet('v1', {
          size: stable.length > 0 ? 0 : 10,
          template: template('evil'),
          metadata: { name: 'forged' },
        }),
      ],
      pods: [],
    },
  });
  /** One Pod of ten is restarted. */
  const restarting = {
    workload: stage({ updated: 1, state: 'free', deployment: { template: restarted } }).workload,
    children: {
      replicaSets: [replicaSet('v1', { size: 9 }), replicaSet('v2', { size: 1, template: restarted })],
      pods: [],
    },
  };
  const table: readonly Row[] = [
    ['a workload made held, with nothing running', { workload: bornHeld, children: none }, 'BornHeld'],
    [
      'the same, but its controller has not looked at it yet',
      {
        workload: deployment({ version: 'v2', held: held(), status: { replicas: 0, observedGeneration: 4 } }),
        children: none,
      },
      'NewTemplate',
    ],
    [
      'the same, but Pods run',
      { workload: deployment({ version: 'v2', held: held(), status: { replicas: 1 } }), children: none },
      'NewTemplate',
    ],
    [
      'the same, but it has 0 replicas',
      { workload: deployment({ version: 'v2', held: held(), replicas: 0 }), children: none },
      'NewTemplate',
    ],
    [
      'the same, but an old version is there',
      { workload: bornHeld, children: { replicaSets: [replicaSet('v1', { size: 0 })], pods: [] } },
      'NewTemplate',
    ],
    [
      'the same, but the Rollout knows a stable version',
      { workload: bornHeld, children: none, ...well },
      'NewTemplate',
    ],
    [
      'the same, but it is not held: it has just been made',
      { workload: deployment({ version: 'v2', status: { replicas: 0 } }), children: none },
      'VersionNotMade',
    ],
    [
      'the same, but its new version is there',
      { workload: bornHeld, children: { replicaSets: [replicaSet('v2', { size: 0 })], pods: [] } },
      'NewTemplate',
    ],
    [
      'the same, with one replica',
      { workload: deployment({ version: 'v2', held: held(), replicas: 1, status: { replicas: 0 } }), children: none },
      'BornHeld',
    ],
    [
      'the same, before its controller has written anything',
      { workload: { ...bornHeld, status: {} }, children: none },
      'NewTemplate',
    ],
    ['a record that cannot be read', { workload: deployment({ annotations: { [HELD]: '{}' } }) }, 'StaleRecord'],
    [
      'a record from an earlier release, with the fields as the user has them',
      { workload: deployment({ held: held(), settings: USER }) },
      'StaleRecord',
    ],
    ['held with another template than the stable one', { ...well, ...stage() }, 'NewTemplate'],
    ['held with the stable template', { ...well, ...stage({ version: 'v1', updated: 10, old: {} }) }, 'HeldForNothing'],
    ['no Pod of any version yet', { children: none }, 'VersionNotMade'],
    [
      'no Pod of any version yet, and paused by its user: there is nothing to wait for',
      { workload: deployment({ settings: { paused: true } }), children: none },
      'Settled',
    ],
    ['one version, of a Rollout that is new', {}, 'Settled'],
    ['one version, the one that is known', { ...well }, 'Settled'],
    [
      'one version, another than the one that is known',
      { ...well, ...free('v2', 10, { v1: 0 }) },
      'Settled: a new template was rolled out without being held',
    ],
    [
      'one version, which OpenKruise knows by its own hash',
      {
        ...at(healthy('v1', { canary: { canaryRevision: 'kruise', podTemplateHash: 'v2' } })),
        ...free('v2', 10, { v1: 0 }),
      },
      'Settled',
    ],
    [
      'one version, and the status knows none',
      { ...at(healthy('v1', { canary: { canaryRevision: '' } })), ...free('v2', 10, { v1: 0 }) },
      'Settled',
    ],
    [
      'one version, and the status is OpenKruise’s',
      { ...at(healthy('v1', { canary: { templateDigest: undefined! } })), ...free('v2', 10, { v1: 0 }) },
      'Settled',
    ],
    ['no Pod of any version yet, and none wanted', { ...stage({ replicas: 0, old: {}, state: 'free' }) }, 'Settled'],
    [
      'no Pod of any version yet, and one wanted',
      { workload: deployment({ replicas: 1 }), children: none },
      'VersionNotMade',
    ],
    [
      'one version with one replica, another than the one that is known',
      { ...well, ...stage({ replicas: 1, updated: 1, old: { v1: 0 }, state: 'free' }) },
      'Settled: a new template was rolled out without being held',
    ],
    [
      'one version, which the status knows by its hash alone',
      {
        ...at(healthy('v1', { canary: { canaryRevision: 'v2', podTemplateHash: 'other' } })),
        ...free('v2', 10, { v1: 0 }),
      },
      'Settled',
    ],
    [
      'a phase that says so without a status',
      {
        rollout: rollout({ status: { phase: 'Healthy', currentStepIndex: 0, currentStepState: '' } }),
        ...free('v2', 2, { v1: 8 }),
      },
      'NotHeld: the Rollout was created during a rolling update',
    ],
    ['0 replicas, of a Rollout that is new', { ...stage({ replicas: 0, old: 0, state: 'free' }) }, 'Settled'],
    ['0 replicas with a new template', { ...well, ...stage({ replicas: 0, old: 0, state: 'free' }) }, 'NewTemplate'],
    [
      'two versions, the template the one that is known: scaled, or Pods on their way out',
      { ...well, ...free('v1', 9, { v2: 1 }) },
      'Settled',
    ],
    [
      'two versions, a template that nobody held',
      { ...well, ...free('v2', 2, { v1: 8 }) },
      'NotHeld: a new template was not held',
    ],
    [
      'two versions, of a Rollout that is new: old Pods still serve',
      { ...free('v2', 2, { v1: 8 }) },
      'NotHeld: the Rollout was created during a rolling update',
    ],
    [
      'two versions, of a Rollout that is new: nothing but the new one serves',
      { ...stage({ updated: 8, old: 2, lacking: 2, state: 'free' }) },
      'Settled',
    ],
    [
      'two versions, of a Rollout that is new: nothing but the new one serves, and the controller keeps the other',
      { ...stage({ updated: 8, old: 2, lacking: 2, state: 'free', deployment: { settings: { paused: true } } }) },
      'NotHeld: the Rollout was created during a rolling update',
    ],
    [
      'two versions of which only the new one serves, and it is not the one that is known',
      { ...well, ...stage({ updated: 8, old: 2, lacking: 2, state: 'free' }) },
      'NotHeld: a new template was not held',
    ],
    [
      'two versions, of a Rollout that is new: one Pod serves, and it is new',
      { ...stage({ updated: 2, available: 1, old: 8, lacking: 8, state: 'free' }) },
      'Settled',
    ],
    [
      'two versions, of a Rollout that is new: one old Pod serves',
      { ...stage({ updated: 8, old: 2, lacking: 1, state: 'free' }) },
      'NotHeld: the Rollout was created during a rolling update',
    ],
    [
      'two versions, of a Rollout that is new: it goes back to the earlier one, which most available Pods have',
      { ...free('v1', 6, { v2: 4 }) },
      'Settled',
    ],
    [
      'two versions, of a Rollout that is new: it goes back to the earlier one, which half of the available Pods have',
      { ...free('v1', 5, { v2: 5 }) },
      'NotHeld: the Rollout was created during a rolling update',
    ],
    [
      'two versions, of a Rollout that is new: it goes on to the later one, which most available Pods have',
      { ...free('v2', 6, { v1: 4 }) },
      'NotHeld: the Rollout was created during a rolling update',
    ],
    [
      'three versions, of a Rollout that is new: it goes back, but not to the first',
      { ...free('v2', 6, { v1: 1, v3: 3 }) },
      'NotHeld: the Rollout was created during a rolling update',
    ],
    [
      'three versions, of a Rollout that is new: it goes back, and an earlier one has no Pods',
      { ...free('v2', 6, { v1: 0, v3: 4 }) },
      'Settled',
    ],
    [
      'it goes back to the earlier version, but the Rollout was disabled and knows what was stable',
      { ...at(healthy('v2', { phase: 'Disabled' })), ...free('v1', 6, { v2: 4 }) },
      'NotHeld: the Rollout was created during a rolling update',
    ],
    [
      'two versions, of a Rollout that is new: the new one is not made',
      { ...stage({ updated: 0, old: 2, lacking: 2, state: 'free' }) },
      'NotHeld: the Rollout was created during a rolling update',
    ],
    [
      'two versions, of a Rollout that is new: nothing serves',
      { ...stage({ updated: 8, available: 0, old: 2, lacking: 2, state: 'free' }) },
      'NotHeld: the Rollout was created during a rolling update',
    ],
    [
      'two versions, nothing but the new one serves, but the Rollout was disabled and knows what was stable',
      { ...at(healthy('v1', { phase: 'Disabled' })), ...stage({ updated: 8, old: 2, lacking: 2, state: 'free' }) },
      'NotHeld: the Rollout was created during a rolling update',
    ],
    ['a restart, where restarts are native and its version is made', { ...native, ...restarting }, 'Settled'],
    [
      'a restart, where restarts are native and its version is not made yet',
      { ...native, workload: deployment({ template: restarted }) },
      'VersionNotMade',
    ],
    [
      'no restart, where the ReplicaSet with the hash of the stable version has another template',
      {
        ...native,
        workload: deployment({ template: template('evil', { [RESTARTED_AT]: 'now' }) }),
        children: { replicaSets: [replicaSet('v1', { template: template('evil') })], pods: [] },
      },
      'NotHeld: a new template was not held',
    ],
    [
      'a template that the API server paused, and a ReplicaSet of it that somebody made with the hash of the stable version',
      { ...well, ...forged(replicaSet('v1')) },
      'NotHeld: a new template was not held',
    ],
    [
      'the same, where the ReplicaSet of the stable version was edited itself',
      { ...well, ...forged() },
      'Settled: a new template was rolled out without being held',
    ],
    [
      'a restart, where restarts are released',
      { ...at(healthy(), { annotations: { [ON_RESTART]: 'Batches' } }), ...restarting },
      'NotHeld: a new template was not held',
    ],
    [
      'a new image, where restarts are native',
      { ...at(healthy(), { annotations: { [ON_RESTART]: 'Native' } }), ...free('v2', 2, { v1: 8 }) },
      'NotHeld: a new template was not held',
    ],
  ];
  rows(table, check);
});

describe('during a release, the situation is', () => {
  const steps = at(atStep(1, 'StepUpgrade'));
  const finishing = at(atStep(3, 'Completed', { reason: 'Finalising' }));
  const third = { version: 'v3', old: { v1: 8, v2: 2 } };
  const loose = { settings: { ...USER, ...NO_BUDGET, paused: false } };
  const defaulted = { deployment: { template: template('v2', { defaulted: 'by a newer API server' }) } };
  const failed = {
    ...at(atStep(1, 'StepUpgrade', { conditions: [condition('Stalled', 'True', 'PodsFailing')] }), {
      canary: { onFailure: 'Rollback' },
    }),
  };
  /** The template has a field more than it had, and so has its ReplicaSet, which still is called v2. */
  const newDefault = () => {
    const { workload, children } = stage({ updated: 2, ...defaulted });
    const sets = [
      children.replicaSets[0]!,
      replicaSet('v2', { size: 2, template: (workload as Deployment).spec.template }),
    ];
    return { workload, children: { ...children, replicaSets: sets } };
  };
  const table: readonly Row[] = [
    ['held, in the middle', { ...steps, ...stage({ updated: 2 }) }, 'InSteps'],
    [
      'the phase says so, but there is no status of the steps',
      {
        rollout: rollout({ status: { phase: 'Progressing', currentStepIndex: 0, currentStepState: '' } }),
        ...stage({ updated: 2 }),
      },
      'NewTemplate',
    ],
    [
      'the stable template is there again',
      { ...steps, ...stage({ version: 'v1', updated: 8, old: { v2: 2 } }) },
      'PutBack',
    ],
    [
      'the stable template is there again, and nobody holds it any more',
      { ...steps, ...stage({ version: 'v1', updated: 8, old: { v2: 2 }, state: 'free' }) },
      'PutBack',
    ],
    [
      'the stable template is there again after the last step, before the Deployment is given back',
      { ...finishing, ...stage({ version: 'v1', updated: 8, old: { v2: 2 } }) },
      'PutBack',
    ],
    [
      'the stable template is there again after the Deployment was given back: a release of its own',
      { ...finishing, ...stage({ version: 'v1', updated: 0, old: { v2: 10 }, state: 'free' }) },
      'NotHeld: a new template was not held',
    ],
    [
      'known to be stable by the record, where the ReplicaSet is gone',
      {
        ...steps,
        workload: stage({ version: 'v1', updated: 8, old: { v2: 2 } }).workload,
        children: { replicaSets: [replicaSet('v2', { size: 2 })], pods: [] },
      },
      'PutBack',
    ],
    [
      'known to be stable by its ReplicaSet: both have a field more than they had',
      {
        ...at(atStep(1, 'StepUpgrade', { canary: { stableDigest: 'v0' } })),
        ...stage({ version: 'v1', updated: 8, old: { v2: 2 }, record: { stable: 'v0' } }),
      },
      'PutBack',
    ],
    [
      'the same, under a policy that protects releases: a ReplicaSet may have been edited',
      {
        gate: protecting,
        ...at(atStep(1, 'StepUpgrade', { canary: { stableDigest: 'v0' } })),
        ...stage({
          version: 'v1',
          updated: 8,
          old: { v2: 2 },
          record: { stable: 'v0' },
          deployment: { labels: { [ROLLOUT_ID]: 'r9' } },
        }),
      },
      'NewTemplate',
    ],
    ['the steps are done', { ...finishing, ...stage({ updated: 10, old: { v1: 0 } }) }, 'StepsDone'],
    ['given back after the last step', { ...finishing, ...stage({ updated: 7, old: 3, state: 'free' }) }, 'StepsDone'],
    [
      'the record was taken off, and all Pods are new',
      { ...steps, ...stage({ updated: 10, old: { v1: 0 }, state: 'free' }) },
      'StepsDone',
    ],
    [
      'the record was taken off, all Pods are new, and the release is paused',
      {
        ...at(atStep(1, 'StepUpgrade', { reason: 'Paused' })),
        ...stage({ updated: 10, old: { v1: 0 }, state: 'free' }),
      },
      'NotHeld: the annotations of the hold were removed',
    ],
    [
      'a newer template without a hold, and no old Pod',
      { ...steps, ...stage({ version: 'v3', updated: 10, old: { v2: 0 }, state: 'free' }) },
      'NotHeld: a new template was not held',
    ],
    ['held with 0 replicas', { ...steps, ...stage({ replicas: 0, updated: 0, old: { v1: 0 } }) }, 'InSteps'],
    [
      'the same template with another id: its author has changed the id',
      { ...steps, ...stage({ updated: 2, deployment: { labels: { [ROLLOUT_ID]: 'mine' } } }) },
      'InSteps',
    ],
    [
      'the stable template, held by a record that names another, and known to the status only',
      {
        ...steps,
        gate: protecting,
        ...stage({ version: 'v1', updated: 8, old: { v2: 2 }, record: { stable: 'v2' } }),
      },
      'PutBack',
    ],
    [
      'the record was taken off, and old Pods run',
      { ...steps, ...stage({ updated: 2, state: 'free' }) },
      'NotHeld: the annotations of the hold were removed',
    ],
    [
      'not held, and old Pods run, because the release started with 0 replicas',
      { ...at(atStep(1, 'BeforeStepUpgrade')), ...stage({ updated: 0, old: 10, state: 'free' }) },
      'NotHeld: the release started with no Pods to update, and was not held',
    ],
    [
      'the record was taken off while the first step waits for a policy',
      {
        ...at(atStep(1, 'BeforeStepUpgrade', { conditions: [condition('PolicyBlocked', 'True')] })),
        ...stage({ updated: 0, old: 10, state: 'free' }),
      },
      'NotHeld: the annotations of the hold were removed',
    ],
    ['not held, with 0 replicas', { ...steps, ...stage({ replicas: 0, old: 0, state: 'free' }) }, 'NoReplicas'],
    [
      'not held, with 0 replicas and a newer template',
      { ...steps, ...stage({ replicas: 0, version: 'v3', old: 0, state: 'free' }) },
      'NewTemplate',
    ],
    [
      'not held, with a newer template',
      { ...steps, ...stage({ ...third, state: 'free' }) },
      'NotHeld: a new template was not held',
    ],
    ['a newer template, held with an id of its own', { ...steps, ...stage(third) }, 'NewTemplate'],
    [
      'a newer template with the id of the release under way',
      { ...steps, ...stage({ ...third, deployment: { labels: { [ROLLOUT_ID]: 'r2' } } }) },
      'NotHeld: no webhook saw a newer template',
    ],
    [
      'a newer template with an id of its own, while the controller may replace Pods',
      { ...steps, ...stage({ ...third, state: 'moving' }) },
      'NotHeld: no webhook saw a newer template',
    ],
    [
      'the rollback of a failed release, changed on its way',
      { ...failed, ...stage({ ...third, deployment: { labels: { [ROLLOUT_ID]: 'r2' } } }) },
      `NotHeld: ${changedBack}`,
    ],
    [
      'a newer template in a release that would be rolled back, and has not failed',
      {
        ...at(atStep(1, 'StepUpgrade'), { canary: { onFailure: 'Rollback' } }),
        ...stage({ ...third, deployment: { labels: { [ROLLOUT_ID]: 'r2' } } }),
      },
      'NotHeld: no webhook saw a newer template',
    ],
    [
      'a newer template after a failure that nobody rolls back',
      {
        ...at(atStep(1, 'StepUpgrade', { conditions: [condition('Stalled', 'True', 'PodsFailing')] })),
        ...stage({ ...third, deployment: { labels: { [ROLLOUT_ID]: 'r2' } } }),
      },
      'NotHeld: no webhook saw a newer template',
    ],
    ['the template has a field more than it had, in its ReplicaSet too', { ...steps, ...newDefault() }, 'InSteps'],
    [
      'the webhook saw another template, and there is a ReplicaSet of it with the hash of the released one',
      {
        ...steps,
        ...stage({ updated: 2, deployment: { ...defaulted.deployment, labels: { [ROLLOUT_ID]: 'r3' } } }),
        children: newDefault().children,
      },
      'NewTemplate',
    ],
    [
      'the steps are done, and the API server paused such a template',
      {
        ...finishing,
        ...newDefault(),
        workload: deployment({
          ...defaulted.deployment,
          settings: { paused: true },
          annotations: { [PAUSED_UNSEEN]: 'false' },
        }),
      },
      'NotHeld: a new template was not held',
    ],
    [
      'the same, where a policy asks for approvals: only the digest counts',
      { ...steps, ...newDefault(), gate: approving },
      'NotHeld: no webhook saw a newer template',
    ],
    [
      'the same, where a policy protects the release',
      { ...steps, ...newDefault(), gate: protecting },
      'NotHeld: no webhook saw a newer template',
    ],
    [
      'the same, where a policy asks for approvals and the status has no digest: OpenKruise’s',
      { ...at(atStep(1, 'StepUpgrade', { canary: { templateDigest: undefined! } })), ...newDefault(), gate: approving },
      'InSteps',
    ],
    ['un-paused by somebody', { ...steps, ...stage({ updated: 2, deployment: loose }) }, 'Loose'],
    [
      'a borrowed field was edited',
      {
        ...steps,
        ...stage({ updated: 2, deployment: { settings: { ...USER, ...NO_BUDGET, paused: true, maxSurge: 3 } } }),
      },
      'EditedUnseen',
    ],
    ['no version has the stable template', { ...steps, ...stage({ updated: 10, old: {} }) }, 'StableGone'],
  ];
  rows(table, check);

  it('said with what was edited', () => {
    const facts = stage({
      updated: 2,
      deployment: { settings: { ...USER, maxSurge: 3, maxUnavailable: 1, paused: true } },
    });
    const shot = snapshot({ ...steps, ...facts });
    const progress = deploymentKind.progress(shot, facts.workload, facts.children);
    const found = situationOf(shot, progress, asDigest('v2'));
    assert.deepEqual(found.name === 'EditedUnseen' && found.effects.map(({ why }) => why), ['hold']);
  });
});
