// Pods that serve: from the start of their containers to the end of their grace period, each at its own address.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { KubeObject } from '../../src/core/types.ts';
import { ask, isReady, PODS, ServingCluster, until } from './support.ts';

const MERGE = 'application/merge-patch+json';
/** The only loopback address of some systems. */
const hasOwnAddresses = process.platform === 'linux';

describe('a Pod that serves', function () {
  let cluster: ServingCluster;
  before(async () => {
    cluster = await ServingCluster.start();
  });
  after(() => cluster.close());

  it('answers at its own address with its name and version', async function () {
    if (!hasOwnAddresses) this.skip();
    await cluster.create('one', 'web:v1');
    await cluster.create('two', 'web:v2-errors-100');
    const [one, two] = [await cluster.ready('one'), await cluster.ready('two')];
    assert.match(one.status.podIP as string, /^127\./);
    assert.notEqual(one.status.podIP, two.status.podIP);
    assert.deepEqual(await ask(one), { code: 200, text: '{"pod":"one","version":"v1"}\n' });
    assert.deepEqual(await ask(two), { code: 500, text: '{"pod":"two","version":"v2-errors-100"}\n' });
    assert.equal((await ask(one, '/elsewhere?a=b')).code, 200);
    const { code, text } = await ask(one, '/metrics?all');
    assert.equal(code, 200);
    assert.match(text, /^http_requests_total\{code="200"\} 2$/m);
  });

  it('fails about the share of answers that its tag says', async function () {
    if (!hasOwnAddresses) this.skip();
    await cluster.create('some', 'web:errors-20');
    const pod = await cluster.ready('some');
    const codes = await Promise.all(Array.from({ length: 500 }, () => ask(pod).then(({ code }) => code)));
    const failed = codes.filter((code) => code === 500).length;
    // 6 standard deviations.
    assert.ok(failed > 46 && failed < 154, `${failed} of 500`);
    assert.match((await ask(pod, '/metrics')).text, new RegExp(`^http_requests_total\\{code="500"\\} ${failed}$`, 'm'));
  });

  it('answers after the time that its tag says', async function () {
    if (!hasOwnAddresses) this.skip();
    await cluster.create('late', 'web:delay-120');
    const pod = await cluster.ready('late');
    await ask(pod);
    const { text } = await ask(pod, '/metrics');
    assert.match(text, /^http_request_duration_seconds_bucket\{le="0.1"\} 0$/m);
    assert.match(text, /^http_request_duration_seconds_count 1$/m);
  });

  it('listens before it is Ready', async function () {
    if (!hasOwnAddresses) this.skip();
    const states: string[] = [];
    let first: Promise<{ code: number }> | undefined;
    const stop = cluster.sandbox.cluster.store.observe(({ object }) => {
      if (object.metadata.name !== 'early' || object.status?.phase !== 'Running') return;
      first ??= ask(object);
      states.push(isReady(object) ? 'Ready' : 'not Ready');
    });
    await cluster.create('early', 'web:1');
    await cluster.ready('early');
    stop();
    assert.deepEqual([...new Set(states)], ['not Ready', 'Ready']);
    assert.equal((await first)?.code, 200);
  });

  it('starts its counters anew when its container is killed', async function () {
    if (!hasOwnAddresses) this.skip();
    await cluster.create('killed', 'web:1');
    const pod = await cluster.ready('killed');
    await ask(pod);
    const metadata = { annotations: { 'sandbox.tranche.dev/oom': 'now' } };
    await cluster.client.request('PATCH', `${PODS}/killed`, { type: MERGE, body: { metadata } });
    await until(() => cluster.pod('killed')?.status.containerStatuses[0].restartCount === 1, 'it has restarted');
    await cluster.ready('killed');
    await ask(pod);
    assert.match((await ask(pod, '/metrics')).text, /^http_requests_total\{code="200"\} 1$/m);
  });

  it('says on the Pod that its tag cannot be followed', async () => {
    await cluster.create('wrong', 'web:v2-errors-200');
    await cluster.ready('wrong');
    const messages = (): unknown[] =>
      cluster.sandbox.cluster.store
        .list('/events', 'default')
        .filter(({ reason }) => reason === 'TagNotFollowed')
        .map(({ message }) => message as unknown);
    await until(() => messages().length > 0, 'an Event');
    assert.deepEqual(messages(), ['tag errors-200: write a whole number from 0 to 100']);
  });

  it('is an endpoint of its Service while it is Ready', async () => {
    await cluster.client.request('POST', '/api/v1/namespaces/default/services', {
      body: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'mine' },
        spec: { selector: { app: 'mine' }, ports: [{ port: 80, targetPort: 8080 }] },
      },
    });
    await cluster.create('mine', 'web:1');
    const { status } = await cluster.ready('mine');
    const metadata = { labels: { app: 'mine' } };
    await cluster.client.request('PATCH', `${PODS}/mine`, { type: MERGE, body: { metadata } });
    const endpoints = (): { addresses: string[]; conditions: object }[] =>
      (cluster.sandbox.cluster.store.list('discovery.k8s.io/endpointslices', 'default')[0]?.endpoints ??
        []) as ReturnType<typeof endpoints>;
    await until(() => endpoints().length === 1, 'an endpoint');
    assert.deepEqual(endpoints()[0]!.addresses, [status.podIP]);
    assert.deepEqual(endpoints()[0]!.conditions, { ready: true, serving: true, terminating: false });
    await cluster.client.request('DELETE', `${PODS}/mine`);
    await until(() => endpoints().length === 0, 'no endpoint');
  });
});

