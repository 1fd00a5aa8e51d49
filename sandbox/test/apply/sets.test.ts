import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { FieldSet, pathText } from '../../src/apply/set.ts';
import type { FieldsV1 } from '../../src/apply/set.ts';

const edge = fc.constantFrom('f:a', 'f:b', 'f:c', 'k:{"name":"x"}', 'v:"y"');
const path = fc.array(edge, { minLength: 1, maxLength: 3 });
const set = fc.array(path, { maxLength: 6 }).map((paths) => FieldSet.of(...paths));
const paths = (fields: FieldSet): string[] => [...fields.paths()].map((each) => each.join(' '));

describe('a set of fields', () => {
  it('is written as fieldsV1', () => {
    const fields = FieldSet.of(
      ['f:spec', 'f:replicas'],
      ['f:metadata', 'f:labels'],
      ['f:metadata', 'f:labels', 'f:app'],
    );
    assert.deepEqual(fields.toJSON(), {
      'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
      'f:spec': { 'f:replicas': {} },
    });
  });

  it('prints its paths in the format of conflicts', () => {
    assert.equal(
      pathText(['f:spec', 'f:ports', 'k:{"port":80,"protocol":"TCP"}', 'f:name']),
      '.spec.ports[port=80,protocol="TCP"].name',
    );
    assert.equal(pathText(['f:metadata', 'f:finalizers', 'v:"a/b"']), '.metadata.finalizers[="a/b"]');
  });

  it('survives being written and read', () => {
    fc.assert(
      fc.property(set, (fields) =>
        assert.deepEqual(paths(FieldSet.parse(JSON.parse(JSON.stringify(fields)) as FieldsV1)), paths(fields)),
      ),
    );
  });

  it('is the union of its intersection and its difference with another set', () => {
    fc.assert(
      fc.property(set, set, (a, b) => {
        assert.deepEqual(paths(a.intersection(b).union(a.difference(b))), paths(a));
        assert.ok(a.difference(b).intersection(b).empty);
        assert.deepEqual(paths(a.union(b)), paths(b.union(a)));
      }),
    );
  });

  it('loses all fields below a member of the other in a recursive difference', () => {
    const fields = FieldSet.of(['f:status', 'f:a'], ['f:spec', 'f:b']);
    assert.deepEqual(paths(fields.recursiveDifference(FieldSet.of(['f:status']))), ['f:spec f:b']);
    assert.deepEqual(paths(fields.difference(FieldSet.of(['f:status']))), ['f:spec f:b', 'f:status f:a']);
  });
});
