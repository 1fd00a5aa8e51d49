// Objects are parsed as they are but for metadata.managedFields, and nothing that looks like it is taken for it.
import assert from 'node:assert/strict';
import {
  managedFieldsOf,
  parseWithoutManagedFields,
  parseReviewWithoutManagedFields,
} from '../../src/kube/without-managed-fields.ts';

const parse = (value: unknown): unknown => parseWithoutManagedFields(Buffer.from(JSON.stringify(value)));
const managedFields = [
  { manager: 'k', operation: 'Update', fieldsV1: { 'f:spec': { 'k:{"a":"b\\""}': {}, 'v:"\\\\"': {} } } },
  { manager: '😀', fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
];
/** Brackets where the API server writes none, or in strings: the end of the list is not easily told, and all of it is parsed. */
const oddities: readonly object[][] = [
  [{ manager: '}],"' }, { manager: 'a' }],
  [{ manager: '}]},"' }, { manager: 'a' }],
  [{ fieldsV1: { 'k:{"a":"]}"}': {} } }],
  [{ fieldsV1: { list: [{ a: 1 }], b: {} } }, { manager: 'a' }],
  [{ fieldsV1: { deep: { list: [{ a: [{}], b: 1 }] }, spec: {} } }],
];

describe('parseWithoutManagedFields', () => {
  const rest = { labels: { app: 'wéb' }, annotations: { last: JSON.stringify({ metadata: { managedFields } }) } };
  const spec = { template: { metadata: { managedFields } } };
  const cases: readonly [what: string, given: unknown, expected: unknown][] = [
    ['an object', { metadata: { ...rest, managedFields }, spec }, { metadata: { ...rest, managedFields: [] }, spec }],
    [
      'an event of a watch',
      { type: 'ADDED', object: { metadata: { managedFields, z: 1 }, status: {} } },
      { type: 'ADDED', object: { metadata: { managedFields: [], z: 1 }, status: {} } },
    ],
    ['an object that has none', { metadata: rest, spec: {} }, { metadata: rest, spec: {} }],
    ['a template that has some', { metadata: rest, spec }, { metadata: rest, spec }],
    ['none in the list', { metadata: { managedFields: [] } }, { metadata: { managedFields: [] } }],
    ['null', { metadata: { managedFields: null } }, { metadata: { managedFields: null } }],
    ['a name that ends like it', { metadata: { 'a"managedFields': [1] } }, { metadata: { 'a"managedFields': [1] } }],
    ['something else', [1, 'a'], [1, 'a']],
  ];
  for (const odd of oddities) {
    const object = { metadata: { managedFields: odd, name: 'a' }, spec };
    it(`what is odd: ${JSON.stringify(odd)}`, () => assert.deepEqual(parse(object), object));
  }
  for (const [what, given, expected] of cases) it(what, () => assert.deepEqual(parse(given), expected));

  it('says what is no JSON, wherever it breaks off', () => {
    const text = Buffer.from(JSON.stringify({ metadata: { ...rest, managedFields }, spec }));
    for (let end = 0; end < text.length; end++)
      assert.throws(() => parseWithoutManagedFields(text.subarray(0, end)), SyntaxError);
  });
});

describe('parseReviewWithoutManagedFields', () => {
  const parseReview = (value: unknown): unknown => parseReviewWithoutManagedFields(JSON.stringify(value));
  const template = { metadata: { managedFields } };
  const full = { metadata: { name: 'web', managedFields }, spec: { template } };
  const lean = { metadata: { name: 'web', managedFields: [] }, spec: { template } };
  const without = { metadata: { name: 'web' }, spec: { template } };
  const odd = { metadata: { managedFields: oddities[0], name: 'web' }, spec: { template } };
  const pairs: readonly [what: string, given: unknown, expected: unknown][] = [
    ['all of it', full, lean],
    ['none', null, null],
    ['none of it that is owned', without, without],
    ['what is odd', odd, odd],
  ];
  for (const [whatNow, object, leanObject] of pairs) {
    for (const [whatBefore, oldObject, leanOld] of pairs) {
      it(`${whatNow} as object, ${whatBefore} as oldObject`, () => {
        const review = (object: unknown, oldObject: unknown): object => ({
          kind: 'AdmissionReview',
          request: { userInfo: { username: '"oldObject":{' }, object, oldObject, options: {} },
        });
        assert.deepEqual(parseReview(review(object, oldObject)), review(leanObject, leanOld));
        assert.deepEqual(
          parseReview(review(object, undefined)),
          JSON.parse(JSON.stringify(review(leanObject, undefined))),
        );
      });
    }
  }

  it('tells who asks for it what was left out of an object', () => {
    for (const [, object] of pairs)
      for (const [, oldObject] of pairs) {
        const { request } = parseReview({ request: { object, oldObject } }) as {
          request: { object: unknown; oldObject: unknown };
        };
        const of = (given: unknown): unknown =>
          (given as { metadata: { managedFields?: unknown } } | null)?.metadata.managedFields;
        assert.deepEqual(managedFieldsOf(request.object), of(object));
        assert.deepEqual(managedFieldsOf(request.oldObject), of(oldObject));
      }
    assert.equal(managedFieldsOf(undefined), undefined);
    assert.equal(managedFieldsOf('text'), undefined);
  });

  it('says what is no JSON, wherever it breaks off', () => {
    const text = JSON.stringify({ request: { object: full, oldObject: full } });
    for (let end = 0; end < text.length; end++)
      assert.throws(() => parseReviewWithoutManagedFields(text.slice(0, end)), SyntaxError);
  });
});