/** From the end of the hooks to the end of the containers. */
const STOP_MS = 300;

describe('the end of a Pod that serves', function () {
  let cluster: ServingCluster;
  before(async function () {
    if (!hasOwnAddresses) return this.skip();
    cluster = await ServingCluster.start({ controllers: { stopMs: STOP_MS } });
  });
  after(() => cluster?.close());

  const remove = (name: string, gracePeriodSeconds?: number): Promise<KubeObject> =>
    cluster.client.request('DELETE', `${PODS}/${name}`, {
      ...(gracePeriodSeconds === undefined
        ? {}
        : { body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds } }),
    });
  const isRefused = (pod: KubeObject): Promise<boolean> =>
    ask(pod, '/metrics').then(
      () => false,
      () => true,
    );

  it('comes after the answers to open requests', async () => {
    await cluster.create('busy', 'web:delay-1000');
    const pod = await cluster.ready('busy');
    const open = ask(pod);
    await remove('busy');
    await until(() => isRefused(pod), 'no new connections');
    assert.notEqual(cluster.pod('busy'), undefined, 'it waits for the answer');
    assert.equal((await open).code, 200);
    await until(() => cluster.pod('busy') === undefined, 'it is gone');
  });

  it('does not wait longer than the grace period', async () => {
    await cluster.create('stuck', 'web:delay-60000');
    const open = ask(await cluster.ready('stuck'));
    open.catch(() => undefined);
    await remove('stuck', 1);
    await until(() => cluster.pod('stuck') === undefined, 'it is gone');
    await assert.rejects(open);
  });

  it('comes after the preStop hook, and until then it answers new requests', async () => {
    await cluster.create('hooked', 'web:1', {}, { lifecycle: { preStop: { sleep: { seconds: 25 } } } });
    const pod = await cluster.ready('hooked');
    await remove('hooked');
    // Without the hook, it would be gone in half of this time.
    for (let i = 0; i < 30; i++) {
      assert.equal((await ask(pod)).code, 200);
      await new Promise((resolve) => setTimeout(resolve, (2 * STOP_MS) / 30));
    }
    assert.notEqual(cluster.pod('hooked')?.metadata.deletionTimestamp, undefined);
    await remove('hooked', 0);
    await until(() => isRefused(pod), 'it is gone');
  });

  it('is that of a killed process if it is deleted without grace', async () => {
    await cluster.create('forced', 'web:delay-60000');
    const pod = await cluster.ready('forced');
    const open = ask(pod);
    open.catch(() => undefined);
    await remove('forced', 0);
    await assert.rejects(open);
    assert.equal(await isRefused(pod), true);
  });
});

describe('addresses of Pods that serve', () => {
  it('are kept by a cluster that starts again with its data', async function () {
    if (!hasOwnAddresses) this.skip();
    const data = await mkdtemp(path.join(tmpdir(), 'sandbox-serving-'));
    try {
      let cluster = await ServingCluster.start({ data });
      await cluster.create('kept', 'web:1');
      const pod = await cluster.ready('kept');
      await cluster.close();
      await assert.rejects(ask(pod));
      cluster = await ServingCluster.start({ data });
      try {
        await until(
          () =>
            ask(pod).then(
              ({ code }) => code === 200,
              () => false,
            ),
          'it answers again',
        );
        await cluster.create('new', 'web:1');
        assert.notEqual((await cluster.ready('new')).status.podIP, pod.status.podIP);
      } finally {
        await cluster.close();
      }
    } finally {
      await rm(data, { recursive: true });
    }
  });

  it('are ports of 127.0.0.1, in an annotation, on a machine that has only this address', async () => {
    const said: string[] = [];
    const cluster = await ServingCluster.start({ ownAddresses: false, say: (text) => said.push(text) });
    try {
      for (const name of ['a', 'b']) await cluster.create(name, 'web:1');
      for (const name of ['a', 'b']) {
        const { metadata, status } = await cluster.ready(name);
        assert.equal(status.podIP, '127.0.0.1');
        const [, at] = /^8080=(127\.0\.0\.1:\d+)$/.exec(metadata.annotations?.['sandbox.tranche.dev/listens'] ?? '')!;
        assert.equal(((await (await fetch(`http://${at}/`)).json()) as { pod: string }).pod, name);
      }
      assert.equal(said.length, 1);
    } finally {
      await cluster.close();
    }
  });

  it('are in an annotation too if another program has the port', async function () {
    if (!hasOwnAddresses) this.skip();
    const other = createServer().listen(0, '0.0.0.0');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const cluster = await ServingCluster.start();
    try {
      await cluster.create('third', 'web:1', {}, { ports: [{ containerPort: port }] });
      const { metadata } = await cluster.ready('third');
      const [, at] = new RegExp(`^${port}=(127\\.0\\.0\\.1:\\d+)$`).exec(
        metadata.annotations?.['sandbox.tranche.dev/listens'] ?? '',
      )!;
      assert.equal((await fetch(`http://${at}/`)).status, 200);
    } finally {
      await cluster.close();
      other.close();
    }
  });

  it('are those of Pods that nobody serves, unless serving is switched on', async () => {
    const cluster = await ServingCluster.start({ serve: false });
    try {
      await cluster.create('quiet', 'web:1');
      assert.match((await cluster.ready('quiet')).status.podIP as string, /^10\.244\./);
    } finally {
      await cluster.close();
    }
  });
});
