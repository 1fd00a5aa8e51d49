// Objects are parsed as they are but for metadata.managedFields, and nothing that looks like it is taken for it.
import assert from 'node:assert/strict';
import { parseLean } from '../../src/kube/lean.ts';

const parse = (value: unknown): unknown => parseLean(Buffer.from(JSON.stringify(value)));
const managedFields = [
  {
    manager: 'k',
    operation: 'Update',
    fieldsV1: { 'f:spec': { 'k:{"a":"]}","b\\"":[1]}': {}, 'v:"\\\\"': {} } },
  },
  { manager: '😀' },
];

describe('parseLean', () => {
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
  for (const [what, given, expected] of cases) it(what, () => assert.deepEqual(parse(given), expected));

  it('says what is no JSON, wherever it breaks off', () => {
    const text = Buffer.from(JSON.stringify({ metadata: { ...rest, managedFields }, spec }));
    for (let end = 0; end < text.length; end++) assert.throws(() => parseLean(text.subarray(0, end)), SyntaxError);
  });
});
