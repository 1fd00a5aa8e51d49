// Lists: selectors, pages over one snapshot, tables, and metadata only.
import assert from 'node:assert/strict';
import { humanDuration, readPath } from '../../src/core/table.ts';
import type { Column, KubeObject } from '../../src/core/types.ts';
import { CONFIG_MAPS, configMap, deployment, DEPLOYMENTS, pod, PODS, TestCluster, type Answer } from './support.ts';

const names = ({ body }: Pick<Answer, 'body'>): string[] =>
  (body.items as KubeObject[]).map((item) => item.metadata.name);

async function filled(): Promise<TestCluster> {
  const api = new TestCluster();
  for (const [i, name] of ['a', 'b', 'c', 'd', 'e'].entries()) {
    await api.post(CONFIG_MAPS, configMap(name, { labels: { odd: String(i % 2 === 1) } }));
  }
  return api;
}

describe('A list', () => {
  it('is of a namespace or of all, in order, and its items do not repeat their kind', async () => {
    const api = await filled();
    await api.post('/api/v1/namespaces/kube-public/configmaps', configMap('z'));
    const { body } = await api.get(CONFIG_MAPS);
    assert.equal(body.kind, 'ConfigMapList');
    assert.deepEqual(names({ body }), ['a', 'b', 'c', 'd', 'e']);
    assert.equal(body.items[0].kind, undefined);
    assert.equal(body.metadata.resourceVersion, String(api.cluster.store.revision));
    assert.deepEqual(names(await api.get('/api/v1/configmaps')).at(-1), 'z');
    assert.deepEqual((await api.get('/api/v1/namespaces/nowhere/configmaps')).body.items, []);
  });

  it('is narrowed by labels and fields', async () => {
    const api = await filled();
    assert.deepEqual(names(await api.get(`${CONFIG_MAPS}?labelSelector=odd%3Dtrue`)), ['b', 'd']);
    assert.deepEqual(names(await api.get(`${CONFIG_MAPS}?fieldSelector=metadata.name%21%3Db`)), ['a', 'c', 'd', 'e']);
    assert.deepEqual(
      names(await api.get(`${CONFIG_MAPS}?fieldSelector=metadata.name%3Db&labelSelector=odd%3Dfalse`)),
      [],
    );
    const unknown = await api.get(`${PODS}?fieldSelector=spec.image%3Dx`);
    assert.deepEqual([unknown.status, unknown.body.message], [400, 'field label not supported: spec.image']);
  });

  it('finds Pods by node, phase and host network', async () => {
    const api = new TestCluster();
    await api.post(PODS, pod('a'));
    await api.post(`${PODS}/a/binding`, { target: { name: 'n1' } });
    await api.post(PODS, pod('b'));
    assert.deepEqual(names(await api.get(`${PODS}?fieldSelector=spec.nodeName%3Dn1`)), ['a']);
    assert.deepEqual(names(await api.get(`${PODS}?fieldSelector=spec.nodeName%3D,status.phase%3DPending`)), ['b']);
    assert.deepEqual(names(await api.get(`${PODS}?fieldSelector=spec.hostNetwork%3Dfalse`)), ['a', 'b']);
  });

  it('has pages from one snapshot', async () => {
    const api = await filled();
    const first = await api.get(`${CONFIG_MAPS}?limit=2`);
    assert.deepEqual(names(first), ['a', 'b']);
    assert.equal(first.body.metadata.remainingItemCount, 3);
    await api.delete(`${CONFIG_MAPS}/c`);
    await api.post(CONFIG_MAPS, configMap('bb'));
    const token = first.body.metadata.continue as string;
    const second = await api.get(`${CONFIG_MAPS}?limit=2&continue=${token}`);
    assert.deepEqual(names(second), ['c', 'd']);
    assert.equal(second.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
    const third = await api.get(`${CONFIG_MAPS}?limit=2&continue=${second.body.metadata.continue}`);
    assert.deepEqual(names(third), ['e']);
    assert.equal(third.body.metadata.continue, undefined);
    assert.equal(third.body.metadata.remainingItemCount, undefined);
  });

  it('does not say how many are left when a selector hides some', async () => {
    const api = await filled();
    const { body } = await api.get(`${CONFIG_MAPS}?limit=1&labelSelector=odd`);
    assert.ok(body.metadata.continue);
    assert.equal(body.metadata.remainingItemCount, undefined);
  });

  it('cannot be continued after a compaction, but returns a token for the newest list', async () => {
    const api = await filled();
    const first = await api.get(`${CONFIG_MAPS}?limit=2`);
    await api.post(CONFIG_MAPS, configMap('z'));
    api.cluster.store.compact();
    const gone = await api.get(`${CONFIG_MAPS}?limit=2&continue=${first.body.metadata.continue}`);
    assert.equal(gone.status, 410);
    assert.equal(gone.body.reason, 'Expired');
    assert.match(
      gone.body.message,
      /^The provided continue parameter is too old to display a consistent list result\./,
    );
    const rest = await api.get(`${CONFIG_MAPS}?continue=${gone.body.metadata.continue}`);
    assert.deepEqual(names(rest), ['c', 'd', 'e', 'z']);
  });

  it('with an invalid token or resourceVersion is refused', async () => {
    const api = await filled();
    assert.equal((await api.get(`${CONFIG_MAPS}?continue=nonsense`)).status, 400);
    const version = await api.get(`${CONFIG_MAPS}?resourceVersion=abc`);
    assert.equal(version.status, 422);
    assert.match(
      version.body.message,
      /resourceVersion: Invalid value: "abc": strconv\.ParseUint: parsing "abc": invalid syntax/,
    );
    const future = await api.get(`${CONFIG_MAPS}?resourceVersion=999999`);
    assert.equal(future.status, 504);
    assert.match(future.body.message, /^Timeout: Too large resource version: 999999, current: \d+$/);
    const match = await api.get(`${CONFIG_MAPS}?resourceVersionMatch=Exact`);
    assert.match(match.body.message, /resourceVersionMatch is forbidden unless resourceVersion is provided/);
  });

  it('can have an exact resourceVersion', async () => {
    const api = await filled();
    const then = api.cluster.store.revision;
    await api.delete(`${CONFIG_MAPS}/a`);
    const { body } = await api.get(`${CONFIG_MAPS}?resourceVersion=${then}&resourceVersionMatch=Exact`);
    assert.deepEqual(names({ body }), ['a', 'b', 'c', 'd', 'e']);
    assert.equal(body.metadata.resourceVersion, String(then));
  });
});

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

describe('A table', () => {
  it('has the columns of kubectl, and metadata of each object', async () => {
    const api = new TestCluster();
    await api.post(DEPLOYMENTS, deployment('web', { replicas: 2 }));
    await api.merge(`${DEPLOYMENTS}/web/status`, {
      status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 },
    });
    await api.clock.run(200_000);
    const { body } = await api.get(DEPLOYMENTS, { accept: TABLE });
    assert.equal(body.kind, 'Table');
    assert.deepEqual(
      body.columnDefinitions.map(({ name, priority }: Column) => `${name}${priority ? ' (wide)' : ''}`),
      ['Name', 'Ready', 'Up-to-date', 'Available', 'Age', 'Containers (wide)', 'Images (wide)', 'Selector (wide)'],
    );
    assert.deepEqual(body.rows[0].cells, ['web', '1/2', 2, 1, '3m20s', 'main', 'nginx:1', 'app=web']);
    assert.equal(body.rows[0].object.kind, 'PartialObjectMetadata');
    assert.equal(body.rows[0].object.metadata.name, 'web');
  });

  it('has the objects, or nothing, when asked', async () => {
    const api = await filled();
    const whole = await api.get(`${CONFIG_MAPS}?includeObject=Object`, { accept: TABLE });
    assert.equal(whole.body.rows[0].object.kind, 'ConfigMap');
    const none = await api.get(`${CONFIG_MAPS}/a?includeObject=None`, { accept: TABLE });
    assert.deepEqual(
      none.body.rows.map(({ object }: { object: unknown }) => object),
      [null],
    );
  });

  it('shows why a Pod does not run', async () => {
    const api = new TestCluster();
    await api.post(PODS, pod('a'));
    const status = async (): Promise<string> =>
      (await api.get(`${PODS}/a`, { accept: TABLE })).body.rows[0].cells[2] as string;
    assert.equal(await status(), 'Pending');
    const waiting = { name: 'main', ready: false, restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } } };
    await api.merge(`${PODS}/a/status`, {
      status: { phase: 'Running', containerStatuses: [{ ...waiting, image: 'x', imageID: '' }] },
    });
    assert.equal(await status(), 'CrashLoopBackOff');
    await api.merge(`${PODS}/a`, { metadata: { finalizers: ['example.com/hold'] } });
    await api.delete(`${PODS}/a`);
    assert.equal(await status(), 'Terminating');
  });

  it('of a watch has headers in its first event only', async () => {
    const api = await filled();
    const { events } = await api.watch(`${CONFIG_MAPS}?watch=1`, { accept: TABLE });
    assert.equal(events.length, 5);
    assert.ok(Array.isArray(events[0]!.object.columnDefinitions));
    assert.equal(events[1]!.object.columnDefinitions, null);
    assert.equal(events[1]!.object.rows[0].cells[0], 'b');
  });
});

