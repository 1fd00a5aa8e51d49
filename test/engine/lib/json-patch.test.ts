// Operations on a map of an object as it was received.
import assert from 'node:assert/strict';
import { patchMap, read, type PatchOp } from '../../../src/engine/lib/json-patch.ts';
import { rows } from '../build.ts';

describe('the operations that give a map its values', () => {
  type Row = readonly [what: string, received: unknown, values: Record<string, unknown>, ops: readonly PatchOp[]];
  const table: readonly Row[] = [
    ['are none where it has them', { a: 1 }, { a: 1 }, []],
    ['add a key', { b: 1 }, { a: 1 }, [{ op: 'add', path: '/m/a', value: 1 }]],
    ['replace a key', { a: 2 }, { a: 1 }, [{ op: 'replace', path: '/m/a', value: 1 }]],
    ['replace a key that is null', { a: null }, { a: 1 }, [{ op: 'replace', path: '/m/a', value: 1 }]],
    ['take a key off', { a: 2, b: 3 }, { a: null }, [{ op: 'remove', path: '/m/a' }]],
    ['take off a key that is null', { a: null }, { a: null }, [{ op: 'remove', path: '/m/a' }]],
    ['take no key off that is not there', { b: 3 }, { a: null }, []],
    ['add the map where it is missing', undefined, { a: 1, b: null }, [{ op: 'add', path: '/m', value: { a: 1 } }]],
    ['add the map where it is null', null, { a: 1 }, [{ op: 'add', path: '/m', value: { a: 1 } }]],
    ['add no map without values', undefined, { a: null, b: undefined }, []],
    ['write a key as a JSON pointer does', {}, { 'x/y~z': 1 }, [{ op: 'add', path: '/m/x~1y~0z', value: 1 }]],
    ['look at keys of its own only', {}, { toString: 'x' }, [{ op: 'add', path: '/m/toString', value: 'x' }]],
  ];
  rows(table, (received, values, ops) => assert.deepEqual(patchMap('/m', received, values), ops));

  it('read a key of its own only', () => {
    assert.deepEqual([read({ a: 1 }, 'a'), read({}, 'toString')], [1, undefined]);
  });
});
