// The default roles, and the aggregation that fills some of them.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { bootstrapObjects, serviceAccountUser, startAggregation } from '../../src/auth/index.ts';
import type { Client, KubeObject, WatchEvent } from '../../src/core/types.ts';
import { asks, asksPath, aUser, aWorld, type World } from './support.ts';

const RBAC = 'rbac.authorization.k8s.io';
const collectionOf = (object: KubeObject): string => `${RBAC}/${object.kind.toLowerCase()}s`;

/** A client that writes straight to the store: enough for the controller. */
const clientOf = ({ store }: World): Client => ({
  request(_method, _path, options) {
    const body = options!.body as KubeObject;
    return Promise.resolve(
      store.commit(collectionOf(body), store.get(collectionOf(body), '', body.metadata.name), body)!,
    );
  },
  watch(_type, listener) {
    const collection = `${RBAC}/clusterroles`;
    for (const object of store.list(collection)) listener({ type: 'ADDED', object });
    return store.subscribe(collection, (change) => listener(change as WatchEvent));
  },
});

const started = async (): Promise<World> => {
  const world = aWorld();
  for (const object of bootstrapObjects()) world.put(collectionOf(object), object);
  startAggregation(clientOf(world), world.clock);
  await world.clock.run(1000);
  return world;
};

describe('Bootstrap roles', () => {
  it('let everybody discover the API and ask what they may do', async () => {
    const { auth } = await started();
    const anyone = aUser('anyone');
    assert.equal(auth.authorize(asksPath(anyone, 'get', '/apis/apps/v1')).allowed, true);
    assert.equal(
      auth.authorize(asks(anyone, 'create', 'authorization.k8s.io/selfsubjectaccessreviews', '', '')).allowed,
      true,
    );
    const nobody = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
    assert.equal(auth.authorize(asksPath(nobody, 'get', '/version')).allowed, true);
    assert.equal(auth.authorize(asksPath(nobody, 'get', '/apis')).allowed, false);
  });

  it('let controllers do their own work only', async () => {
    const { auth } = await started();
    const controller = serviceAccountUser('kube-system', 'replicaset-controller');
    assert.equal(auth.authorize(asks(controller, 'create', 'pods')).allowed, true);
    assert.equal(auth.authorize(asks(controller, 'create', 'secrets')).allowed, false);
  });

  it('aggregate view into edit and edit into admin', async () => {
    const { auth, bind } = await started();
    for (const role of ['view', 'edit', 'admin']) bind(role, role, [{ kind: 'User', name: role }], 'shop');
    const may = (who: string, verb: string, what: string): boolean =>
      auth.authorize(asks(aUser(who), verb, what)).allowed;
    assert.deepEqual(
      [
        may('view', 'list', 'apps/deployments'),
        may('view', 'get', 'secrets'),
        may('view', 'patch', 'apps/deployments'),
      ],
      [true, false, false],
    );
    assert.deepEqual(
      [
        may('edit', 'list', 'apps/deployments'),
        may('edit', 'patch', 'apps/deployments'),
        may('edit', 'create', `${RBAC}/roles`),
      ],
      [true, true, false],
    );
    assert.deepEqual(
      [
        may('admin', 'list', 'apps/deployments'),
        may('admin', 'patch', 'apps/deployments'),
        may('admin', 'create', `${RBAC}/roles`),
      ],
      [true, true, true],
    );
  });

  it('collect the rules of a later role, and drop them when it loses its label', async () => {
    const world = await started();
    world.bind('v', 'view', [{ kind: 'User', name: 'eve' }]);
    const may = (): boolean => world.auth.authorize(asks(aUser('eve'), 'get', 'rollouts.kruise.io/rollouts')).allowed;
    const rules = [{ verbs: ['get'], apiGroups: ['rollouts.kruise.io'], resources: ['rollouts'] }];
    const labels = { [`${RBAC}/aggregate-to-view`]: 'true' };
    world.put(`${RBAC}/clusterroles`, { metadata: { name: 'rollouts-view', labels }, rules });
    await world.clock.run(1000);
    assert.equal(may(), true);
    world.put(`${RBAC}/clusterroles`, { metadata: { name: 'rollouts-view' }, rules });
    await world.clock.run(1000);
    assert.equal(may(), false);
  });
});
