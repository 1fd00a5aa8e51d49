// Templates in ControllerRevisions.
import assert from 'node:assert/strict';
import type { ControllerRevision } from '../../../src/api/types.ts';
import { revisionOf, templateIn } from '../../../src/engine/workload/revisions.ts';

const revision = (data?: unknown): ControllerRevision =>
  ({ metadata: { name: 'a' }, revision: 1, data }) as ControllerRevision;

describe('a ControllerRevision', () => {
  it('has a template without the directive, the same object each time', () => {
    const one = revision({ spec: { template: { $patch: 'replace', spec: { a: 1 } } } });
    assert.deepEqual(templateIn(one), { spec: { a: 1 } });
    assert.equal(templateIn(one), templateIn(one));
  });

  it('without a template has an empty one', () => {
    for (const data of [undefined, {}, { spec: {} }, { spec: { template: null } }])
      assert.deepEqual(templateIn(revision(data)), {});
  });

  it('is named in a label of its Pods', () => {
    assert.equal(revisionOf({ metadata: { name: 'p', labels: { 'controller-revision-hash': 'x' } } }), 'x');
    assert.equal(revisionOf({ metadata: { name: 'p' } }), undefined);
  });
});
