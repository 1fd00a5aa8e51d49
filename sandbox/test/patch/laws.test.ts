import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { applyJsonPatch, applyMergePatch, applyStrategicMergePatch } from '../../src/patch/index.ts';
import { definitions, schemaFor } from '../../src/schema/index.ts';

type Values = Record<string, unknown>;

const key = fc.constantFrom('a', 'b', 'c', 'd/e', 'f~g');
const scalar = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.boolean(), fc.constantFrom('', 'x', 'y'));
/** JSON without nulls, which a merge patch cannot say. */
const { object } = fc.letrec<{ object: Values; value: unknown }>((tie) => ({
  object: fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  value: fc.oneof({ depthSize: 'small' }, scalar, tie('object'), fc.array(scalar, { maxLength: 3 })),
}));

const isObject = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The merge patch from one object to another. */
function diff(from: Values, to: Values): Values {
  const patch: Values = {};
  for (const name of Object.keys(from)) if (!(name in to)) patch[name] = null;
  for (const [name, value] of Object.entries(to)) {
    const before = from[name];
    if (isObject(value) && isObject(before)) patch[name] = diff(before, value);
    else patch[name] = value;
  }
  return patch;
}

describe('the laws of patches', () => {
  it('a merge patch of a difference gives the target', () => {
    fc.assert(fc.property(object, object, (from, to) => assert.deepEqual(applyMergePatch(from, diff(from, to)), to)));
  });

  it('a merge patch applied twice is the same as once', () => {
    fc.assert(
      fc.property(object, object, (from, patch) => {
        const once = applyMergePatch(from, patch);
        assert.deepEqual(applyMergePatch(once, patch), once);
      }),
    );
  });

  it('an added field exists, and removing it restores the object', () => {
    fc.assert(
      fc.property(object, fc.constantFrom('new', 'n/w', 'n~w'), scalar, (from, name, value) => {
        const path = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
        const added = applyJsonPatch(from, [{ op: 'add', path, value }]);
        assert.equal(added[name], value);
        assert.deepEqual(
          applyJsonPatch(added, [
            { op: 'test', path, value },
            { op: 'remove', path },
          ]),
          from,
        );
      }),
    );
  });

  const env = fc.uniqueArray(
    fc.record({ name: fc.constantFrom('A', 'B', 'C', 'D', 'E'), value: fc.constantFrom('1', '2') }),
    { selector: (item) => item.name, maxLength: 5 },
  );
  const container = (list: Values[]): Values => ({ spec: { containers: [{ name: 'c', env: list }] } });
  const podSchema = schemaFor('', 'v1', 'Pod');

  it('a strategic patch of a list map has every patched item as patched, every other as it was, and none twice', () => {
    fc.assert(
      fc.property(env, env, (before, patch) => {
        const result = applyStrategicMergePatch(container(before), container(patch), podSchema, definitions);
        const list = (result as { spec: { containers: { env: { name: string; value: string }[] }[] } }).spec
          .containers[0]!.env;
        const wanted = new Map([...before, ...patch].map((item) => [item.name, item.value]));
        assert.deepEqual(new Map(list.map((item) => [item.name, item.value])), wanted);
        assert.equal(list.length, wanted.size);
      }),
    );
  });

  it('$setElementOrder with every name gives exactly that order', () => {
    fc.assert(
      fc.property(env, (before) => {
        const order = before.map(({ name }) => ({ name })).reverse();
        const patch = { spec: { containers: [{ name: 'c', '$setElementOrder/env': order }] } };
        const result = applyStrategicMergePatch(container(before), patch, podSchema, definitions);
        assert.deepEqual(result, container([...before].reverse()));
      }),
    );
  });
});
