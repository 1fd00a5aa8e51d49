// Watches: where they begin, what selectors make of changes, bookmarks, and how they end.
import assert from 'node:assert/strict';
import { CONFIG_MAPS, configMap, TestCluster, told } from './support.ts';

describe('A watch', () => {
  it('without a resourceVersion, or from 0, begins with the existing objects', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a'));
    const unset = await api.watch(`${CONFIG_MAPS}?watch=true`);
    const zero = await api.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=0`);
    await api.merge(`${CONFIG_MAPS}/a`, { data: { k: '2' } });
    await api.delete(`${CONFIG_MAPS}/a`);
    for (const { events } of [unset, zero]) assert.deepEqual(told(events), ['ADDED a', 'MODIFIED a', 'DELETED a']);
  });

  it('from a resourceVersion sends the changes since then, and continues', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a'));
    const { body } = await api.get(CONFIG_MAPS);
    await api.post(CONFIG_MAPS, configMap('b'));
    const { events } = await api.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${body.metadata.resourceVersion}`);
    await api.delete(`${CONFIG_MAPS}/a`);
    assert.deepEqual(told(events), ['ADDED b', 'DELETED a']);
  });

  it('does not receive other namespaces and kinds', async () => {
    const api = new TestCluster();
    const { events } = await api.watch(`${CONFIG_MAPS}?watch=1`);
    await api.post('/api/v1/namespaces/kube-public/configmaps', configMap('a'));
    await api.post('/api/v1/namespaces/default/secrets', { metadata: { name: 's' } });
    assert.deepEqual(events, []);
  });

  it('from a forgotten resourceVersion ends with an ERROR of 410', async () => {
    const api = new TestCluster();
    const old = api.cluster.store.revision;
    await api.post(CONFIG_MAPS, configMap('a'));
    api.cluster.store.compact();
    const { events, ended } = await api.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${old}`);
    assert.equal(ended(), true);
    assert.equal(events.length, 1);
    assert.equal(events[0]!.type, 'ERROR');
    const { code, reason, message } = events[0]!.object;
    assert.deepEqual([code, reason], [410, 'Expired']);
    assert.match(message, /^too old resource version: \d+ \(\d+\)$/);
  });

  it('with a selector reports objects that start or stop to match', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a'));
    const { events } = await api.watch(`${CONFIG_MAPS}?watch=1&labelSelector=on%3Dyes`);
    await api.merge(`${CONFIG_MAPS}/a`, { metadata: { labels: { on: 'yes' } } });
    await api.merge(`${CONFIG_MAPS}/a`, { data: { k: '2' } });
    await api.merge(`${CONFIG_MAPS}/a`, { metadata: { labels: { on: 'no' } } });
    await api.merge(`${CONFIG_MAPS}/a`, { data: { k: '3' } });
    assert.deepEqual(told(events), ['ADDED a', 'MODIFIED a', 'DELETED a']);
    const left = events[2]!.object;
    assert.equal(left.metadata.labels!.on, 'yes');
    assert.ok(Number(left.metadata.resourceVersion) > Number(events[1]!.object.metadata.resourceVersion));
  });

  it('ends after timeoutSeconds', async () => {
    const api = new TestCluster();
    const { ended } = await api.watch(`${CONFIG_MAPS}?watch=1&timeoutSeconds=30`);
    await api.clock.run(29_000);
    assert.equal(ended(), false);
    await api.clock.run(2_000);
    assert.equal(ended(), true);
  });

  it('sends bookmarks every minute and before its end, on request', async () => {
    const api = new TestCluster();
    const wanting = await api.watch(`${CONFIG_MAPS}?watch=1&allowWatchBookmarks=true&timeoutSeconds=100`);
    const other = await api.watch(`${CONFIG_MAPS}?watch=1&timeoutSeconds=100`);
    await api.post('/api/v1/namespaces/default/secrets', { metadata: { name: 's' } });
    await api.clock.run(99_000);
    assert.deepEqual(told(wanting.events), ['BOOKMARK', 'BOOKMARK']);
    assert.deepEqual(wanting.events[0]!.object, {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(api.cluster.store.revision) },
    });
    assert.deepEqual(other.events, []);
  });

  it('with sendInitialEvents marks the end of the existing objects', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a'));
    const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const { events } = await api.watch(`${CONFIG_MAPS}?${query}`);
    assert.deepEqual(told(events), ['ADDED a', 'BOOKMARK']);
    assert.deepEqual(events[1]!.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
    const { status, body } = await api.get(`${CONFIG_MAPS}?watch=1&sendInitialEvents=true`);
    assert.equal(status, 422);
    assert.match(body.message, /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/);
  });

  it('receives nothing after it is stopped', async () => {
    const api = new TestCluster();
    const { events, stop } = await api.watch(`${CONFIG_MAPS}?watch=1`);
    stop();
    await api.post(CONFIG_MAPS, configMap('a'));
    assert.deepEqual(events, []);
  });
});
