import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { parseApply } from '../../src/apply/index.ts';
import { ApiError } from '../../src/core/types.ts';
import type { KubeObject, Schema, Status } from '../../src/core/types.ts';
import { resourceTypesOf } from '../../src/crd/index.ts';
import { definition, version } from '../crd/support.ts';
import { bytes, native } from '../schema/types.ts';
import { OneObject } from './support.ts';

const configMap = native('', 'v1', 'ConfigMap');
const deployment = native('apps', 'v1', 'Deployment');

const withImage = (image: string, more: object = {}): object => ({
  spec: {
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image }] } },
    ...more,
  },
});
const containers = (object: KubeObject): Record<string, unknown>[] => object['spec'].template.spec.containers;

async function refusal(attempt: Promise<unknown>): Promise<Status> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ApiError, String(error));
  return error.status;
}

describe('server-side apply', () => {
  it('creates, and owns what it names', async () => {
    const store = new OneObject(configMap);
    const object = await store.apply('one', { metadata: { name: 'x', labels: { a: 'b' } }, data: { k: 'v' } });
    assert.deepEqual(object['data'], { k: 'v' });
    assert.deepEqual(store.books, {
      'one/Apply': { 'f:data': { 'f:k': {} }, 'f:metadata': { 'f:labels': { 'f:a': {} } } },
    });
  });

  it('changes nothing when it is repeated, not even the time', async () => {
    const store = new OneObject(deployment);
    const first = await store.apply('one', withImage('i'));
    assert.deepEqual(await store.apply('one', withImage('i')), first);
  });

  it('does not change other fields', async () => {
    const store = new OneObject(deployment);
    await store.apply('one', withImage('i', { replicas: 3 }));
    const object = await store.apply('two', { metadata: { name: 'x', labels: { team: 't' } } });
    assert.equal(object['spec'].replicas, 3);
    assert.deepEqual(store.books['two/Apply'], { 'f:metadata': { 'f:labels': { 'f:team': {} } } });
  });

  it('refuses to take a field from another manager, with the field and the manager', async () => {
    const store = new OneObject(deployment);
    await store.apply('one', withImage('i', { replicas: 3 }));
    const status = await refusal(store.apply('two', { spec: { replicas: 4 } }));
    assert.deepEqual(
      [status.code, status.reason, status.message],
      [409, 'Conflict', 'Apply failed with 1 conflict: conflict with "one": .spec.replicas'],
    );
    assert.deepEqual(status.details, {
      causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.spec.replicas' }],
    });
  });

  it('lists conflicts by manager, updates with their version and subresource', async () => {
    const store = new OneObject(deployment);
    await store.apply('one', withImage('i', { replicas: 3 }));
    await store.update('edit', (object) => Object.assign(object['spec'], { paused: true }));
    await store.update('scaler', (object) => Object.assign(object['spec'], { replicas: 7 }), 'scale');
    const status = await refusal(store.apply('two', withImage('j', { replicas: 1, paused: false })));
    assert.equal(
      status.message,
      [
        'Apply failed with 3 conflicts: conflicts with "edit" using apps/v1:',
        '- .spec.paused',
        'conflicts with "one":',
        '- .spec.template.spec.containers[name="c"].image',
        'conflicts with "scaler" with subresource "scale" using apps/v1:',
        '- .spec.replicas',
      ].join('\n'),
    );
  });

  it('shares a field that two apply with the same value', async () => {
    const store = new OneObject(configMap);
    await store.apply('one', { data: { k: 'v' } });
    await store.apply('two', { data: { k: 'v' } });
    assert.deepEqual(Object.keys(store.books), ['two/Apply', 'one/Apply']);
    const object = await store.apply('one', {});
    assert.deepEqual(object['data'], { k: 'v' }, 'the other still wants it');
    assert.deepEqual((await store.apply('two', {}))['data'], undefined);
  });

  it('takes the field with force; the other manager loses it', async () => {
    const store = new OneObject(deployment);
    await store.apply('one', withImage('i', { replicas: 3 }));
    const object = await store.apply('two', { spec: { replicas: 4 } }, { force: true });
    assert.equal(object['spec'].replicas, 4);
    assert.ok(!JSON.stringify(store.books['one/Apply']).includes('f:replicas'));
    const left = await store.apply('one', withImage('i'));
    assert.equal(left['spec'].replicas, 4);
  });

  it('removes fields and items that it no longer applies, and only its own', async () => {
    const store = new OneObject(deployment);
    const env = (...names: string[]): object => ({
      spec: {
        ...(withImage('i') as { spec: object }).spec,
        template: {
          metadata: { labels: { a: 'b' } },
          spec: { containers: [{ name: 'c', image: 'i', env: names.map((name) => ({ name, value: '1' })) }] },
        },
      },
    });
    await store.apply('one', env('A', 'B'));
    await store.update(
      'other',
      (object) =>
        (containers(object)[0]!['env'] = [...(containers(object)[0]!['env'] as object[]), { name: 'C', value: '1' }]),
    );
    const object = await store.apply('one', env('B'));
    assert.deepEqual(
      (containers(object)[0]!['env'] as { name: string }[]).map(({ name }) => name),
      ['B', 'C'],
    );
  });

  it('orders a list like the configuration; items of others stay with their neighbours', async () => {
    const store = new OneObject(deployment);
    const pods = (...names: string[]): object => {
      const applied = withImage('i') as { spec: { template: { spec: { containers: object[] } } } };
      applied.spec.template.spec.containers = names.map((name) => ({ name, image: 'i' }));
      return applied;
    };
    await store.apply('one', pods('a', 'b'));
    await store.update('injector', (object) => containers(object).push({ name: 'z', image: 'i' }));
    const object = await store.apply('one', pods('new', 'b', 'a'));
    assert.deepEqual(
      containers(object).map(({ name }) => name),
      ['new', 'b', 'z', 'a'],
    );
  });

  it('owns atomic fields whole', async () => {
    const store = new OneObject(deployment);
    await store.apply('one', withImage('i'));
    const status = await refusal(store.apply('two', { spec: { selector: { matchLabels: { c: 'd' } } } }));
    assert.match(status.message!, /conflict with "one": \.spec\.selector$/);
  });

  it('knows ports by number and protocol, TCP where none is named', async () => {
    const store = new OneObject(native('', 'v1', 'Service'));
    await store.apply('one', { spec: { ports: [{ port: 53, protocol: 'UDP' }, { port: 53 }] } });
    assert.deepEqual(
      Object.keys((store.books['one/Apply'] as { 'f:spec': { 'f:ports': object } })['f:spec']['f:ports']),
      ['k:{"port":53,"protocol":"TCP"}', 'k:{"port":53,"protocol":"UDP"}'],
    );
  });

  for (const [what, applied, problem] of [
    ['a field that the kind does not have', { spec: { replicaz: 1 } }, '.spec.replicaz: field not declared in schema'],
    ['the wrong type', { spec: { replicas: 'x' } }, '.spec.replicas: expected numeric (int or float), got string'],
    [
      'an item twice',
      { spec: { template: { spec: { containers: [{ name: 'c' }, { name: 'c' }] } } } },
      '.spec.template.spec.containers: duplicate entries for key [name="c"]',
    ],
    [
      'an item without its key',
      { spec: { template: { spec: { containers: [{ image: 'i' }] } } } },
      '.spec.template.spec.containers: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn\'t have default values for any key fields)',
    ],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const status = await refusal(new OneObject(deployment).apply('one', applied));
      assert.deepEqual(
        [status.code, status.message],
        [500, `failed to create typed patch object (/x; apps/v1, Kind=Deployment): ${problem}`],
      );
    });
  }

  it('refuses another kind, and managedFields of its own', async () => {
    assert.equal(
      (await refusal(new OneObject(deployment).apply('one', { kind: 'Pod' }))).message,
      'invalid object type: apps/v1, Kind=Pod',
    );
    assert.equal(
      (await refusal(new OneObject(deployment).apply('one', { metadata: { name: 'x', managedFields: [] } }))).message,
      'metadata.managedFields must be nil',
    );
  });

  it('assigns fields from before the first apply to before-first-apply', async () => {
    const store = new OneObject(configMap);
    store.object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', uid: 'u' }, data: { old: '1' } };
    await store.apply('one', { data: { k: 'v' } });
    assert.deepEqual(store.books, {
      'one/Apply': { 'f:data': { 'f:k': {} } },
      'before-first-apply/Update': { 'f:data': { '.': {}, 'f:old': {} } },
    });
  });

  it('lets kubectl move from client-side apply without conflicts, and keeps its annotation up to date', async () => {
    const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
    const store = new OneObject(configMap);
    const lastApplied = JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x' },
      data: { k: 'v' },
    });
    await store.update('kubectl-client-side-apply', (object) =>
      Object.assign(object, { data: { k: 'v' }, metadata: { name: 'x', annotations: { [annotation]: lastApplied } } }),
    );
    assert.equal((await refusal(store.apply('someone', { data: { k: 'w' } }))).code, 409);
    const object = await store.apply('kubectl', { data: { k: 'w' } });
    assert.deepEqual(object['data'], { k: 'w' });
    assert.deepEqual(JSON.parse(object.metadata.annotations![annotation]!), {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x' },
      data: { k: 'w' },
    });
  });

  it('reads YAML, JSON being YAML', () => {
    assert.deepEqual(parseApply(bytes('kind: A\nmetadata: {name: b}\n'), 'Strict').applied, {
      kind: 'A',
      metadata: { name: 'b' },
    });
    assert.throws(
      () => parseApply(bytes('- a'), 'Ignore'),
      /error decoding patch: .*cannot unmarshal array into Go value of type map\[string\]interface \{\}/,
    );
    assert.throws(
      () => parseApply(bytes('a: ['), 'Ignore'),
      /error decoding patch: error converting YAML to JSON: yaml: line 1: /,
    );
  });

  it('refuses keys that come twice when strict, warns or ignores them else, the last counting', () => {
    const twice = bytes('spec:\n  a: 1\n  a: 2\n');
    const problem = 'error converting YAML to JSON: yaml: unmarshal errors:\n  line 3: key "a" already set in map';
    assert.throws(() => parseApply(twice, 'Strict'), { message: `error strict decoding patch: ${problem}` });
    assert.deepEqual(parseApply(twice, 'Warn'), { applied: { spec: { a: 2 } }, warnings: [problem] });
    assert.deepEqual(parseApply(twice, 'Ignore').warnings, []);
  });
});

