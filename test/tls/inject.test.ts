import assert from 'node:assert/strict';
import { VirtualClock } from '@tranche/sandbox/clock';
import type { Api, ApiCall, WatchLine } from '../../src/kube/api.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { CaInjector, type Target } from '../../src/tls/inject.ts';

type Json = Record<string, unknown>;
interface Op {
  op: 'test' | 'replace';
  path: string;
  value: unknown;
}

/** A server with a handful of named objects, each watched by its name; applies the two JSON-patch operations there are. */
class ConfigServer implements Api {
  readonly objects = new Map<string, Json>();
  readonly patches: string[] = [];
  private readonly watches: { name: string; onLine: (line: WatchLine) => void }[] = [];
  private version = 0;
  /** Called before a patch is applied. */
  beforePatch: () => void = () => undefined;

  put(name: string, content: Json): void {
    this.version += 1;
    const type = this.objects.has(name) ? 'MODIFIED' : 'ADDED';
    const object = structuredClone({
      ...content,
      metadata: { name, uid: name, resourceVersion: String(this.version) },
    });
    this.objects.set(name, object);
    for (const watch of this.watches) if (watch.name === name) watch.onLine({ type, object });
  }

  async request(call: ApiCall): Promise<unknown> {
    await Promise.resolve();
    const named = call.query?.['fieldSelector']?.replace('metadata.name=', '');
    if (call.method === 'GET') {
      const object = this.objects.get(named!);
      return { metadata: { resourceVersion: String(this.version) }, items: object ? [object] : [] };
    }
    const name = call.path.split('/').at(-1)!;
    this.beforePatch();
    this.patches.push(name);
    const object = structuredClone(this.objects.get(name)!);
    for (const { op, path, value } of call.body as Op[]) {
      const steps = path.slice(1).split('/');
      const last = steps.pop()!;
      let parent: Json = object;
      for (const step of steps) parent = parent[step] as Json;
      if (op === 'replace') parent[last] = value;
      else if (JSON.stringify(parent[last]) !== JSON.stringify(value)) {
        throw new ApiError(422, { reason: 'Invalid', message: `test of ${path} failed` });
      }
    }
    this.put(name, object);
    return object;
  }

  watch(call: ApiCall, onLine: (line: WatchLine) => void): Promise<void> {
    this.watches.push({ name: call.query!['fieldSelector']!.replace('metadata.name=', ''), onLine });
    return new Promise((resolve) => call.signal!.addEventListener('abort', () => resolve()));
  }
}

const TARGETS: Target[] = [
  { kind: 'MutatingWebhookConfiguration', name: 'tranche' },
  { kind: 'CustomResourceDefinition', name: 'rollouts.rollouts.kruise.io' },
];
const service = { name: 'tranche-webhook', namespace: 'tranche-system', port: 443, path: '/mutate' };
const webhooks = (...configs: Json[]): Json => ({
  webhooks: configs.map((clientConfig, i) => ({ name: `w${i}.tranche.dev`, clientConfig })),
});
const crd = (clientConfig: Json): Json => ({
  spec: { versions: [{ schema: 'large' }], conversion: { strategy: 'Webhook', webhook: { clientConfig } } },
});

