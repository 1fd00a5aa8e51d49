// The way back to the stable version: by the digest on record, from a ReplicaSet or from the copy of its template.
import assert from 'node:assert/strict';
import { asDigest } from '../../support/digests.ts';
import type { ControllerRevision } from '../../../src/api/types.ts';
import { DEPLOYMENTS } from '../../../src/api/resources.ts';
import { openGate } from '../../../src/engine/policy/gate.ts';
import { goBack, wayBack } from '../../../src/engine/release/way-back.ts';
import { stableCopy } from '../../../src/engine/release/stable.ts';
import type { Snapshot } from '../../../src/engine/snapshot.ts';
import {
  atStep,
  brief,
  deployment,
  digest,
  held,
  progressOf,
  replicaSet,
  rollout,
  rows,
  snapshot,
  stage,
  template,
  type Stage,
} from '../build.ts';

const shotOf = (sketch: Stage, facts: Partial<Snapshot>): Snapshot =>
  snapshot({ rollout: rollout({ status: atStep(1, 'StepUpgrade') }), ...stage(sketch), ...facts });
/** The version whose template is the way, or what is asked for. */
function way(sketch: Stage, facts: Partial<Snapshot> = {}): string {
  const shot = shotOf(sketch, facts);
  const found = wayBack(shot, progressOf(shot), held());
  if (found.kind === 'Ask') return brief(found.decision);
  return found.kind === 'Template' ? digest(found.template) : 'unknown';
}

describe('the way back', () => {
  const protecting = { gate: { ...openGate, protects: 'careful' } };
  const copyOf = (version: string): ControllerRevision =>
    stableCopy(DEPLOYMENTS, deployment(), template(version), asDigest('v1'));
  const gone: Stage = { updated: 2, old: { v0: 8 } };
  /** Its ReplicaSet is there by its hash, with a field more than the record knows. */
  const edited = {
    children: {
      replicaSets: [replicaSet('v1', { template: template('v1', { more: 'x' }) }), replicaSet('v2', { size: 2 })],
      pods: [],
    },
  };
  const editedDigest = digest(template('v1', { more: 'x' }));
  const ask = '- | - | - | children, copy web-stable-v1';
  const table: readonly (readonly [what: string, sketch: Stage, facts: Partial<Snapshot>, way: string])[] = [
    ['is the template of its ReplicaSet', { updated: 2 }, {}, 'v1'],
    [
      'is the template of its ReplicaSet when it is the new one',
      { version: 'v1', updated: 2, old: { v2: 8 } },
      {},
      'v1',
    ],
    ['is asked for where no ReplicaSet has it', gone, {}, ask],
    ['is asked for where its ReplicaSet was edited', { updated: 2 }, edited, ask],
    ['is the copy', gone, { copy: copyOf('v1') }, 'v1'],
    ['is the copy rather than an edited ReplicaSet', { updated: 2 }, { ...edited, copy: copyOf('v1') }, 'v1'],
    ['is no copy of another template', gone, { copy: copyOf('v3') }, 'unknown'],
    ['is unknown where there is no copy', gone, { copy: null }, 'unknown'],
    [
      'is its ReplicaSet by the hash where there is no copy: a newer API server may have added a field',
      { updated: 2 },
      { ...edited, copy: null },
      editedDigest,
    ],
    [
      'is unknown then where a policy protects the release',
      { updated: 2 },
      { ...edited, copy: null, ...protecting },
      'unknown',
    ],
  ];
  rows(table, (sketch, facts, expected) => assert.equal(way(sketch, facts), expected));

  it('is a template without the hash of its ReplicaSet', () => {
    const shot = shotOf({ updated: 2 }, {});
    const found = wayBack(shot, progressOf(shot), held());
    assert.deepEqual(found.kind === 'Template' && found.template, template('v1'));
  });
});

describe('going back', () => {
  it('puts the template in place, and the record with it', () => {
    const progress = progressOf(shotOf({ updated: 2 }, {}));
    const effect = goBack(progress, template('v1'), held({ reverted: 'generation 5' }));
    assert.ok(effect?.kind === 'Patch' && Array.isArray(effect.patch));
    assert.equal(effect.why, 'revert');
    assert.match(JSON.stringify(effect.patch), /generation 5/);
  });

  it('is nothing where the template is there', () => {
    assert.equal(goBack(progressOf(shotOf({ updated: 2 }, {})), template('v2')), undefined);
  });
});
