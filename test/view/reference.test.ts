import assert from 'node:assert/strict';
import { KINDS } from '../../src/engine/workload/registry.ts';
import { resourceOf, WORKLOADS } from '../../src/view/reference.ts';

describe('the resource that a Rollout names', () => {
  it('is one of those that the engine releases', () =>
    assert.deepEqual(
      WORKLOADS,
      KINDS.map(({ resource }) => resource),
    ));

  for (const resource of WORKLOADS)
    it(`is found by kind and group: ${resource.kind} of ${resource.apiVersion}`, () => {
      const { apiVersion, kind } = resource;
      assert.equal(resourceOf({ spec: { workloadRef: { apiVersion, kind, name: 'web' }, strategy: {} } }), resource);
    });

  it('is a Deployment if the kind is not known', () =>
    assert.equal(
      resourceOf({ spec: { workloadRef: { apiVersion: 'batch/v1', kind: 'Job', name: 'web' }, strategy: {} } }).kind,
      'Deployment',
    ));
});
