// What a page gets that comes back: only what it has missed, or everything if that is not known.
import assert from 'node:assert/strict';
import { Journal } from '../../../src/cli/dashboard/journal.ts';

const row = (key: string, value = 0): { key: string; value: number } => ({ key, value });

describe('the journal of the overview', () => {
  it('knows what has changed and what is gone since an id', () => {
    const journal = new Journal<{ key: string; value: number }>('boot');
    const start = journal.id;
    journal.replace([row('a'), row('b'), row('c')]);
    const first = journal.id;
    journal.replace([row('a'), row('b', 1)]);
    assert.deepEqual(journal.since(first), { changed: [row('b', 1)], gone: ['c'] });
    assert.deepEqual(journal.since(start), { changed: [row('a'), row('b', 1)], gone: ['c'] });
    assert.deepEqual(journal.since(journal.id), { changed: [], gone: [] });
    // What came back is not gone.
    journal.replace([row('a'), row('b', 1), row('c', 2)]);
    assert.deepEqual(journal.since(first), { changed: [row('b', 1), row('c', 2)], gone: [] });
  });

  it('keeps its id as long as nothing changes', () => {
    const journal = new Journal('boot');
    assert.equal(journal.replace([{ key: 'a' }]), true);
    const { id } = journal;
    assert.equal(journal.replace([{ key: 'a' }]), false);
    assert.equal(journal.id, id);
  });

  it('does not know ids of another server, of the future, or without sense', () => {
    const journal = new Journal('boot');
    journal.replace([{ key: 'a' }]);
    for (const id of ['other.1', 'boot.2', 'boot', 'boot.', 'boot.x', 'boot.-1', ''])
      assert.equal(journal.since(id), undefined, id);
  });

  it('forgets old deletions, and then sends everything', () => {
    const journal = new Journal('boot');
    journal.replace(Array.from({ length: 1500 }, (_, i) => ({ key: `${i}` })));
    const before = journal.id;
    journal.replace(Array.from({ length: 1400 }, (_, i) => ({ key: `${i}` })));
    const middle = journal.id;
    journal.replace([]);
    assert.equal(journal.since(before), undefined);
    assert.equal(journal.since(middle), undefined);
    assert.deepEqual(journal.since(journal.id), { changed: [], gone: [] });
  });
});
