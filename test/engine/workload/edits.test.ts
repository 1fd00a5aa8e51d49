// The part of an edit that all workload kinds read in the same way.
import assert from 'node:assert/strict';
import { managedFieldsOf } from '../../../src/engine/workload/edits.ts';
import { deployment } from '../build.ts';

describe('the managed fields of an edit', () => {
  const of = (managedFields: string) => deployment({ metadata: { managedFields } as never });

  it('are those of the objects', () => {
    const { old, next } = managedFieldsOf({ next: of('next') }, of('old'));
    assert.deepEqual([old(), next], ['old', 'next']);
    assert.equal(managedFieldsOf({ next: of('next') }).old(), undefined);
  });

  it('come from beside the objects where these were parsed without them, those before only on demand', () => {
    let read = 0;
    const beside = { old: () => ++read, next: () => 'beside' };
    const { old, next } = managedFieldsOf({ next: of('cut'), managedFields: beside }, of('cut'));
    assert.deepEqual([next, read, old()], ['beside', 0, 1]);
  });
});
