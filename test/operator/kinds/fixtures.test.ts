import assert from 'node:assert/strict';
import { KINDS } from '../../../src/engine/workload/registry.ts';
import { FIXTURES } from './fixtures.ts';

describe('the fixtures of worlds', () => {
  it('are there for every kind', () =>
    assert.deepEqual(
      FIXTURES.map(({ kind }) => kind),
      KINDS,
    ));
});
