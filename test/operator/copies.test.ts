import assert from 'node:assert/strict';
import { CONTROLLER_REVISIONS } from '../../src/api/resources.ts';
import type { KubeObject } from '../../src/api/types.ts';
import type { Effect } from '../../src/engine/decision.ts';
import type { ApiCall } from '../../src/kube/api.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { Copies } from '../../src/operator/copies.ts';

const KEY = 'shop/web';
const owner: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', uid: 'u1' },
};
const copyOf = (uid: string, ownedBy = 'u1'): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: {
    name: 'web-stable-1',
    namespace: 'shop',
    uid,
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: ownedBy, controller: true }],
  },
});
const create: Effect & { kind: 'Create' } = {
  kind: 'Create',
  why: 'keep',
  resource: CONTROLLER_REVISIONS,
  object: copyOf(''),
};
const remove: Effect & { kind: 'Delete' } = {
  kind: 'Delete',
  why: 'keep',
  resource: CONTROLLER_REVISIONS,
  name: 'web-stable-1',
  owner,
};

/** A server with at most one object. `refusal`: its answer to every deletion. */
function server(stored?: KubeObject, refusal?: number) {
  const calls: string[] = [];
  const no = (code: number): never => {
    throw new ApiError(code, { code, reason: '', message: '' });
  };
  const request = async ({ method, body }: ApiCall): Promise<unknown> => {
    const { uid } = (body as { preconditions?: { uid: string } } | undefined)?.preconditions ?? {};
    calls.push(uid === undefined ? method : `${method} ${uid}`);
    if (method === 'POST') return stored ? no(409) : (stored = copyOf('c1'));
    if (!stored) return no(404);
    if (method === 'GET') return stored;
    if (refusal !== undefined) return no(refusal);
    if (uid !== undefined && uid !== stored.metadata.uid) return no(409);
    stored = undefined;
    return {};
  };
  const api = { request, watch: () => Promise.resolve() };
  return { calls, copies: new Copies(api), put: (object?: KubeObject) => (stored = object), left: () => stored };
}

describe('copies of stable templates', () => {
  it('what this process created is deleted without being read', async () => {
    const { copies, calls, left } = server();
    await copies.create(KEY, create);
    await copies.remove(KEY, remove);
    assert.deepEqual([calls, left()], [['POST', 'DELETE c1'], undefined]);
  });

  it('and so are several of a workload', async () => {
    const calls: string[] = [];
    const request = async ({ method, body }: ApiCall): Promise<unknown> => {
      const { preconditions } = body as { preconditions?: { uid: string } };
      calls.push(`${method} ${preconditions?.uid ?? ''}`.trim());
      return method === 'POST'
        ? { ...(body as object), metadata: { name: names.shift(), uid: `c${calls.length}` } }
        : {};
    };
    const names = ['web-stable-1', 'web-stable-2'];
    const copies = new Copies({ request, watch: () => Promise.resolve() });
    for (const _ of names.slice()) await copies.create(KEY, create);
    await copies.remove(KEY, remove);
    await copies.remove(KEY, { ...remove, name: 'web-stable-2' });
    assert.deepEqual(calls, ['POST', 'POST', 'DELETE c1', 'DELETE c2']);
  });

  it('and if it is gone already, that is all', async () => {
    const { copies, calls, put } = server();
    await copies.create(KEY, create);
    put();
    await copies.remove(KEY, remove);
    assert.deepEqual(calls, ['POST', 'DELETE c1']);
  });

  it('another object that has its name meanwhile is read, and deleted only if the workload owns it', async () => {
    for (const [ownedBy, deleted] of [
      ['u1', true],
      ['u2', false],
    ] as const) {
      const { copies, calls, put, left } = server();
      await copies.create(KEY, create);
      put(copyOf('c2', ownedBy));
      await copies.remove(KEY, remove);
      assert.deepEqual(calls, ['POST', 'DELETE c1', 'GET', ...(deleted ? ['DELETE'] : [])]);
      assert.equal(left() === undefined, deleted);
    }
  });

  it('what was there before, or what an earlier process created, is read', async () => {
    const there = server(copyOf('c0'));
    await there.copies.create(KEY, create);
    await there.copies.remove(KEY, remove);
    assert.deepEqual(there.calls, ['POST', 'GET', 'DELETE']);
    const forgotten = server();
    await forgotten.copies.create(KEY, create);
    forgotten.copies.forget(KEY);
    await forgotten.copies.remove(KEY, remove);
    assert.deepEqual(forgotten.calls, ['POST', 'GET', 'DELETE']);
  });

  it('so is one of another name, and none of another workload is taken for it', async () => {
    const { copies, calls } = server();
    await copies.create(KEY, create);
    await copies.remove('shop/api', remove);
    await copies.remove(KEY, { ...remove, name: 'web-stable-2' });
    assert.deepEqual(calls, ['POST', 'GET', 'DELETE', 'GET']);
  });

  it('a refusal is told', async () => {
    const { copies } = server(undefined, 403);
    await copies.create(KEY, create);
    await assert.rejects(copies.remove(KEY, remove), ApiError);
  });
});
