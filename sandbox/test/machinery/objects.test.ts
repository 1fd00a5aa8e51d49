// Copying and comparing JSON values, with sharing of unchanged parts.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonical, clone, freeze, same, share } from '../../src/core/objects.ts';

const json = (): fc.Arbitrary<unknown> => fc.jsonValue({ maxDepth: 4 }).map((value) => value as unknown);

describe('Values', () => {
  it('are cloned equal and apart', () => {
    fc.assert(
      fc.property(json(), (value) => {
        const copy = clone(value);
        assert.deepEqual(copy, value);
        assert.ok(same(copy, value));
        if (typeof value === 'object' && value !== null) assert.notEqual(copy, value);
      }),
    );
  });

  it('are shared with the old value where they are unchanged', () => {
    const old = freeze({ spec: { list: [{ a: 1 }, { b: 2 }] }, status: { x: 1 } });
    const copy = clone({ ...old, status: { x: 2 } }, old);
    assert.equal(copy.spec, old.spec);
    assert.notEqual(copy.status, old.status);
    assert.ok(!Object.isFrozen(copy.status));
  });

  it('lose fields that are undefined when they are cloned', () => {
    assert.deepEqual(Object.keys(clone({ a: undefined, b: 1 })), ['b']);
  });

  it('share every equal part with the old value, and are the old value when nothing differs', () => {
    fc.assert(
      fc.property(json(), json(), (a, b) => {
        const old = freeze({ kept: clone(a), other: 1 });
        assert.equal(share(old, { kept: clone(a), other: 1 }), old);
        const next = share(old, { kept: clone(a), other: clone(b) });
        assert.deepEqual(next, { kept: a, other: b });
        assert.equal(next.kept, old.kept);
      }),
    );
  });

  it('do not share an object with a missing field', () => {
    const old = freeze({ a: 1, b: 2 });
    assert.deepEqual(share(old, { a: 1 }), { a: 1 });
  });

  it('print with their keys in order', () => {
    assert.equal(canonical({ b: [1, { d: null, c: 'x' }], a: true }), '{"a":true,"b":[1,{"c":"x","d":null}]}');
  });
});
