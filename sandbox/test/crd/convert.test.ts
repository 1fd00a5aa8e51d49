import { strict as assert } from 'node:assert';
import { ApiError } from '../../src/core/types.ts';
import type { KubeObject, Schema } from '../../src/core/types.ts';
import { convertObjects, resourceTypesOf } from '../../src/crd/index.ts';
import type { DefinitionSpec, SendReview } from '../../src/crd/index.ts';
import { definition, gadget, version } from './support.ts';

const v2 = (name: string): KubeObject => ({
  ...gadget({ new: name }),
  apiVersion: 'example.com/v2',
  metadata: { name, uid: `uid-${name}` },
});
const spec = definition([version('v1', { type: 'object' }), version('v2', { type: 'object' }, { storage: false })], {
  conversion: {
    strategy: 'Webhook',
    webhook: { clientConfig: { url: 'https://h/c' }, conversionReviewVersions: ['v1'] },
  },
})['spec'] as DefinitionSpec;

interface Review {
  request: { uid: string; desiredAPIVersion: string; objects: KubeObject[] };
}

/** A webhook that answers with what `change` makes of each object. */
const webhook = (
  change: (object: KubeObject) => object,
  calls: Review[] = [],
): { send: SendReview; uid: () => string } => ({
  uid: () => 'u1',
  send: (_config, body) => {
    const { request } = body as Review;
    calls.push(body as Review);
    const convertedObjects = request.objects.map((object) =>
      change({ ...object, apiVersion: request.desiredAPIVersion }),
    );
    return Promise.resolve({
      kind: 'ConversionReview',
      apiVersion: 'apiextensions.k8s.io/v1',
      response: { uid: request.uid, convertedObjects, result: { status: 'Success' } },
    });
  },
});

async function failure(conversion: { send: SendReview; uid: () => string }, objects = [v2('a')]): Promise<string> {
  const error: unknown = await convertObjects(spec, objects, 'v1', conversion).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ApiError);
  assert.equal(error.status.code, 500);
  return error.message;
}

describe('conversion', () => {
  it('without a webhook changes the version only', async () => {
    const [object] = await convertObjects({ ...spec, conversion: { strategy: 'None' } }, [v2('a')], 'v1', undefined);
    assert.deepEqual(object, { ...v2('a'), apiVersion: 'example.com/v1' });
  });

  it('contains only the fields of the version’s schema', async () => {
    const field = (name: string): Schema => ({ type: 'object', properties: { [name]: { type: 'string' } } });
    const versions = [version('v1', field('old')), version('v2', field('new'), { storage: false })];
    const [v1] = resourceTypesOf(definition(versions));
    const stored = gadget({ old: 'o', new: 'n' });
    const [inV2] = await v1!.convert!([stored], 'v2');
    assert.deepEqual(
      [inV2!.apiVersion, inV2!['spec'], inV2!.metadata],
      ['example.com/v2', { new: 'n' }, stored.metadata],
    );
    assert.deepEqual(await v1!.convert!([stored], 'v1'), [stored]);
  });

  it('converts all objects in one call, and keeps the order', async () => {
    const calls: Review[] = [];
    const there = gadget({ old: 1 });
    const result = await convertObjects(
      spec,
      [v2('a'), there, v2('b')],
      'v1',
      webhook((object) => ({ ...object, spec: { converted: object.metadata.name } }), calls),
    );
    assert.deepEqual(
      result.map((object) => [object.apiVersion, object['spec']]),
      [
        ['example.com/v1', { converted: 'a' }],
        ['example.com/v1', { old: 1 }],
        ['example.com/v1', { converted: 'b' }],
      ],
    );
    assert.equal(calls.length, 1);
    assert.deepEqual(
      calls[0]!.request.objects.map(({ metadata }) => metadata.name),
      ['a', 'b'],
    );
  });

  it('sends no call if there is nothing to convert', async () => {
    const calls: Review[] = [];
    await convertObjects(
      spec,
      [gadget({})],
      'v1',
      webhook((object) => object, calls),
    );
    assert.equal(calls.length, 0);
  });

  it('lets the webhook change labels and annotations, and no other metadata', async () => {
    const [object] = await convertObjects(
      spec,
      [{ ...v2('a'), metadata: { name: 'a', uid: 'u', labels: { a: '1' }, finalizers: ['f'] } }],
      'v1',
      webhook((given) => ({
        ...given,
        metadata: { ...given.metadata, labels: { b: '2' }, annotations: { c: '3' }, finalizers: [] },
      })),
    );
    assert.deepEqual(object!.metadata, {
      name: 'a',
      uid: 'u',
      labels: { b: '2' },
      annotations: { c: '3' },
      finalizers: ['f'],
    });
  });

  const head = 'conversion webhook for example.com/v2, Kind=Gadget ';
  for (const [what, conversion, message] of [
    [
      'cannot be reached',
      {
        uid: () => 'u',
        send: () => Promise.reject(new Error('Post "https://h/c?timeout=30s": dial tcp: connect: connection refused')),
      },
      'failed: Post "https://h/c?timeout=30s": dial tcp: connect: connection refused',
    ],
    [
      'refuses',
      {
        uid: () => 'u1',
        send: () =>
          Promise.resolve({
            kind: 'ConversionReview',
            apiVersion: 'apiextensions.k8s.io/v1',
            response: { uid: 'u1', result: { status: 'Failure', message: 'no way' } },
          }),
      },
      'failed: no way',
    ],
    [
      'says nothing',
      {
        uid: () => 'u',
        send: () => Promise.resolve({ kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1' }),
      },
      'failed: no response provided',
    ],
    [
      'gives back another version',
      webhook((object) => ({ ...object, apiVersion: 'example.com/v3' })),
      'returned invalid converted object at index 0: invalid groupVersion (expected example.com/v1, received example.com/v3)',
    ],
    [
      'gives back another kind',
      webhook((object) => ({ ...object, kind: 'X' })),
      'returned invalid converted object at index 0: invalid kind (expected Gadget, received X)',
    ],
    [
      'gives back another object',
      webhook((object) => ({ ...object, metadata: { ...object.metadata, name: 'z' } })),
      'returned invalid object: must have the same name: a != z',
    ],
  ] as const) {
    it(`fails when the webhook ${what}`, async () => {
      assert.equal(await failure(conversion), head + message);
    });
  }

  it('fails if the webhook returns another uid', async () => {
    const send: SendReview = () =>
      Promise.resolve({
        kind: 'ConversionReview',
        apiVersion: 'apiextensions.k8s.io/v1',
        response: { uid: 'other', result: { status: 'Success' } },
      });
    assert.equal(
      await failure({ send, uid: () => 'mine' }),
      `${head}failed: expected response.uid="mine", got "other"`,
    );
  });

  it('fails when the webhook loses objects', async () => {
    const send: SendReview = () =>
      Promise.resolve({
        kind: 'ConversionReview',
        apiVersion: 'apiextensions.k8s.io/v1',
        response: { uid: 'u', convertedObjects: [], result: { status: 'Success' } },
      });
    assert.equal(await failure({ send, uid: () => 'u' }), `${head}returned 0 objects, expected 1`);
  });
});