describe('tracking of other writes', () => {
  it('assigns all written fields to the creator, except the common ones', async () => {
    const store = new OneObject(deployment);
    await store.update('creator', (object) => Object.assign(object, withImage('i')));
    assert.deepEqual(store.books['creator/Update'], {
      'f:spec': {
        'f:selector': {},
        'f:template': {
          'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
          'f:spec': {
            'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {}, 'f:resources': {} } },
          },
        },
      },
    });
  });

  it('moves a changed field and its time to the new manager', async () => {
    const store = new OneObject(configMap);
    await store.update('one', (object) => Object.assign(object, { data: { a: '1', b: '1' } }));
    const [before] = store.owners;
    await store.update('two', () => undefined);
    assert.deepEqual(store.owners, [before], 'no change, no entry');
    await store.update('two', (object) => Object.assign(object['data'] as object, { b: '2' }));
    assert.deepEqual(store.books, {
      'one/Update': { 'f:data': { '.': {}, 'f:a': {} } },
      'two/Update': { 'f:data': { 'f:b': {} } },
    });
    await store.update('two', (object) => delete object['data'].a);
    assert.deepEqual(store.books['one/Update'], { 'f:data': {} });
  });

  it('drops a manager without fields', async () => {
    const store = new OneObject(configMap);
    await store.update('one', (object) => Object.assign(object, { data: { a: '1' } }));
    await store.update('two', (object) => {
      delete object['data'];
      object['immutable'] = true;
    });
    assert.deepEqual(store.books, { 'two/Update': { 'f:immutable': {} } });
  });

  it('tracks the status separately', async () => {
    const store = new OneObject(deployment);
    await store.update('one', (object) => Object.assign(object, withImage('i')));
    await store.update('controller', (object) => Object.assign(object, { status: { replicas: 1 } }), 'status');
    assert.deepEqual(store.books['controller/Update/status'], { 'f:status': { 'f:replicas': {} } });
    await store.update('one', (object) => Object.assign(object['spec'], { replicas: 2 }));
    assert.ok(!('f:status' in (store.books['one/Update'] as object)));
  });

  it('resets the ownership on request', async () => {
    const store = new OneObject(configMap);
    await store.update('one', (object) => Object.assign(object, { data: { a: '1' } }));
    await store.update('one', (object) => (object.metadata.managedFields = []));
    assert.deepEqual(store.owners, []);
    await store.update('one', (object) => Object.assign(object['data'] as object, { b: '2' }));
    assert.deepEqual(store.owners, [], 'what is not tracked stays so');
  });

  it('keeps ten updaters; the oldest become one', async () => {
    const store = new OneObject(configMap);
    await store.update('m0', (object) => Object.assign(object, { data: { k0: '' } }));
    for (let i = 1; i < 13; i++)
      await store.update(`m${i}`, (object) => Object.assign(object['data'] as object, { [`k${i}`]: '' }));
    const names = store.owners.map(({ manager }) => manager);
    assert.equal(names.length, 10);
    assert.ok(names.includes('ancient-changes') && names.includes('m12') && !names.includes('m1'));
    const owned = JSON.stringify(store.books['ancient-changes/Update']);
    assert.ok(
      ['f:k0', 'f:k1', 'f:k2'].every((field) => owned.includes(field)),
      owned,
    );
  });
});

