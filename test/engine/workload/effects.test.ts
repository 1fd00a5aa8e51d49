// Writes of any object: only what differs, and the version that it was decided on.
import assert from 'node:assert/strict';
import { STABLE_REVISION } from '../../../src/api/keys.ts';
import { DEPLOYMENTS, PODS, ROLLOUTS } from '../../../src/api/resources.ts';
import { labelPod, patchObject, patchRollout, stableLabel, version } from '../../../src/engine/workload/effects.ts';
import { deployment, mergePatchOf, pod, rollout, rows } from '../build.ts';

const before = deployment({ labels: { 'x/a': '1' }, annotations: { 'x/b': '2' } });
type Change = Parameters<typeof patchObject>[3];

describe('a patch', () => {
  const table: readonly (readonly [what: string, change: Change, patch: object | undefined])[] = [
    ['of nothing is none', {}, undefined],
    ['of what is so already is none', { labels: { 'x/a': '1' }, annotations: { 'x/b': '2' } }, undefined],
    ['that takes off what is not there is none', { labels: { no: null }, annotations: { no: null } }, undefined],
    [
      'names only what differs',
      { labels: { 'x/a': '1', 'x/c': '3' } },
      { metadata: { resourceVersion: '100', labels: { 'x/c': '3' } } },
    ],
    [
      'takes off what is there',
      { annotations: { 'x/b': null } },
      { metadata: { resourceVersion: '100', annotations: { 'x/b': null } } },
    ],
    [
      'has the spec that it is given',
      { spec: { paused: true } },
      { metadata: { resourceVersion: '100' }, spec: { paused: true } },
    ],
  ];
  rows(table, (change, patch) => {
    const effects = patchObject('hold', DEPLOYMENTS, before, change);
    if (patch === undefined) assert.deepEqual(effects, []);
    else assert.deepEqual(effects, [{ kind: 'Patch', why: 'hold', resource: DEPLOYMENTS, before, patch }]);
  });

  it('of an object without labels is one of all that are given', () => {
    const bare = { metadata: { name: 'bare' } };
    assert.deepEqual(mergePatchOf(patchObject('hold', DEPLOYMENTS, bare, { labels: { a: 'b' } })).metadata, {
      resourceVersion: '',
      labels: { a: 'b' },
    });
  });

  it('of a Pod carries its uid only: its status changes all the time', () => {
    const of = pod('v2-1');
    const effect = {
      kind: 'Patch',
      why: 'label',
      resource: PODS,
      before: of,
      patch: { metadata: { uid: 'uid-v2-1', labels: { a: 'b' } } },
    };
    assert.deepEqual(labelPod(of, { a: 'b' }), effect);
  });

  it('of a Rollout is about its metadata', () => {
    const of = rollout();
    const patch = { metadata: { resourceVersion: '50', finalizers: [] } };
    assert.deepEqual(patchRollout('finalizer', of, { finalizers: [] }), {
      kind: 'Patch',
      why: 'finalizer',
      resource: ROLLOUTS,
      before: of,
      patch,
    });
  });
});

describe('the label of the stable version', () => {
  it('is written where the version is known', () => {
    assert.deepEqual(stableLabel('v1'), { [STABLE_REVISION]: 'v1' });
    assert.deepEqual([stableLabel(''), stableLabel(undefined)], [{}, {}]);
    assert.equal(version({ metadata: { name: 'x' } }), '');
  });
});
