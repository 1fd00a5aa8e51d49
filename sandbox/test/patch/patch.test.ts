import { strict as assert } from 'node:assert';
import { ApiError } from '../../src/core/types.ts';
import type { KubeObject, Status } from '../../src/core/types.ts';
import {
  applyJsonPatch,
  applyMergePatch,
  applyPatch,
  applyStrategicMergePatch,
  PatchFailed,
} from '../../src/patch/index.ts';
import type { PatchType } from '../../src/patch/index.ts';
import { definitions, schemaFor } from '../../src/schema/index.ts';
import type { FieldValidation } from '../../src/schema/index.ts';
import { bytes, custom, native } from '../schema/types.ts';

type Values = Record<string, unknown>;

describe('a JSON patch', () => {
  const object = { a: { b: [1, 2] }, n: null as unknown, 'x/y': 1, '~': 2 };

  for (const [what, operations, result] of [
    [
      'adds to a list, also at its end',
      [
        { op: 'add', path: '/a/b/1', value: 9 },
        { op: 'add', path: '/a/b/-', value: 3 },
      ],
      { ...object, a: { b: [1, 9, 2, 3] } },
    ],
    [
      'escapes / and ~ in keys',
      [
        { op: 'replace', path: '/x~1y', value: 5 },
        { op: 'remove', path: '/~0' },
      ],
      { a: object.a, n: null, 'x/y': 5 },
    ],
    [
      'moves and copies',
      [
        { op: 'move', from: '/a/b', path: '/c' },
        { op: 'copy', from: '/c/0', path: '/d' },
      ],
      { ...object, a: {}, c: [1, 2], d: 1 },
    ],
    [
      'passes a test of equal objects whatever the order of keys',
      [{ op: 'test', path: '/a', value: { b: [1, 2] } }],
      object,
    ],
    ['passes a test for null where there is nothing', [{ op: 'test', path: '/missing', value: null }], object],
    ['replaces the whole', [{ op: 'replace', path: '', value: { z: 1 } }], { z: 1 }],
  ] as const) {
    it(what, () => {
      const before = structuredClone(object);
      assert.deepEqual(applyJsonPatch<object>(object, operations), result);
      assert.deepEqual(object, before, 'the original is left alone');
    });
  }

  for (const [what, operation] of [
    ['removing what is not there', { op: 'remove', path: '/missing' }],
    ['replacing what is not there', { op: 'replace', path: '/missing', value: 1 }],
    ['adding below what is not there', { op: 'add', path: '/missing/b', value: 1 }],
    ['adding below a number', { op: 'add', path: '/x~1y/b', value: 1 }],
    ['an index beyond the end', { op: 'add', path: '/a/b/3', value: 1 }],
    ['a test that does not hold', { op: 'test', path: '/a/b/0', value: 2 }],
    ['an unknown operation', { op: 'improve', path: '/a', value: 2 }],
    ['a path without a slash', { op: 'remove', path: 'a' }],
  ] as const) {
    it(`fails for ${what}`, () => {
      assert.throws(() => applyJsonPatch<object>(object, [operation]), PatchFailed);
    });
  }
});

describe('a merge patch', () => {
  for (const [what, object, patch, result] of [
    [
      'merges objects and replaces lists',
      { a: { b: 1, c: [1] } },
      { a: { c: [2], d: 3 } },
      { a: { b: 1, c: [2], d: 3 } },
    ],
    ['deletes with null', { a: { b: 1, c: 2 } }, { a: { b: null } }, { a: { c: 2 } }],
    ['has nothing to delete in what it adds', {}, { a: { b: null, c: 1 } }, { a: { c: 1 } }],
    ['puts an object where there was none', { a: 1 }, { a: { b: 2 } }, { a: { b: 2 } }],
    ['puts a value where an object was', { a: { b: 1 } }, { a: 'x' }, { a: 'x' }],
  ] as const) {
    it(what, () => {
      const before = structuredClone(object);
      assert.deepEqual(applyMergePatch<object>(object, patch), result);
      assert.deepEqual(object, before);
    });
  }
});

