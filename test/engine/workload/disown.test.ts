// What a write of Tranche leaves in metadata.managedFields: nothing of ours where somebody applies, and at the end the owners of before.
import assert from 'node:assert/strict';
import { FIELD_OWNERS, HELD } from '../../../src/api/keys.ts';
import { deploymentKind } from '../../../src/engine/workload/deployment/kind.ts';
import { disowned, disownedAtOnce, hasOwnersToRestore } from '../../../src/engine/workload/disown.ts';
import type { ManagedFields } from '../../../src/engine/workload/field-owners.ts';
import { deployment } from '../build.ts';

const [THEN, NOW] = ['2026-01-01T10:00:00Z', '2026-01-01T11:00:00Z'];
const SURGE = { 'f:spec': { 'f:strategy': { 'f:rollingUpdate': { 'f:maxSurge': {} } } } };
const entry = (manager: string, operation: string, more: Partial<ManagedFields> = {}): ManagedFields => ({
  ...{ manager, operation, apiVersion: 'apps/v1', time: THEN, fieldsType: 'FieldsV1' },
  fieldsV1: { 'f:spec': { 'f:replicas': {} } },
  ...more,
});
const ours = entry('tranche', 'Update', { time: NOW, fieldsV1: SURGE });
const owners = JSON.stringify([
  { manager: 'helm', operation: 'Apply', apiVersion: 'apps/v1', fields: ['maxSurge'] },
  { manager: 'ops', operation: 'Update', apiVersion: 'apps/v1', fields: ['maxSurge'] },
]);
const web = (annotations: Record<string, string>) =>
  deployment({ annotations, settings: { maxSurge: 1, maxUnavailable: 0 } });
const GIVEN_BACK = web({ [FIELD_OWNERS]: owners });
const DURING = web({ [FIELD_OWNERS]: owners, [HELD]: '{}' });
const REMOVED = { op: 'remove', path: '/metadata/annotations/tranche.dev~1field-owners' };
const replaced = (...value: ManagedFields[]) => ({ op: 'replace', path: '/metadata/managedFields', value });

describe('the owners of fields after a write of Tranche', () => {
  it('are to be restored once the workload is given back', () => {
    assert.deepEqual([GIVEN_BACK, DURING, web({})].map(hasOwnersToRestore), [true, false, false]);
  });

  it('do not include Tranche during a release, where somebody applies on the server', () => {
    const [helm, kubectl] = [entry('helm', 'Apply'), entry('kubectl', 'Update')];
    assert.deepEqual(disowned(deploymentKind, DURING, [helm, ours, kubectl], NOW), [replaced(helm, kubectl)]);
    assert.deepEqual(disowned(deploymentKind, DURING, [kubectl, ours], NOW), []);
    assert.deepEqual(disowned(deploymentKind, DURING, [helm, { ...ours, subresource: 'status' }], NOW), []);
  });

  it('are those of before at the end: an entry that is gone comes back, with the time of the write', () => {
    const helm = entry('helm', 'Apply', { fieldsV1: {} });
    const back = [
      replaced({ ...helm, fieldsV1: SURGE }, entry('ops', 'Update', { time: NOW, fieldsV1: SURGE })),
      REMOVED,
    ];
    assert.deepEqual(disowned(deploymentKind, GIVEN_BACK, [helm, ours], NOW), back);
    assert.deepEqual(disownedAtOnce(deploymentKind, GIVEN_BACK, [helm, ours]), back);
  });

  it('are not sent as an empty list, which an API server ignores', () => {
    const nobody = web({ [FIELD_OWNERS]: '[]' });
    assert.deepEqual(disowned(deploymentKind, nobody, [ours], NOW), [REMOVED]);
  });

  it('are not changed in a write that is not ours, or whose owners are not known', () => {
    for (const managedFields of [undefined, 'x', [], [entry('helm', 'Apply')]])
      assert.deepEqual(disownedAtOnce(deploymentKind, GIVEN_BACK, managedFields), []);
  });
});