describe('Metadata only', () => {
  it('returns partial objects', async () => {
    const api = await filled();
    const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
    const { body } = await api.get(`${CONFIG_MAPS}?limit=1`, { accept });
    assert.equal(body.kind, 'PartialObjectMetadataList');
    assert.deepEqual(Object.keys(body.items[0]).sort(), ['apiVersion', 'kind', 'metadata']);
  });
});

describe('Ages', () => {
  const cases: [seconds: number, text: string][] = [
    [-5, '<invalid>'],
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [599, '9m59s'],
    [600, '10m'],
    [3 * 3600, '3h'],
    [7 * 3600 + 300, '7h5m'],
    [9 * 3600 + 300, '9h'],
    [50 * 3600, '2d2h'],
    [30 * 86400, '30d'],
    [3 * 365 * 86400 + 86400, '3y1d'],
  ];
  for (const [seconds, text] of cases) {
    it(`${seconds} s are ${text}`, () => assert.equal(humanDuration(seconds * 1000), text));
  }
});

describe('Paths of printer columns', () => {
  const object = {
    spec: {
      'a.b': 1,
      list: [
        { type: 'x', ok: 'no' },
        { type: 'Ready', ok: 'yes' },
      ],
    },
  };
  const cases: [path: string, value: unknown][] = [
    ['.spec.list[0].type', 'x'],
    [".spec['a.b']", 1],
    ['.spec.a\\.b', 1],
    ['.spec.list[?(@.type=="Ready")].ok', 'yes'],
    ['.spec.list[-1].type', 'Ready'],
    ['.spec.missing.deep', undefined],
    ['{.spec.list[*].ok}', 'no'],
  ];
  for (const [path, value] of cases) {
    it(`${path} is ${JSON.stringify(value) ?? 'nothing'}`, () => assert.equal(readPath(object, path), value));
  }
});