describe('a strategic merge patch', () => {
  const podSpec = (spec: Values, patch: Values): unknown =>
    (
      applyStrategicMergePatch(
        { spec: { template: { spec } } },
        { spec: { template: { spec: patch } } },
        schemaFor('apps', 'v1', 'Deployment'),
        definitions,
      ) as { spec: { template: { spec: unknown } } }
    ).spec.template.spec;
  const c = (name: string, more: Values = {}): Values => ({ name, ...more });

  for (const [what, spec, patch, result] of [
    [
      'merges list maps by their key, new items before those it does not name',
      { containers: [c('a', { image: 'x' }), c('b')] },
      { containers: [c('new'), c('a', { image: 'y' })] },
      { containers: [c('new'), c('a', { image: 'y' }), c('b')] },
    ],
    [
      'merges two levels of list maps',
      {
        containers: [
          c('a', {
            env: [
              { name: 'V', value: '1' },
              { name: 'K', value: '1' },
            ],
          }),
        ],
      },
      { containers: [c('a', { env: [{ name: 'V', value: '2' }] })] },
      {
        containers: [
          c('a', {
            env: [
              { name: 'V', value: '2' },
              { name: 'K', value: '1' },
            ],
          }),
        ],
      },
    ],
    [
      'deletes an item with $patch',
      { containers: [c('a'), c('b')] },
      { containers: [{ $patch: 'delete', name: 'a' }] },
      { containers: [c('b')] },
    ],
    [
      'replaces a list with $patch',
      { containers: [c('a'), c('b')] },
      { containers: [{ $patch: 'replace' }, c('z')] },
      { containers: [c('z')] },
    ],
    [
      'empties a list with $patch alone',
      { containers: [c('a')] },
      { containers: [{ $patch: 'replace' }] },
      { containers: [] },
    ],
    [
      'replaces an object with $patch',
      { securityContext: { runAsUser: 1, runAsGroup: 1 } },
      { securityContext: { $patch: 'replace', runAsUser: 2 } },
      { securityContext: { runAsUser: 2 } },
    ],
    [
      'empties an object with $patch: delete',
      { securityContext: { runAsUser: 1 } },
      { securityContext: { $patch: 'delete' } },
      { securityContext: {} },
    ],
    [
      'orders with $setElementOrder, leaving others next to their neighbours',
      { containers: [c('a'), c('b'), c('server')] },
      { '$setElementOrder/containers': [c('b'), c('a')], containers: [c('b', { image: 'y' })] },
      { containers: [c('b', { image: 'y' }), c('a'), c('server')] },
    ],
    [
      'orders what it does not change',
      { containers: [c('a'), c('b')] },
      { '$setElementOrder/containers': [c('b'), c('a')] },
      { containers: [c('b'), c('a')] },
    ],
    [
      'keeps only what $retainKeys names: another kind of volume',
      { volumes: [c('v', { emptyDir: {} })] },
      { volumes: [{ $retainKeys: ['name', 'hostPath'], name: 'v', hostPath: { path: '/' } }] },
      { volumes: [c('v', { hostPath: { path: '/' } })] },
    ],
    [
      'replaces atomic lists',
      { tolerations: [{ key: 'a' }] },
      { tolerations: [{ key: 'b' }] },
      { tolerations: [{ key: 'b' }] },
    ],
    [
      'deletes with null, and ignores null where there is nothing',
      { nodeName: 'a' },
      { nodeName: null, hostname: null },
      {},
    ],
    [
      'drops directives in what it adds',
      {},
      { containers: [c('a'), { $patch: 'delete', name: 'b' }] },
      { containers: [c('a')] },
    ],
  ] as [string, Values, Values, Values][]) {
    it(what, () => {
      const before = structuredClone(spec);
      assert.deepEqual(podSpec(spec, patch), result);
      assert.deepEqual(spec, before);
    });
  }

  const metadata = (meta: Values, patch: Values): unknown =>
    applyStrategicMergePatch(
      { metadata: meta } as { metadata: Values },
      { metadata: patch },
      schemaFor('', 'v1', 'Pod'),
      definitions,
    ).metadata;

  it('treats finalizers as a set', () => {
    assert.deepEqual(metadata({ finalizers: ['a', 'b'] }, { finalizers: ['c', 'a'] }), { finalizers: ['c', 'a', 'b'] });
    assert.deepEqual(metadata({ finalizers: ['a', 'b'] }, { '$deleteFromPrimitiveList/finalizers': ['a'] }), {
      finalizers: ['b'],
    });
    assert.deepEqual(metadata({}, { '$deleteFromPrimitiveList/finalizers': ['a'] }), {});
    assert.deepEqual(
      metadata(
        { finalizers: ['x', 'y'] },
        { '$setElementOrder/finalizers': ['z', 'x'], '$deleteFromPrimitiveList/finalizers': ['y'], finalizers: ['z'] },
      ),
      { finalizers: ['z', 'x'] },
    );
  });

  it('replaces the selector of a disruption budget', () => {
    assert.deepEqual(
      applyStrategicMergePatch(
        { spec: { selector: { matchLabels: { a: '1' } } } },
        { spec: { selector: { matchLabels: { b: '1' } } } },
        schemaFor('policy', 'v1', 'PodDisruptionBudget'),
        definitions,
      ),
      { spec: { selector: { matchLabels: { b: '1' } } } },
    );
  });
});