describe('custom resources in two versions', () => {
  const sized = (field: string): Schema => ({
    type: 'object',
    properties: { [field]: { type: 'integer' }, note: { type: 'string' } },
  });
  const rename = (object: KubeObject): KubeObject => {
    const { small, big, ...rest } = object['spec'] ?? {};
    const spec = object.apiVersion.endsWith('/v2')
      ? { ...rest, ...(small === undefined ? {} : { big: small }) }
      : { ...rest, ...(big === undefined ? {} : { small: big }) };
    return { ...object, spec };
  };
  const crd = definition([version('v1', sized('small')), version('v2', sized('big'), { storage: false })], {
    conversion: {
      strategy: 'Webhook',
      webhook: { clientConfig: { url: 'https://h/c' }, conversionReviewVersions: ['v1'] },
    },
  });
  const [v1, v2] = resourceTypesOf(crd, {
    uid: () => 'u',
    send: (_config, review) => {
      const { request } = review as { request: { desiredAPIVersion: string; objects: KubeObject[] } };
      const convertedObjects = request.objects.map((object) =>
        rename({ ...object, apiVersion: request.desiredAPIVersion }),
      );
      return Promise.resolve({
        kind: 'ConversionReview',
        apiVersion: 'apiextensions.k8s.io/v1',
        response: { uid: 'u', convertedObjects, result: { status: 'Success' } },
      });
    },
  });

  it('are owned in the version they were written in, and compared there', async () => {
    const store = new OneObject(v1!);
    await store.apply('one', { spec: { small: 1, note: 'n' } });
    const inV2 = new OneObject(v2!);
    inV2.object = rename({ ...store.object!, apiVersion: 'example.com/v2' });
    const status = await refusal(inV2.apply('two', { spec: { big: 2 } }));
    assert.equal(status.message, 'Apply failed with 1 conflict: conflict with "one": .spec.small');
    await inV2.apply('two', { spec: { big: 2 } }, { force: true });
    assert.deepEqual(
      inV2.owners.map(({ manager, apiVersion, fieldsV1 }) => [manager, apiVersion, fieldsV1]),
      [
        ['one', 'example.com/v1', { 'f:spec': { 'f:note': {} } }],
        ['two', 'example.com/v2', { 'f:spec': { 'f:big': {} } }],
      ],
    );
  });
});

