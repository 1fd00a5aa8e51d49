import assert from 'node:assert/strict';
import { VirtualClock } from '@tranche/sandbox/clock';
import type { KubeObject } from '../../src/api/types.ts';
import { inNamespaces } from '../../src/kube/collection.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { FakeApi } from './fake-api.ts';

function setUp(...namespaces: string[]) {
  const clock = new VirtualClock(1);
  const apis = new Map<string | undefined, FakeApi>();
  const collection = inNamespaces<KubeObject>(namespaces, (namespace) => {
    const api = new FakeApi(clock);
    apis.set(namespace, api);
    return new Reflector({ api, clock, path: `/${namespace}`, indexes: { all: () => ['x'] } });
  });
  return { clock, apis, collection };
}

describe('the objects of some namespaces', () => {
  it('are one watch when there is no limit', () => {
    assert.deepEqual([...setUp().apis.keys()], [undefined]);
  });

  it('are complete when each namespace is, and say which is not', async () => {
    const { clock, apis, collection } = setUp('one', 'two');
    apis.get('two')!.failures.push(new Error('forbidden'));
    collection.start();
    await clock.run(10);
    assert.equal(collection.synced, false);
    assert.match(collection.problem!, /forbidden/);
    const synced = collection.whenSynced();
    await clock.run(5_000);
    assert.equal(await synced, true);
    assert.equal(collection.synced, true);
    await collection.stop();
  });

  it('are read and heard as one', async () => {
    const { clock, apis, collection } = setUp('one', 'two');
    const heard: string[] = [];
    collection.start();
    await clock.run(10);
    const end = collection.on(({ key }) => void heard.push(key));
    apis.get('one')!.put('a', { namespace: 'one' });
    apis.get('two')!.put('b', { namespace: 'two' });
    await clock.run(10);
    assert.deepEqual(heard.toSorted(), ['one/a', 'two/b']);
    assert.equal(collection.get('two/b')?.metadata.name, 'b');
    assert.equal(collection.get('two/a'), undefined);
    assert.equal(collection.get('three/a'), undefined);
    assert.equal(collection.by('all', 'x').length, 2);
    end();
    apis.get('two')!.put('c', { namespace: 'two' });
    await clock.run(10);
    assert.equal(heard.length, 2);
    await collection.stop();
  });

  it('are never complete when it is stopped before', async () => {
    const { collection } = setUp('one', 'two');
    await collection.stop();
    assert.equal(await collection.whenSynced(), false);
  });
});
