// Custom resources when they are created through the API.
import assert from 'node:assert/strict';
import { VirtualCluster } from '../../src/virtual.ts';
import { definition, version } from './support.ts';

describe('a new custom resource', () => {
  it('gets the defaults of its status, whatever status the request has', async () => {
    const cluster = new VirtualCluster({ seed: 1 });
    const status = { type: 'object', properties: { phase: { type: 'string' } }, default: { phase: 'Pending' } };
    const schema = { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object' }, status } } };
    const body = definition([version('v1', { type: 'object' }, { schema, subresources: { status: {} } })]);
    await cluster.client.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { body });
    await cluster.run(1000);
    const gadgets = '/apis/example.com/v1/namespaces/default/gadgets';
    for (const [name, given] of [
      ['a', {}],
      ['b', { status: { phase: 'Running' } }],
    ] as const) {
      const gadget = { apiVersion: 'example.com/v1', kind: 'Gadget', metadata: { name }, spec: {}, ...given };
      const created = await cluster.client.request('POST', gadgets, { body: gadget });
      assert.deepEqual(created.status, { phase: 'Pending' });
      assert.deepEqual((await cluster.client.request('GET', `${gadgets}/${name}`)).status, { phase: 'Pending' });
    }
    cluster.stop();
  });
});
