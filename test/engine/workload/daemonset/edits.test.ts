// Edits of a held DaemonSet: what resumes it, and who owns its type.
import assert from 'node:assert/strict';
import { daemonSetEdits as edits } from '../../../../src/engine/workload/daemonset/edits.ts';
import { readHeld } from '../../../../src/engine/workload/daemonset/hold.ts';
import type { DaemonSet } from '../../../../src/api/types.ts';
import { held, makeSet } from './build.ts';

const how = { changed: false, dropped: [] };
const withType = (set: DaemonSet, type: string): DaemonSet => ({
  ...set,
  spec: { ...set.spec, updateStrategy: { ...set.spec.updateStrategy, type } },
});
const entry = (manager: string, operation: string, fields: object): object => ({
  manager,
  operation,
  apiVersion: 'apps/v1',
  fieldsType: 'FieldsV1',
  fieldsV1: fields,
});
const OWNS = { 'f:spec': { 'f:updateStrategy': { 'f:type': {} } } };

describe('an edit of a held DaemonSet', () => {
  const old = held(3, { maxUnavailable: 2 });
  const record = readHeld(old)!;

  it('with the other type resumes it', () => {
    const edit = edits.editOfHeld({ next: withType(old, 'RollingUpdate'), fieldManager: 'kubectl' }, old, record, how);
    assert.deepEqual([edit.unpauses, edit.after], [true, record]);
    assert.deepEqual(edits.holdOn(old, edit), { held: record, borrowed: { type: 'OnDelete' } });
  });

  it('with another maxUnavailable is the user’s, and in effect at once', () => {
    const next = {
      ...old,
      spec: { ...old.spec, updateStrategy: { type: 'OnDelete', rollingUpdate: { maxUnavailable: 3 } } },
    };
    const edit = edits.editOfHeld({ next, fieldManager: 'kubectl' }, old, record, how);
    assert.deepEqual([edit.unpauses, edit.after], [false, record]);
    assert.deepEqual(edits.patch(next, { type: 'OnDelete' }), []);
  });

  it('changes the type in a strategy that is there, and makes one that is not', () => {
    assert.deepEqual(edits.patch(makeSet(3, 'v1'), { type: 'OnDelete' }), [
      { op: 'replace', path: '/spec/updateStrategy/type', value: 'OnDelete' },
    ]);
    const { updateStrategy: _, ...spec } = makeSet(3, 'v1').spec;
    assert.deepEqual(edits.patch({ ...makeSet(3, 'v1'), spec }, { type: 'OnDelete' }), [
      { op: 'add', path: '/spec/updateStrategy', value: { type: 'OnDelete' } },
    ]);
  });

  it('keeps the owner of the type while the hold has it', () => {
    const before = makeSet(3, 'v1');
    const next = withType(before, 'RollingUpdate');
    const managedFields = { old: () => [entry('helm', 'Apply', OWNS)], next: () => [entry('helm', 'Apply', OWNS)] };
    const { owners } = edits.ownedAfter({ next, fieldManager: 'helm', managedFields }, before);
    assert.deepEqual(
      owners.map(({ manager, fields }) => [manager, fields]),
      [['helm', ['type']]],
    );
  });
});
