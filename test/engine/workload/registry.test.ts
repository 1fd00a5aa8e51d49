// Which kind a Rollout's reference names.
import assert from 'node:assert/strict';
import { argumentOf, DEPLOYMENTS, groupOf, kindName, REPLICA_SETS, resourceName } from '../../../src/api/resources.ts';
import type { WorkloadKind } from '../../../src/engine/workload/kind.ts';
import { kindIn, KINDS, kindOf, kindOfResource, OPTIONAL_KINDS } from '../../../src/engine/workload/registry.ts';
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
    ['a StatefulSet', 'apps/v1', 'StatefulSet', 'statefulsets'],
    ['an Advanced StatefulSet', 'apps.kruise.io/v1beta1', 'StatefulSet', 'statefulsets.apps.kruise.io'],
    [
      'an Advanced StatefulSet of another version',
      'apps.kruise.io/v1alpha1',
      'StatefulSet',
      'statefulsets.apps.kruise.io',
    ],
    ['an Advanced DaemonSet', 'apps.kruise.io/v1alpha1', 'DaemonSet', 'daemonsets.apps.kruise.io'],
    ['a CloneSet', 'apps.kruise.io/v1alpha1', 'CloneSet', 'clonesets.apps.kruise.io'],
    ['no CloneSet of another group', 'apps/v1', 'CloneSet', undefined],
    ['no Deployment of OpenKruise', 'apps.kruise.io/v1alpha1', 'Deployment', undefined],
    ['a DaemonSet', 'apps/v1', 'DaemonSet', 'daemonsets'],
    ['nothing that is released', 'batch/v1', 'Job', undefined],
    ['nothing in other letters', 'apps/v1', 'deployment', undefined],
  ];
  rows(table, (apiVersion, kind, plural) => {
    const found = kindOf({ apiVersion, kind, name: 'web' });
    assert.equal(found && resourceName(found.resource), plural);
  });

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

  it('have names of their own each', () => {
    for (const nameOf of [resourceName, kindName, argumentOf])
      assert.equal(new Set(KINDS.map(({ resource }) => nameOf(resource))).size, KINDS.length);
  });

  it('are found by their group and kind', () => {
    for (const kind of KINDS) assert.equal(kindIn(groupOf(kind.resource.apiVersion), kind.resource.kind), kind);
    assert.equal(kindIn('apps.kruise.io', 'Deployment'), undefined);
  });

  it('come with a CRD, or with every cluster', () => {
    const isNative = (kind: WorkloadKind): boolean => groupOf(kind.resource.apiVersion) === 'apps';
    for (const kind of KINDS) assert.equal(OPTIONAL_KINDS.includes(kind), !isNative(kind));
  });
});
