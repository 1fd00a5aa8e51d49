// The store: revisions, order, snapshots, and listeners.
import assert from 'node:assert/strict';
import { Store, type Change } from '../../src/core/store.ts';
import type { KubeObject } from '../../src/core/types.ts';

const THINGS = 'example.com/things';
const thing = (name: string, namespace = 'a', size = 1): KubeObject => ({
  apiVersion: 'example.com/v1',
  kind: 'Thing',
  metadata: { name, namespace },
  spec: { size },
});
const names = (objects: readonly KubeObject[] | undefined): string[] | undefined =>
  objects?.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);

describe('Store', () => {
  it('gives every change a revision of its own, across kinds', () => {
    const store = new Store();
    const first = store.commit(THINGS, undefined, thing('x'))!;
    const other = store.commit('example.com/others', undefined, thing('x'))!;
    const second = store.commit(THINGS, first, thing('x', 'a', 2))!;
    const revisions = [first, other, second].map(({ metadata }) => Number(metadata.resourceVersion));
    assert.deepEqual(revisions, [revisions[0]!, revisions[0]! + 1, revisions[0]! + 2]);
    assert.equal(store.revision, revisions[2]);
  });

  it('refuses to replace an object that has changed', () => {
    const store = new Store();
    const first = store.commit(THINGS, undefined, thing('x'))!;
    const second = store.commit(THINGS, first, thing('x', 'a', 2))!;
    assert.equal(store.commit(THINGS, first, thing('x', 'a', 3)), undefined);
    assert.equal(store.commit(THINGS, undefined, thing('x')), undefined);
    assert.equal(store.remove(THINGS, first), false);
    assert.equal(store.get(THINGS, 'a', 'x'), second);
  });

  it('freezes what it holds, down to the leaves', () => {
    const stored = new Store().commit(THINGS, undefined, thing('x'))!;
    assert.throws(() => {
      stored.spec.size = 5;
    }, TypeError);
    assert.throws(() => {
      stored.metadata.name = 'y';
    }, TypeError);
  });

  it('lists by namespace, then name', () => {
    const store = new Store();
    for (const [name, namespace] of [
      ['b', 'two'],
      ['z', 'one'],
      ['a', 'one'],
    ] as const)
      store.commit(THINGS, undefined, thing(name, namespace));
    assert.deepEqual(names(store.list(THINGS)), ['one/a', 'one/z', 'two/b']);
    assert.deepEqual(names(store.list(THINGS, 'two')), ['two/b']);
    assert.deepEqual(names(store.list('example.com/none')), []);
  });

  it('lists as it was at an earlier revision', () => {
    const store = new Store();
    const x = store.commit(THINGS, undefined, thing('x'))!;
    const y = store.commit(THINGS, undefined, thing('y'))!;
    const before = store.revision;
    store.commit(THINGS, x, thing('x', 'a', 9));
    store.remove(THINGS, y);
    store.commit(THINGS, undefined, thing('z'));
    assert.deepEqual(names(store.listAt(THINGS, undefined, before)), ['a/x', 'a/y']);
    assert.equal(store.listAt(THINGS, 'a', before)![0]!.spec.size, 1);
    assert.deepEqual(names(store.list(THINGS)), ['a/x', 'a/z']);
  });

  it('forgets history when it is compacted', () => {
    const store = new Store();
    store.commit(THINGS, undefined, thing('x'));
    const before = store.revision;
    store.commit(THINGS, undefined, thing('y'));
    assert.equal(store.changesSince(THINGS, before)!.length, 1);
    store.compact();
    assert.equal(store.changesSince(THINGS, before), undefined);
    assert.equal(store.listAt(THINGS, undefined, before), undefined);
    assert.deepEqual(store.changesSince(THINGS, store.revision), []);
  });

  it('drops changes beyond its window', () => {
    const store = new Store({ window: 3 });
    const start = store.revision;
    for (let i = 0; i < 7; i++) store.commit(THINGS, undefined, thing(`t${i}`));
    assert.equal(store.changesSince(THINGS, start), undefined);
    assert.equal(store.changesSince(THINGS, store.revision - 3)!.length, 3);
  });

  it('delivers changes within the commit, and a change by a listener after all listeners have received the first', () => {
    const store = new Store();
    const seen: string[] = [];
    const note =
      (who: string) =>
      ({ type, object, previous }: Change): void => {
        seen.push(`${who} ${type} ${object.metadata.name}${previous ? ' again' : ''}`);
      };
    store.subscribe(THINGS, (change) => {
      note('first')(change);
      if (change.object.metadata.name === 'x') store.commit(THINGS, undefined, thing('y'));
    });
    const stop = store.subscribe(THINGS, note('second'));
    store.commit(THINGS, undefined, thing('x'));
    assert.deepEqual(seen, ['first ADDED x', 'second ADDED x', 'first ADDED y', 'second ADDED y']);
    stop();
    store.commit(THINGS, store.get(THINGS, 'a', 'y'), thing('y', 'a', 2));
    assert.deepEqual(seen.slice(4), ['first MODIFIED y again']);
  });

  it('delivers a deletion with the last state and the revision of the deletion', () => {
    const store = new Store();
    const x = store.commit(THINGS, undefined, thing('x'))!;
    let last: Change | undefined;
    store.observe((change) => {
      last = change;
    });
    store.remove(THINGS, x, { ...x, spec: { size: 7 } });
    assert.equal(last!.type, 'DELETED');
    assert.equal(last!.object.spec.size, 7);
    assert.equal(last!.previous, x);
    assert.equal(last!.object.metadata.resourceVersion, String(store.revision));
  });
});