describe('the laws of server-side apply', () => {
  const data = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('1', '2'), { noNullPrototype: true });

  it('one applier alone always gets exactly what it applies', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(data, { minLength: 1, maxLength: 5 }), async (configs) => {
        const store = new OneObject(configMap);
        for (const config of configs) {
          const object = await store.apply('one', Object.keys(config).length ? { data: config } : {});
          assert.deepEqual(object['data'] ?? {}, config);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('applying twice is the same as applying once, also with other writers', async () => {
    await fc.assert(
      fc.asyncProperty(data, data, data, async (first, second, third) => {
        const store = new OneObject(configMap);
        await store.apply('one', { data: first });
        await store.update('two', (object) => Object.assign(object, { data: { ...object['data'], ...second } }));
        const once = await store.apply('one', { data: third }, { force: true });
        assert.deepEqual(await store.apply('one', { data: third }, { force: true }), once);
      }),
      { numRuns: 50 },
    );
  });

  it('every field has an owner, and every owned field exists', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('one', 'two'), fc.boolean(), data), { minLength: 1, maxLength: 6 }),
        async (writes) => {
          const store = new OneObject(configMap);
          for (const [manager, applies, values] of writes) {
            if (applies) await store.apply(manager, { data: values }, { force: true });
            else await store.update(manager, (object) => Object.assign(object, { data: values }));
          }
          const owned = new Set(
            store.owners
              .flatMap(({ fieldsV1 }) => Object.keys((fieldsV1 as Record<string, object>)['f:data'] ?? {}))
              .filter((edge) => edge !== '.'),
          );
          const tracked = store.owners.length > 0 || Object.keys(store.object!['data'] ?? {}).length === 0;
          if (tracked)
            assert.deepEqual(
              [...owned].sort(),
              Object.keys(store.object!['data'] ?? {})
                .map((key) => `f:${key}`)
                .sort(),
            );
        },
      ),
      { numRuns: 50 },
    );
  });
});
