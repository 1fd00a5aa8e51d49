// The stable version is deleted or edited in the middle of a release: when that is so, and what follows.
import assert from 'node:assert/strict';
import { asDigest } from '../../support/digests.ts';
import { DEPLOYMENTS } from '../../../src/api/resources.ts';
import { openGate } from '../../../src/engine/policy/gate.ts';
import { isStableGone, stableGone } from '../../../src/engine/release/stable-gone.ts';
import { stableCopy } from '../../../src/engine/release/stable.ts';
import type { Snapshot } from '../../../src/engine/snapshot.ts';
import {
  atStep,
  brief,
  deployment,
  held,
  progressOf,
  rollout,
  rows,
  snapshot,
  stage,
  template,
  type Stage,
  type StatusSketch,
} from '../build.ts';

const shotOf = (sketch: Stage, facts: Partial<Snapshot> = {}, index = 1, status: StatusSketch = {}): Snapshot =>
  snapshot({ rollout: rollout({ status: atStep(index, 'StepUpgrade', status) }), ...stage(sketch), ...facts });

describe('the stable version is gone', () => {
  const table: readonly (readonly [
    what: string,
    sketch: Stage,
    gone: boolean,
    index?: number,
    status?: StatusSketch,
  ])[] = [
    ['when its Pods were given to the new version', { updated: 10, old: {} }, true],
    ['when nothing runs', { updated: 0, old: {} }, true],
    ['not while a ReplicaSet has its template', { updated: 10, old: { v1: 0 } }, false],
    ['not while no more Pods are new than the step asks for', { updated: 10, old: {} }, false, 3],
    ['not while Pods of another version run', { updated: 8, old: { v0: 2 } }, false],
    ['not with 0 replicas', { replicas: 0, updated: 0, old: {} }, false],
    ['not where none is known', { updated: 10, old: {} }, false, 1, { canary: { stableRevision: '' } }],
    ['not with one replica that the last step may bring', { replicas: 1, updated: 1, old: {} }, false, 3],
    ['with one replica, when nothing runs', { replicas: 1, updated: 0, old: {} }, true],
    [
      'not where the last step asks for all by a number',
      { updated: 10, old: {} },
      false,
      3,
      { canary: { currentStepIndex: 3 } },
    ],
    ['not while as many run as there are old ones', { updated: 5, old: { v0: 5 } }, false],
    ['not where that is told already', { updated: 10, old: {}, record: { bypassed: 'as before' } }, false],
  ];
  rows(table, (sketch, gone, index, status) => {
    const shot = shotOf(sketch, {}, index, status);
    const progress = progressOf(shot);
    assert.equal(isStableGone(shot, progress, progress.held!), gone);
  });
});

describe('without its stable version, a release', () => {
  const copy = stableCopy(DEPLOYMENTS, deployment(), template('v1'), asDigest('v1'));
  const protecting = { gate: { ...openGate, protects: 'careful' } };
  const all: Stage = { updated: 10, old: {} };
  const none: Stage = { updated: 0, old: {} };
  const table: readonly (readonly [
    what: string,
    sketch: Stage,
    facts: Partial<Snapshot>,
    decision: string,
    message?: RegExp,
  ])[] = [
    ['stays at its step, and says so', all, {}, 'freeze | - | Bypassed | children'],
    ['asks for the copy where nothing runs', none, {}, '- | - | - | children, copy web-stable-v1'],
    [
      'goes back where nothing runs',
      none,
      { copy },
      'revert | Progressing 1 StepUpgrade Progressing=InRolling Bypassed=NotSeenByWebhook | Bypassed | children',
      /: the stable version is restored$/,
    ],
    ['asks for the copy where a policy protects it', all, protecting, '- | - | - | children, copy web-stable-v1'],
    [
      'goes back where a policy protects it',
      all,
      { ...protecting, copy },
      'revert | Progressing 1 StepUpgrade Progressing=InRolling Bypassed=NotSeenByWebhook | Bypassed | children',
    ],
    [
      'stays held where nobody knows the way',
      { ...none, record: { budget: { maxSurge: 1, maxUnavailable: 2 } }, state: 'moving' },
      { copy: null },
      'freeze | Progressing 1 StepUpgrade Progressing=InRolling Bypassed=NotSeenByWebhook | - | children',
      /^Deployment "web" stays held/,
    ],
  ];
  rows(table, (sketch, facts, decision, message) => {
    const shot = shotOf(sketch, facts);
    const progress = progressOf(shot);
    const made = stableGone(shot, progress, progress.held ?? held());
    assert.equal(brief(made), decision);
    if (message) assert.match(made.status?.message ?? '', message);
  });
});