async function setUp(objects: { webhook: Json; crd: Json }, url?: string) {
  const clock = new VirtualClock(1);
  const server = new ConfigServer();
  server.put('tranche', objects.webhook);
  server.put('rollouts.rollouts.kruise.io', objects.crd);
  const injector = new CaInjector({ api: server, clock, targets: TARGETS, ...(url ? { url: new URL(url) } : {}) });
  injector.start();
  await clock.run(100);
  const configs = (): Json[] =>
    ((server.objects.get('tranche')!['webhooks'] ?? []) as { clientConfig: Json }[]).map(
      ({ clientConfig }) => clientConfig,
    );
  return { clock, server, injector, configs };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('the CA injector', () => {
  it('puts the CA into every webhook and the CRD, changes nothing else, and writes each once', async () => {
    const { clock, server, injector, configs } = await setUp({
      webhook: webhooks({ service }, { service, caBundle: 'b2xk' }),
      crd: crd({ service }),
    });
    assert.equal(injector.problem, 'MutatingWebhookConfiguration tranche does not have the current CA yet');
    assert.deepEqual(server.patches, []);
    injector.setCa('PEM');
    await clock.run(1_000);
    assert.deepEqual(configs(), [
      { service, caBundle: base64('PEM') },
      { service, caBundle: base64('PEM') },
    ]);
    assert.deepEqual(
      server.objects.get('rollouts.rollouts.kruise.io')!['spec'],
      crd({ service, caBundle: base64('PEM') })['spec'],
    );
    assert.equal(injector.problem, undefined);
    assert.deepEqual(server.patches.sort(), ['rollouts.rollouts.kruise.io', 'tranche']);
    await injector.stop();
  });

  it('puts it back when somebody takes it out, without polling', async () => {
    const { clock, server, injector, configs } = await setUp({ webhook: webhooks({ service }), crd: crd({ service }) });
    injector.setCa('PEM');
    await clock.run(1_000);
    const before = server.patches.length;
    server.put('tranche', webhooks({ service, caBundle: '' }));
    await clock.run(1);
    assert.deepEqual(configs(), [{ service, caBundle: base64('PEM') }]);
    assert.equal(server.patches.length, before + 1);
    await injector.stop();
  });

  it('follows a change of the CA', async () => {
    const { clock, injector, configs } = await setUp({ webhook: webhooks({ service }), crd: crd({ service }) });
    injector.setCa('PEM');
    await clock.run(1_000);
    injector.setCa('PEM and another');
    await clock.run(1_000);
    assert.equal(configs()[0]!['caBundle'], base64('PEM and another'));
    await injector.stop();
  });

  it('points URLs to where the program is, keeping their paths', async () => {
    const { clock, injector, configs } = await setUp(
      {
        webhook: webhooks({ url: 'https://10.0.0.1:9443/mutate' }),
        crd: crd({ url: 'https://10.0.0.1:9443/convert' }),
      },
      'https://127.0.0.1:9444',
    );
    injector.setCa('PEM');
    await clock.run(1_000);
    assert.deepEqual(configs(), [{ url: 'https://127.0.0.1:9444/mutate', caBundle: base64('PEM') }]);
    assert.equal(injector.problem, undefined);
    await injector.stop();
  });

  it('does not take webhooks away from a Service, nor from a URL, but says how to install the chart', async () => {
    const outside = await setUp({ webhook: webhooks({ service }), crd: crd({ service }) }, 'https://127.0.0.1:9443');
    outside.injector.setCa('PEM');
    await outside.clock.run(1_000);
    assert.deepEqual(outside.server.patches, []);
    assert.match(outside.injector.problem!, /install the chart with webhook.url=https:\/\/127.0.0.1:9443$/);
    await outside.injector.stop();

    const url = 'https://10.0.0.1:9443/mutate';
    const inside = await setUp({ webhook: webhooks({ url }), crd: crd({ url }) });
    inside.injector.setCa('PEM');
    await inside.clock.run(1_000);
    assert.deepEqual(inside.server.patches, []);
    assert.match(inside.injector.problem!, /install the chart without webhook.url$/);
    await inside.injector.stop();
  });

  it('does not overwrite a change that it has not seen', async () => {
    const { clock, server, injector, configs } = await setUp({ webhook: webhooks({ service }), crd: crd({ service }) });
    const moved = { ...service, name: 'moved' };
    let once = true;
    server.beforePatch = () => {
      if (once) server.put('tranche', webhooks({ service: moved }));
      once = false;
    };
    injector.setCa('PEM');
    await clock.run(5_000);
    assert.deepEqual(configs(), [{ service: moved, caBundle: base64('PEM') }]);
    await injector.stop();
  });

  it('does not write without end when another program insists on its own CA', async () => {
    const { clock, server, injector } = await setUp({ webhook: webhooks({ service }), crd: crd({ service }) });
    const other = new CaInjector({ api: server, clock, targets: [TARGETS[0]!] });
    other.start();
    other.setCa('another');
    injector.setCa('PEM');
    await clock.run(600_000);
    const writes = server.patches.filter((name) => name === 'tranche').length;
    assert.ok(writes > 20 && writes <= 2 * 10 * 11, `${writes} writes in ten minutes`);
    await other.stop();
    await clock.run(120_000);
    assert.equal(injector.problem, undefined);
    await injector.stop();
  });

  it('says that the chart is not installed, and goes to work as soon as it is', async () => {
    const { clock, server, injector, configs } = await setUp({ webhook: webhooks(), crd: crd({ service }) });
    injector.setCa('PEM');
    server.objects.delete('tranche');
    const later = new CaInjector({ api: server, clock, targets: [TARGETS[0]!] });
    later.start();
    later.setCa('PEM');
    await clock.run(1_000);
    assert.equal(later.problem, 'MutatingWebhookConfiguration tranche does not exist; install the chart');
    server.put('tranche', webhooks({ service }));
    await clock.run(1_000);
    assert.deepEqual(configs(), [{ service, caBundle: base64('PEM') }]);
    assert.equal(later.problem, undefined);
    await injector.stop();
    await later.stop();
  });
});
