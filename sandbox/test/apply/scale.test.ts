// The owner of the number of replicas, in the Scale and in the object.
import assert from 'node:assert/strict';
import { fieldTracker } from '../../src/apply/index.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { deployment, DEPLOYMENTS, TestCluster, type Answer } from '../machinery/support.ts';

const SCALE = `${DEPLOYMENTS}/web/scale`;
const scale = (replicas: number): object => ({
  apiVersion: 'autoscaling/v1',
  kind: 'Scale',
  metadata: { name: 'web' },
  spec: { replicas },
});
const ofReplicas = { 'f:spec': { 'f:replicas': {} } };

/** A Deployment with two replicas; what admission saw of it later. */
async function aDeployment(): Promise<{ api: TestCluster; seen: { object: KubeObject; old: KubeObject }[] }> {
  const seen: { object: KubeObject; old: KubeObject }[] = [];
  const look = { mutate: async () => {}, concerns: () => true };
  const api = new TestCluster({
    fields: fieldTracker,
    admission: () => ({
      ...look,
      validate: async ({ object, oldObject }) => {
        if (object && oldObject) seen.push({ object, old: oldObject });
      },
    }),
  });
  await api.post(DEPLOYMENTS, deployment('web', { replicas: 2 }));
  return { api, seen };
}

const apply = (api: TestCluster, query: string, replicas: number): Promise<Answer> =>
  api.call('PATCH', `${SCALE}?${query}`, scale(replicas), { type: 'application/apply-patch+yaml' });

/** The books of the Deployment about those who scaled it. */
const scalers = async (api: TestCluster): Promise<unknown[]> => {
  const { body } = await api.get(`${DEPLOYMENTS}/web`);
  return body.metadata.managedFields!.filter(({ subresource }) => subresource === 'scale');
};

describe('The owner of the number of replicas', () => {
  it('is the last one who scaled, without a time in the managedFields of the Deployment', async () => {
    const { api } = await aDeployment();
    await api.merge(SCALE, { spec: { replicas: 3 } });
    assert.deepEqual(await scalers(api), [
      {
        manager: 'test',
        operation: 'Update',
        apiVersion: 'apps/v1',
        fieldsType: 'FieldsV1',
        fieldsV1: ofReplicas,
        subresource: 'scale',
      },
    ]);
  });

  it('is visible to admission as an owner in the Scale', async () => {
    const { api, seen } = await aDeployment();
    await api.merge(`${SCALE}?fieldManager=me`, { spec: { replicas: 3 } });
    const [{ object, old }] = seen as [{ object: KubeObject; old: KubeObject }];
    const [before] = old.metadata.managedFields!;
    const [after] = object.metadata.managedFields!;
    assert.deepEqual([before!.manager, before!.apiVersion, before!.fieldsV1], ['test', 'autoscaling/v1', ofReplicas]);
    assert.deepEqual(
      [after!.manager, after!.apiVersion, after!.subresource, after!.fieldsV1],
      ['me', 'autoscaling/v1', 'scale', ofReplicas],
    );
    assert.ok(after!.time);
  });

  it('conflicts with another applier of a Scale', async () => {
    const { api } = await aDeployment();
    const refused = await apply(api, 'fieldManager=me', 5);
    assert.equal(refused.status, 409);
    assert.match(refused.body.message, /conflict with "test".*: \.spec\.replicas$/);
    const forced = await apply(api, 'fieldManager=me&force=true', 5);
    assert.equal(forced.status, 200);
    assert.equal(forced.body.kind, 'Scale');
    assert.equal(forced.body.spec.replicas, 5);
    const [{ manager, operation }] = (await scalers(api)) as [{ manager: string; operation: string }];
    assert.deepEqual([manager, operation], ['me', 'Apply']);
    assert.equal((await apply(api, 'fieldManager=me', 6)).body.spec.replicas, 6);
  });

  it('applies Scales, and nothing else, under a name', async () => {
    const { api } = await aDeployment();
    const type = 'application/apply-patch+yaml';
    const other = await api.call('PATCH', `${SCALE}?fieldManager=me`, deployment('web'), { type });
    assert.equal(other.body.message, 'invalid object type: apps/v1, Kind=Deployment');
    assert.match((await apply(api, '', 5)).body.message, /fieldManager: Required value: is required for apply patch$/);
  });
});

describe('An apply that names a uid', () => {
  it('does not create another object', async () => {
    const api = new TestCluster({ fields: fieldTracker });
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', uid: 'u' } };
    const path = '/api/v1/namespaces/default/configmaps/a?fieldManager=me';
    const answer = await api.call('PATCH', path, body, { type: 'application/apply-patch+yaml' });
    assert.equal(
      answer.body.message,
      'Operation cannot be fulfilled on configmaps "a": uid mismatch: the provided object specified uid u, and no existing object was found',
    );
  });
});
