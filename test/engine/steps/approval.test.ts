// What a step may bring, and whether it may end, where policies require approvals.
import assert from 'node:assert/strict';
import { APPROVED, ON_RESTART, RESTARTED_AT } from '../../../src/api/keys.ts';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { Approval, IntOrString } from '../../../src/api/types.ts';
import { openGate } from '../../../src/engine/policy/gate.ts';
import { planDigest } from '../../../src/engine/policy/plan.ts';
import {
  approvalAskedBy,
  approvedReplicas,
  approvedTarget,
  isUnattended,
  standingOfStep,
} from '../../../src/engine/steps/approval.ts';
import type { Snapshot } from '../../../src/engine/snapshot.ts';
import {
  ago,
  atStep,
  progressOf,
  replicaSet,
  rollout,
  rows,
  runOf,
  sha256,
  snapshot,
  stage,
  template,
  type RolloutSketch,
  type StatusSketch,
} from '../build.ts';
import { policy } from '../policy/support.ts';

const restarted = template('v1', { [RESTARTED_AT]: 'now' });
const restart = {
  workload: stage({ updated: 1, deployment: { template: restarted } }).workload,
  children: {
    replicaSets: [replicaSet('v1', { size: 9 }), replicaSet('v2', { size: 1, template: restarted })],
    pods: [],
  },
};
const gateOf = (...specs: ReleasePolicySpec['approval'][]) => ({
  gate: { ...openGate, approval: specs.map((approval, i) => policy(`p${i}`, { approval: approval! })) },
});
const shotOf = (facts: Partial<Snapshot>, on?: string): Snapshot =>
  snapshot({
    rollout: rollout({ status: atStep(1, 'StepPaused'), ...(on && { annotations: { [ON_RESTART]: on } }) }),
    ...facts,
  });

describe('a release that nobody has to approve', () => {
  const unattended = (facts: Partial<Snapshot>, on?: string): boolean => {
    const shot = shotOf(facts, on);
    return isUnattended(shot, progressOf(shot));
  };
  it('is a mere restart, where the Rollout asks for that', () => {
    assert.equal(unattended(restart, 'Batches'), true);
    assert.equal(unattended(restart, 'Native'), false);
    assert.equal(unattended(restart), false);
    assert.equal(unattended(stage({ updated: 1 }), 'Batches'), false, 'another image');
    const gone = { ...restart, children: { replicaSets: [], pods: [] } };
    assert.equal(unattended(gone, 'Batches'), false, 'nothing to compare with');
  });
});

describe('policies that let no step end without approval', () => {
  const asked = (facts: Partial<Snapshot>, on?: string): string[] | undefined => {
    const shot = shotOf(facts, on);
    return approvalAskedBy(shot, progressOf(shot))?.map(({ metadata }) => metadata.name);
  };
  const both = gateOf({}, { exemptRestarts: true });
  const table: readonly (readonly [
    what: string,
    facts: Partial<Snapshot>,
    on: string | undefined,
    names: string[] | undefined,
  ])[] = [
    ['there are none', restart, 'Batches', undefined],
    ['all ask for a new image', { ...stage({ updated: 1 }), ...both }, 'Batches', ['p0', 'p1']],
    [
      'all ask for a restart that does not go through the steps by itself',
      { ...restart, ...both },
      undefined,
      ['p0', 'p1'],
    ],
    ['those that exempt restarts do not ask for one that does', { ...restart, ...both }, 'Batches', ['p0']],
    ['none asks then where all exempt them', { ...restart, ...gateOf({ exemptRestarts: true }) }, 'Batches', undefined],
  ];
  rows(table, (facts, on, names) => assert.deepEqual(asked(facts, on), names));
});

describe('what a step may bring', () => {
  interface Sketch {
    readonly index?: number;
    readonly updated?: number;
    readonly steps?: readonly IntOrString[];
    readonly granted?: IntOrString;
    readonly free?: true;
  }
  const replicas = ({
    index = 1,
    updated = 0,
    steps = ['20%', '50%', '100%'],
    granted,
    free,
  }: Sketch): IntOrString | undefined => {
    const canary = granted === undefined ? {} : { grantedReplicas: granted };
    const shot = snapshot({
      rollout: rollout({ steps, status: atStep(index, 'StepUpgrade', { canary }) }),
      ...stage({ updated }),
      ...(free ? {} : gateOf({})),
    });
    return approvedReplicas(shot, progressOf(shot), shot.rollout.status!.canaryStatus!, {
      replicas: steps[index - 1]!,
    });
  };
  const table: readonly (readonly [what: string, sketch: Sketch, replicas: IntOrString | undefined])[] = [
    ['is not bounded where nobody asks for approvals', { free: true, granted: '20%' }, undefined],
    ['is what it asked for when it was entered', { granted: '10%' }, '10%'],
    ['is nothing while nothing was approved', { granted: 0 }, 0],
    ['is what it asks for, at the first step', {}, '20%'],
    ['is nothing of a first step that is the whole release', { steps: ['100%'] }, 0],
    ['is nothing of a first and only step of as many Pods as there are', { steps: [10] }, 0],
    ['is what a first step asks for that is not the last: a number leaves something', { steps: [10, '100%'] }, 10],
    ['is all of the last step, once earlier ones were approved', { index: 3 }, '100%'],
    ['is all of a first step of which some is there', { steps: ['100%'], updated: 1 }, '100%'],
  ];
  rows(table, (sketch, expected) => assert.equal(replicas(sketch), expected));

  it('is never more Pods than the step has, nor than were approved', () => {
    const step = { replicas: '50%' };
    assert.equal(approvedTarget(step, undefined, 10, false), 5);
    assert.equal(approvedTarget(step, '20%', 10, false), 2);
    assert.equal(approvedTarget(step, '80%', 10, false), 5);
    assert.equal(approvedTarget({ replicas: 10 }, 10, 10, false), 9, 'no step but the last is the whole');
    assert.equal(approvedTarget({ replicas: 10 }, 10, 10, true), 10);
  });
});

describe('how far a step is from what policies require', () => {
  const standing = (
    required: number,
    status: StatusSketch,
    sketch: RolloutSketch = {},
    gate: Partial<Snapshot> = gateOf({ required }, {}),
  ) => {
    const shot = {
      rollout: rollout({ ...sketch, status: atStep(1, 'StepPaused', status) }),
      ...stage({ updated: 2 }),
      ...gate,
    };
    return standingOfStep(runOf(shot));
  };
  const approval = (user: string): Approval => {
    const plain = rollout({ status: atStep(1, 'StepPaused') });
    const plan = planDigest(plain, plain.status!.canaryStatus!, sha256);
    return { step: 1, rolloutID: 'r2', revision: 'v2', user, time: ago(30), plan };
  };

  it('is told with the names of the policies', () => {
    const approvals = [approval('anna')];
    assert.deepEqual(standing(2, { canary: { approvals } }), {
      given: 1,
      required: 2,
      enough: false,
      policies: 'p0, p1',
    });
    assert.deepEqual(standing(1, { canary: { approvals } }), {
      given: 1,
      required: 1,
      enough: true,
      policies: 'p0, p1',
    });
  });

  it('counts an approval that is an edit of the pause', () => {
    const annotations = { [APPROVED]: JSON.stringify(approval('anna')) };
    assert.equal(standing(1, {}, { annotations })?.given, 1);
  });

  it('is not asked where there is no such policy', () => {
    assert.equal(standing(1, {}, {}, {}), undefined);
  });
});