describe('a patch request', () => {
  const deployment = native('apps', 'v1', 'Deployment');
  const live = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'a' },
    spec: {
      replicas: 1,
      selector: {},
      strategy: {},
      template: { metadata: {}, spec: { containers: [{ name: 'c', resources: {} }] } },
    },
    status: {},
  };
  const JSON_PATCH = 'application/json-patch+json';
  const MERGE = 'application/merge-patch+json';
  const STRATEGIC = 'application/strategic-merge-patch+json';

  const send = (
    patchType: PatchType,
    body: unknown,
    validation: FieldValidation = 'Warn',
    type = deployment,
    object: KubeObject = live,
  ) => applyPatch({ type, object, patchType, body: bytes(body), validation });
  const answer = (...args: Parameters<typeof send>): Status => {
    try {
      send(...args);
    } catch (error) {
      assert.ok(error instanceof ApiError);
      return error.status;
    }
    throw new assert.AssertionError({ message: 'the patch was accepted' });
  };

  it('warns about unknown and duplicate fields, and drops them', () => {
    const { object, warnings } = send(MERGE, '{"spec":{"replicas":2,"replicas":3,"nope":1}}');
    assert.deepEqual(warnings, ['duplicate field "spec.replicas"', 'unknown field "spec.nope"']);
    assert.deepEqual([object['spec'].replicas, 'nope' in object['spec']], [3, false]);
  });

  it('refuses them when strict, as an invalid patch', () => {
    const status = answer(STRATEGIC, { spec: { nope: 1 } }, 'Strict');
    assert.equal(status.code, 422);
    assert.equal(
      status.message,
      ' "" is invalid: patch: Invalid value: "map[spec:map[nope:1]]": strict decoding error: unknown field "spec.nope"',
    );
    assert.equal(status.details?.causes?.[0]?.field, 'patch');
  });

  it('refuses a result of the wrong type', () => {
    assert.equal(
      answer(STRATEGIC, { spec: { replicas: 'x' } }).message,
      ' "" is invalid: patch: Invalid value: "map[spec:map[replicas:x]]": unrecognized type: int32',
    );
    assert.match(
      answer(MERGE, { spec: { replicas: 'x' } }).message!,
      /^ "" is invalid: patch: Invalid value: ".*": json: cannot unmarshal string into Go struct field DeploymentSpec\.spec\.replicas of type int32$/,
    );
  });

  it('answers 422 without a reason if a JSON patch fails', () => {
    const status = answer(JSON_PATCH, [{ op: 'test', path: '/spec/replicas', value: 7 }]);
    assert.deepEqual(
      [status.code, status.reason, status.message, status.details],
      [422, 'Invalid', 'the server rejected our request due to an error in our request', {}],
    );
  });

  it('answers 400 for an invalid patch', () => {
    assert.equal(
      answer(JSON_PATCH, {}).message,
      'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    );
    assert.equal(
      answer(MERGE, []).message,
      'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}',
    );
    assert.equal(answer(MERGE, '{').message, 'error decoding patch: unexpected end of JSON input');
    assert.equal(answer(STRATEGIC, '{').message, 'unexpected end of JSON input');
  });

  it('answers 400 for invalid operations', () => {
    assert.equal(
      answer(JSON_PATCH, [{ op: 1, path: '/a' }]).message,
      'error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string',
    );
  });

  it('refuses strategic patches that contradict themselves', () => {
    const containers = (patch: Values): Values => ({ spec: { template: { spec: patch } } });
    assert.deepEqual(
      [answer(STRATEGIC, containers({ $retainKeys: ['x'], nodeName: 'y' }))].map(({ code, message }) => [
        code,
        message,
      ]),
      [[400, 'invalid patch format of retainKeys']],
    );
    assert.equal(
      answer(STRATEGIC, containers({ containers: [{ image: 'x' }] })).message,
      'map: map[image:x] does not contain declared merge key: name',
    );
    assert.match(
      answer(STRATEGIC, containers({ '$setElementOrder/containers': [{ name: 'c' }], containers: [{ name: 'd' }] }))
        .message!,
      /^The order in patch list:\n\[map\[name:d\]\]\n doesn't match \$setElementOrder list:/,
    );
  });

  it('prunes unknown fields of a custom resource', () => {
    const widget = custom({
      type: 'object',
      properties: { spec: { type: 'object', properties: { n: { type: 'integer' } } } },
    });
    const object = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'a' }, spec: { n: 1 } };
    const result = send(MERGE, { spec: { m: 2 } }, 'Warn', widget, object);
    assert.deepEqual([result.object['spec'], result.warnings], [{ n: 1 }, ['unknown field "spec.m"']]);
  });
});
