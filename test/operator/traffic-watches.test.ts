// What the operator reads about the traffic of a release, when its watches begin or events come in the middle of it.
import assert from 'node:assert/strict';
import { HTTP_ROUTES, SERVICES } from '../../src/api/resources.ts';
import type { KubeObject } from '../../src/api/types.ts';
import type { Api, ApiCall, Clock } from '../../src/kube/api.ts';
import { silent } from '../../src/kube/log.ts';
import { TrafficWatches } from '../../src/operator/traffic.ts';

const KEY = 'default/web';
const ASK = { service: 'web', route: { resource: HTTP_ROUTES, name: 'web' } };
const clock: Clock = { now: () => 1_000_000, random: () => 0.5, after: () => () => undefined };
const object = (kind: string, name: string, resourceVersion = '5'): KubeObject => ({
  apiVersion: kind === 'Service' ? 'v1' : HTTP_ROUTES.apiVersion,
  kind,
  metadata: { name, namespace: 'default', uid: `${kind} ${name}`, resourceVersion },
});

/** An API server whose answers wait until they are let through. */
class Server implements Api {
  readonly asked: string[] = [];
  /** Paths that end like this wait. */
  private readonly held = new Map<string, PromiseWithResolvers<void>>();

  hold(end: string): () => void {
    const gate = Promise.withResolvers<void>();
    this.held.set(end, gate);
    return gate.resolve;
  }

  async request({ path }: ApiCall): Promise<unknown> {
    this.asked.push(path);
    for (const [end, gate] of this.held) if (path.endsWith(end)) await gate.promise;
    const [, name = ''] = /\/(?:services|httproutes)\/(.+)$/.exec(path) ?? [];
    if (name !== '') return object(path.includes('/services/') ? 'Service' : 'HTTPRoute', name);
    const items = path.endsWith('/httproutes') ? [object('HTTPRoute', 'web')] : [];
    return { metadata: { resourceVersion: '5' }, items };
  }

  watch({ signal }: ApiCall): Promise<void> {
    return new Promise((resolve) => signal?.addEventListener('abort', () => resolve()));
  }

  reads(end: string): number {
    return this.asked.filter((path) => path.endsWith(end)).length;
  }
}

const watchesOf = (api: Api): TrafficWatches =>
  new TrafficWatches({ api, clock, logger: silent, wake: () => undefined, isEnabled: true });
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the objects of the traffic of a release', () => {
  it('are all known when the first list of the route comes while they are read', async () => {
    const api = new Server();
    const [list, route] = [api.hold('/httproutes'), api.hold('/httproutes/web')];
    const watches = watchesOf(api);
    const read = watches.read(KEY, ASK);
    // The Services are read, and the route is not.
    await soon();
    list();
    await soon();
    route();
    const { base, legs } = await read;
    assert.deepEqual(
      [base, legs.canary, legs.stable].map((service) => service?.metadata.name),
      ['web', 'web-canary', 'web-stable'],
    );
    assert.equal(api.reads('/services/web'), 2);
    await watches.closeAll();
  });

  const route = object('HTTPRoute', 'web');
  const patched = object('HTTPRoute', 'web', '6');
  /** All objects are known, and the watches have begun. */
  const known = async (): Promise<{ api: Server; watches: TrafficWatches; before: number }> => {
    const api = new Server();
    const watches = watchesOf(api);
    await watches.read(KEY, ASK);
    await soon();
    await watches.read(KEY, ASK);
    return { api, watches, before: api.asked.length };
  };

  it('are known from the answer after a patch, and read after a creation', async () => {
    const { api, watches, before } = await known();
    const leg = object('Service', 'web-canary');
    watches.wrote(
      KEY,
      [
        { kind: 'Patch', why: 'route', resource: HTTP_ROUTES, before: route, patch: [] },
        { kind: 'Create', why: 'service', resource: SERVICES, object: leg },
      ],
      () => patched,
    );
    assert.equal((await watches.read(KEY, ASK)).route?.metadata.resourceVersion, '6');
    assert.deepEqual(api.asked.slice(before), ['/api/v1/namespaces/default/services/web-canary']);
    await watches.closeAll();
  });

  it('are read after a refused write, also one that another write of the same decision came before', async () => {
    const { api, watches, before } = await known();
    watches.forget(KEY);
    watches.wrote(
      KEY,
      [{ kind: 'Patch', why: 'route', resource: HTTP_ROUTES, before: route, patch: [] }],
      () => patched,
    );
    await watches.read(KEY, ASK);
    assert.equal(api.asked.length - before, 4, 'nothing is taken from the write');
    await watches.closeAll();
  });
});
