// Which kind a Rollout's reference names.
import assert from 'node:assert/strict';
import { DEPLOYMENTS, REPLICA_SETS } from '../../../src/api/resources.ts';
import { KINDS, kindOf, kindOfResource } from '../../../src/engine/workload/registry.ts';
import { rows } from '../build.ts';

describe('a reference names', () => {
  const table: readonly (readonly [what: string, apiVersion: string, kind: string, plural: string | undefined])[] = [
    ['a Deployment', 'apps/v1', 'Deployment', 'deployments'],
    ['a Deployment of another version', 'apps/v1beta1', 'Deployment', 'deployments'],
    [
      'a Deployment, whatever its group: no other kind has this name',
      'extensions/v1beta1',
      'Deployment',
      'deployments',
    ],
    ['a Deployment without a group', 'v1', 'Deployment', 'deployments'],
    ['nothing that is released', 'batch/v1', 'Job', undefined],
    ['nothing in other letters', 'apps/v1', 'deployment', undefined],
  ];
  rows(table, (apiVersion, kind, plural) =>
    assert.equal(kindOf({ apiVersion, kind, name: 'web' })?.resource.plural, plural),
  );

  it('the same without an apiVersion, or with one of a wrong type: a stored reference may have passed no schema', () => {
    for (const apiVersion of [undefined, null, 1, {}])
      assert.equal(kindOf({ apiVersion, kind: 'Deployment', name: 'web' } as never)?.resource.plural, 'deployments');
    assert.equal(kindOf({}), undefined);
  });
});

describe('the kinds that are released', () => {
  it('are found by their resource', () => {
    for (const kind of KINDS) assert.equal(kindOfResource(kind.resource), kind);
    assert.equal(kindOfResource(DEPLOYMENTS)?.workloadType, 'deployment');
    assert.equal(kindOfResource(REPLICA_SETS), undefined);
  });

  it('have a resource and an enrolment label of their own each', () => {
    const resources = new Set(KINDS.map(({ resource }) => resource.plural));
    const labels = new Set(KINDS.map(({ workloadType }) => workloadType));
    assert.deepEqual([resources.size, labels.size], [KINDS.length, KINDS.length]);
  });
});
