// Owners and states of Pods.
import assert from 'node:assert/strict';
import { KRUISE_IN_PLACE } from '../../../src/api/keys.ts';
import type { ObjectMeta, OwnerReference, Pod } from '../../../src/api/types.ts';
import {
  isAlive,
  isCopyOf,
  isFailed,
  isOwnedBy,
  readySince,
  updatedInPlaceAt,
} from '../../../src/engine/workload/pods.ts';
import { ago, deployment, NOW, pod, replicaSet, rows } from '../build.ts';

const owner = deployment();
const ref: OwnerReference = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  name: 'web',
  uid: 'uid-web',
  controller: true,
};
const set = (...ownerReferences: OwnerReference[]) => replicaSet('v1', { metadata: { ownerReferences } });

describe('an object is of a workload', () => {
  const table: readonly (readonly [what: string, object: Pick<Pod, 'metadata'>, owned: boolean])[] = [
    ['that controls it', set(ref), true],
    ['that controls it, with another owner first', set({ ...ref, uid: 'x', controller: false }, ref), true],
    ['of the older group', set({ ...ref, apiVersion: 'extensions/v1beta1' }), true],
    ['not of another group', set({ ...ref, apiVersion: 'apps.kruise.io/v1' }), false],
    ['not of the same name only', set({ ...ref, uid: 'other' }), false],
    ['not of another kind', set({ ...ref, kind: 'StatefulSet' }), false],
    ['not one that owns it without controlling it', set({ ...ref, controller: false }), false],
    ['not without an owner', set(), false],
    ['not without owners at all', replicaSet('v1', { metadata: { ownerReferences: undefined! } }), false],
    ['not from another namespace', replicaSet('v1', { metadata: { namespace: 'other' } }), false],
  ];
  rows(table, (object, owned) => assert.equal(isOwnedBy(object, owner), owned));

  it('of OpenKruise, by its own group only', () => {
    const clones = { ...owner, apiVersion: 'apps.kruise.io/v1alpha1', kind: 'CloneSet' };
    const by = (apiVersion: string) => set({ ...ref, apiVersion, kind: 'CloneSet' });
    assert.equal(isOwnedBy(by('apps.kruise.io/v1beta1'), clones), true);
    assert.equal(isOwnedBy(by('apps/v1'), clones), false);
  });

  it('also without controlling it, for a copy of its template', () => {
    assert.equal(isCopyOf(set({ ...ref, controller: false }), owner), true);
    assert.equal(isCopyOf(set({ ...ref, uid: 'other', controller: false }), owner), false);
  });

  it('not when the workload has no uid', () => {
    const nameless = deployment({ metadata: { uid: undefined! } });
    assert.equal(isOwnedBy(set({ ...ref, uid: undefined! }), nameless), false);
  });
});

describe('a Pod', () => {
  const phase = (name: string, metadata: Partial<ObjectMeta> = {}): Pod =>
    pod('p', { status: { phase: name }, metadata });
  const going = { deletionTimestamp: ago(1) };
  const table: readonly (readonly [what: string, of: Pod, alive: boolean, failed: boolean])[] = [
    ['that runs', phase('Running'), true, false],
    ['that starts', phase('Pending'), true, false],
    ['that failed', phase('Failed'), false, true],
    ['that failed, and is deleted', phase('Failed', going), false, false],
    ['that is done', phase('Succeeded'), false, false],
    ['on its way out', phase('Running', going), false, false],
  ];
  rows(table, (of, alive, failed) => assert.deepEqual([isAlive(of), isFailed(of)], [alive, failed]));

  const ready = (status: string, lastTransitionTime?: string): Pod =>
    pod('p', {
      status: {
        conditions: [
          { type: 'Other', status: 'True' },
          { type: 'Ready', status, lastTransitionTime: lastTransitionTime! },
        ],
      },
    });
  const since: readonly (readonly [what: string, of: Pod, since: number | undefined])[] = [
    ['is Ready since it says so', ready('True', ago(60)), NOW - 60_000],
    ['is Ready since now where our clock is behind', ready('True', ago(-60)), NOW],
    ['is Ready since long where it does not say', ready('True'), 0],
    ['is not Ready', ready('False', ago(60)), undefined],
    ['says nothing about it', pod('p', { status: { conditions: [] } }), undefined],
  ];
  rows(since, (of, at) => assert.equal(readySince(of, NOW), at));
});

describe('an update in place', () => {
  const at = (value: string | undefined, condition = 'InPlaceUpdateReady', changed = 100): number | undefined =>
    updatedInPlaceAt(
      pod('p', {
        metadata: { ...(value !== undefined && { annotations: { [KRUISE_IN_PLACE]: value } }) },
        status: { conditions: [{ type: condition, status: 'True', lastTransitionTime: ago(changed) }] },
      }),
      NOW,
    );
  const of = (time: string): string => JSON.stringify({ updateTimestamp: time });

  it('is known by when it began, or by when it ended', () => {
    assert.equal(at(of(ago(7))), NOW - 7_000);
    assert.equal(at(of(ago(7)), undefined, 5), NOW - 5_000);
  });
  it('does not begin in the future: users could say so', () => assert.equal(at(of(ago(-7_000))), NOW - 100_000));
  it('did not end in the future', () => assert.equal(at(of(ago(7)), undefined, -50), NOW));
  it('is known by its condition if its time is not one', () =>
    assert.deepEqual([at(of('soon')), at('?')], [NOW - 100_000, NOW - 100_000]));
  it('is not known without the annotation', () => assert.equal(at(undefined), undefined));
  it('is not believed without the condition, which not everybody may write', () =>
    assert.equal(at(of(ago(7)), 'Ready'), undefined));
});
