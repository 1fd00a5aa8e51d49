import assert from 'node:assert/strict';
import { VirtualClock } from '@tranche/sandbox/clock';
import { ApiError, NetworkError } from '../../src/kube/errors.ts';
import { silent } from '../../src/kube/log.ts';
import { Reflector, type Change, type Listing, type RestartReason } from '../../src/kube/reflector.ts';
import type { KubeObject } from '../../src/api/types.ts';
import { FakeApi, gone } from './fake-api.ts';

function setUp(options: { pageSize?: number } = {}) {
  const clock = new VirtualClock(1);
  const api = new FakeApi(clock);
  api.pageSize = options.pageSize ?? Infinity;
  const changes: string[] = [];
  const restarts: RestartReason[] = [];
  const drifts: number[] = [];
  const listings: Listing[] = [];
  const log: string[] = [];
  const logged = (level: string) => (message: string) => void log.push(`${level}: ${message}`);
  const logger = { ...silent, info: logged('info'), warn: logged('warn'), child: () => logger };
  const reflector = new Reflector<KubeObject>({
    api,
    clock,
    path: '/apis/apps/v1/deployments',
    labelSelector: 'enrolled=yes',
    indexes: { app: (object) => (object.metadata.labels?.['app'] ? [object.metadata.labels['app']] : []) },
    onRestart: (reason) => restarts.push(reason),
    onDrift: (objects) => drifts.push(objects),
    logger,
  });
  reflector.onListed((listing) => listings.push(listing));
  const note = (change: Change<KubeObject>): void => void changes.push(`${change.type} ${change.key}`);
  reflector.on(note);
  return { clock, api, reflector, changes, restarts, drifts, listings, log };
}

describe('a reflector', () => {
  it('lists page by page, then watches from there with the selector and bookmarks', async () => {
    const { clock, api, reflector, changes } = setUp({ pageSize: 2 });
    for (const name of ['a', 'b', 'c', 'd', 'e']) api.put(name);
    reflector.start();
    assert.equal(reflector.synced, false);
    await clock.run(10);
    assert.equal(reflector.synced, true);
    assert.equal(await reflector.whenSynced(), true);
    assert.equal(reflector.store.size, 5);
    assert.deepEqual(changes, ['added ns/a', 'added ns/b', 'added ns/c', 'added ns/d', 'added ns/e']);
    assert.equal(api.lists.length, 3);
    assert.equal(api.lists[2]!.query!['continue'], '4');
    const { query } = api.opened[0]!;
    assert.equal(query['labelSelector'], 'enrolled=yes');
    assert.equal(query['allowWatchBookmarks'], 'true');
    assert.equal(query['resourceVersion'], '105');
    assert.ok(Number(query['timeoutSeconds']) >= 240 && Number(query['timeoutSeconds']) < 480);
    await reflector.stop();
  });

  it('gives listed objects the kind that watched ones have, drops ballast, and freezes what it keeps', async () => {
    const { clock, api, reflector } = setUp();
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', keep: 'me' };
    api.put('a', { managedFields: [{ manager: 'kubectl' }], annotations });
    reflector.start();
    await clock.run(10);
    const object = reflector.get('ns/a')!;
    assert.equal(object.kind, 'Deployment');
    assert.equal(object.apiVersion, 'apps/v1');
    assert.deepEqual(object.metadata.annotations, { keep: 'me' });
    assert.equal('managedFields' in object.metadata, false);
    assert.throws(() => ((object.metadata.annotations as Record<string, string>)['x'] = 'y'), TypeError);
    await reflector.stop();
  });

  it('follows changes, tells each with what was before, and keeps its indexes', async () => {
    const { clock, api, reflector, changes } = setUp();
    reflector.start();
    await clock.run(10);
    const seen: Change<KubeObject>[] = [];
    reflector.on((change) => seen.push(change));
    api.put('a', { labels: { app: 'web' } });
    assert.deepEqual(
      reflector.by('app', 'web').map((object) => object.metadata.name),
      ['a'],
    );
    api.put('a', { labels: { app: 'api' } });
    assert.deepEqual(reflector.by('app', 'web'), []);
    api.remove('a');
    assert.deepEqual(reflector.by('app', 'api'), []);
    assert.deepEqual(changes, ['added ns/a', 'updated ns/a', 'deleted ns/a']);
    assert.deepEqual(seen[1]!.old!.metadata.labels, { app: 'web' });
    assert.deepEqual(seen[2]!.object.metadata.labels, { app: 'api' });
    await reflector.stop();
  });

  it('tells a late listener of all there is', async () => {
    const { clock, api, reflector } = setUp();
    api.put('a');
    reflector.start();
    await clock.run(10);
    const late: string[] = [];
    reflector.on((change) => late.push(`${change.type} ${change.key}`));
    assert.deepEqual(late, ['added ns/a']);
    await reflector.stop();
  });

  it('takes an event that comes twice as one', async () => {
    const { clock, api, reflector, changes } = setUp();
    reflector.start();
    await clock.run(10);
    const object = api.put('a');
    api.tell({ type: 'ADDED', object });
    api.tell({
      type: 'DELETED',
      object: { metadata: { name: 'never-there', namespace: 'ns', resourceVersion: '300' } },
    });
    assert.deepEqual(changes, ['added ns/a']);
    await reflector.stop();
  });

  it('goes on from where it was when the server ends the watch, without listing again', async () => {
    const { clock, api, reflector, restarts } = setUp();
    reflector.start();
    await clock.run(10);
    api.put('a');
    api.version = 150;
    api.bookmark();
    await clock.run(240_000 - 100_000);
    api.endWatches();
    await clock.run(10);
    assert.equal(api.opened.length, 2);
    assert.equal(api.opened[1]!.query['resourceVersion'], '150');
    assert.equal(api.lists.length, 1);
    assert.deepEqual(restarts, []);
    await reflector.stop();
  });

  it('goes on from where it was after a broken connection, waiting a little first', async () => {
    const { clock, api, reflector, restarts } = setUp();
    reflector.start();
    await clock.run(10);
    api.put('a');
    api.endWatches(new NetworkError('socket hang up', 'ECONNRESET'));
    await clock.run(0);
    assert.equal(api.opened.length, 1);
    await clock.run(1_000);
    assert.equal(api.opened.length, 2);
    assert.equal(api.opened[1]!.query['resourceVersion'], '101');
    assert.deepEqual(restarts, ['error']);
    await reflector.stop();
  });

  it('lists again at once when its place in the history is gone, and tells only what is different', async () => {
    for (const how of ['as a line', 'as an answer'] as const) {
      const { clock, api, reflector, changes, restarts } = setUp();
      api.put('a');
      api.put('b');
      reflector.start();
      await clock.run(10);
      changes.length = 0;
      const watches = api.watches.splice(0);
      api.put('a', { labels: { v: '2' } });
      api.remove('b');
      api.put('c');
      if (how === 'as a line') {
        watches[0]!.onLine({
          type: 'ERROR',
          object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' },
        });
        watches[0]!.resolve();
      } else watches[0]!.reject(gone());
      await clock.run(0);
      assert.deepEqual(changes, ['deleted ns/b', 'updated ns/a', 'added ns/c'], how);
      assert.deepEqual(restarts, ['gone']);
      assert.equal(reflector.synced, true);
      await reflector.stop();
    }
  });

  it('sees an object that was deleted and made again as two objects', async () => {
    const { clock, api, reflector, changes } = setUp();
    api.put('a');
    reflector.start();
    await clock.run(10);
    changes.length = 0;
    const watches = api.watches.splice(0);
    api.put('a', { uid: 'another' });
    watches[0]!.reject(gone());
    await clock.run(0);
    assert.deepEqual(changes, ['deleted ns/a', 'added ns/a']);
    await reflector.stop();
  });

  it('tries again after a list that failed, says why it is not synced, and waits as long as the server asks', async () => {
    const { clock, api, reflector } = setUp();
    api.failures.push(new ApiError(403, { code: 403, reason: 'Forbidden', message: 'deployments is forbidden' }));
    api.failures.push(new ApiError(429, { code: 429, message: 'too many requests' }, 7));
    api.put('a');
    reflector.start();
    await clock.run(0);
    assert.equal(reflector.problem, 'deployments is forbidden');
    await clock.run(1_000);
    assert.equal(api.lists.length, 2);
    await clock.run(6_300);
    assert.equal(api.lists.length, 2);
    await clock.run(1_000);
    assert.equal(reflector.synced, true);
    assert.equal(reflector.problem, undefined);
    await reflector.stop();
  });

  it('starts from the first page when a later one is gone', async () => {
    const { clock, api, reflector } = setUp({ pageSize: 1 });
    api.put('a');
    api.put('b');
    let expired = false;
    api.intercept = (call) => {
      if (!call.query?.['continue'] || expired) return undefined;
      expired = true;
      return Promise.reject(gone());
    };
    reflector.start();
    await clock.run(10);
    assert.equal(expired, true);
    assert.equal(reflector.store.size, 2);
    await reflector.stop();
  });

  it('waits longer and longer, up to ten seconds, while the server is away', async () => {
    const { clock, api, reflector } = setUp();
    api.failures.push(...Array.from({ length: 80 }, () => new NetworkError('connect ECONNREFUSED', 'ECONNREFUSED')));
    reflector.start();
    await clock.run(60_000);
    const first = api.lists.length;
    assert.ok(first >= 9 && first <= 14, `${first} tries in the first minute`);
    await clock.run(300_000);
    const later = api.lists.length - first;
    assert.ok(later >= 30 && later <= 60, `${later} tries in the next five minutes`);
    await reflector.stop();
  });

  it('waits longer, up to half a minute, while the server says that it cannot', async () => {
    const { clock, api, reflector } = setUp();
    api.failures.push(...Array.from({ length: 40 }, () => new ApiError(500, { message: 'etcd is away' })));
    reflector.start();
    await clock.run(360_000);
    assert.ok(api.lists.length >= 16 && api.lists.length <= 30, `${api.lists.length} tries in six minutes`);
    await reflector.stop();
  });

  it('lists at once when its place is gone as the server comes back, however often it had failed', async () => {
    const { clock, api, reflector } = setUp();
    reflector.start();
    await clock.run(100);
    const away = Array.from({ length: 6 }, () => new NetworkError('connect ECONNREFUSED', 'ECONNREFUSED'));
    api.failures.push(...away, new ApiError(410, { reason: 'Expired' }));
    api.endWatches(new NetworkError('socket hang up', 'ECONNRESET'));
    const { length } = api.lists;
    while (api.failures.length > 0) await clock.run(100);
    await clock.run(100);
    assert.equal(api.lists.length, length + 1);
    await reflector.stop();
  });

  it('does not open watches in a tight loop when the server ends each at once', async () => {
    const { clock, api, reflector, restarts } = setUp();
    const watch = api.watch.bind(api);
    api.watch = (call, onLine) => {
      const open = watch(call, onLine);
      api.endWatches();
      return open;
    };
    reflector.start();
    await clock.run(60_000);
    assert.ok(api.opened.length <= 10, `${api.opened.length} watches in a minute`);
    assert.ok(restarts.includes('short'));
    await reflector.stop();
  });

  it('opens the watch again when it has been silent for longer than bookmarks take', async () => {
    const { clock, api, reflector, restarts } = setUp();
    reflector.start();
    await clock.run(100_000);
    api.bookmark();
    await clock.run(100_000);
    assert.equal(api.opened.length, 1);
    await clock.run(60_000);
    assert.equal(api.opened.length, 2);
    assert.equal(api.watches.length, 1);
    assert.deepEqual(restarts, ['silent']);
    await reflector.stop();
  });

  it('finds every ten minutes, by listing the very version it is at, what no event ever told', async () => {
    const { clock, api, reflector, drifts } = setUp();
    api.put('a');
    api.put('b');
    reflector.start();
    await clock.run(10);
    api.dropEvents = 2;
    api.remove('a');
    api.put('b', { labels: { v: '2' } });
    // A watch that keeps talking, and ends when it was asked to.
    for (let minute = 0; minute < 12; minute++) {
      await clock.run(60_000);
      api.bookmark();
      if (minute % 4 === 3) api.endWatches();
    }
    await clock.run(10_000);
    api.endWatches();
    await clock.run(10_000);
    assert.deepEqual(drifts, [2]);
    assert.equal(reflector.get('ns/a'), undefined);
    assert.deepEqual(reflector.get('ns/b')!.metadata.labels, { v: '2' });
    assert.equal(api.lists.length, 2);
    assert.equal(api.lists[1]!.query!['resourceVersionMatch'], 'Exact');
    assert.equal(api.lists[1]!.query!['resourceVersion'], '104');
    await reflector.stop();
  });

  it('lists again when the server cannot tell how it was at that version', async () => {
    const { clock, api, reflector, drifts } = setUp();
    api.put('a');
    reflector.start();
    await clock.run(10);
    api.intercept = (call) =>
      call.query?.['resourceVersionMatch']
        ? Promise.reject(new ApiError(400, { reason: 'BadRequest', message: 'resourceVersionMatch is forbidden' }))
        : undefined;
    await clock.run(470_000);
    api.endWatches();
    await clock.run(140_000);
    api.endWatches();
    await clock.run(10_000);
    assert.deepEqual(drifts, []);
    assert.equal(api.calls.length - api.probes.length, 3);
    assert.equal(api.lists.length, 2);
    assert.equal(api.watches.length, 1);
    await reflector.stop();
  });

  describe('when the cluster was restored from a backup', () => {
    /** As it was at version 101, and then something of its own. */
    const restored = (api: FakeApi): void => {
      api.objects.clear();
      api.version = 100;
      api.put('a', { labels: { history: 'another' } });
      api.put('c');
    };

    for (const how of ['broken', 'ended in good order', 'silent'] as const) {
      it(`lists again before it watches on, after a watch that was ${how}, and tells every object`, async () => {
        const { clock, api, reflector, changes, restarts, listings } = setUp();
        api.put('a');
        api.put('b');
        reflector.start();
        await clock.run(10);
        // The same number as in the other history.
        api.version = 500;
        api.bookmark();
        changes.length = 0;
        const watches = api.watches.splice(0);
        restored(api);
        if (how === 'broken') watches[0]!.reject(new NetworkError('socket hang up', 'ECONNRESET'));
        else if (how === 'ended in good order') watches[0]!.resolve();
        await clock.run(how === 'silent' ? 151_000 : 1_000);
        assert.deepEqual(changes, ['deleted ns/b', 'updated ns/a', 'added ns/c']);
        assert.deepEqual(reflector.get('ns/a')!.metadata.labels, { history: 'another' });
        assert.equal(restarts.at(-1), 'back');
        assert.deepEqual(listings.at(-1), { version: '102', back: true });
        assert.equal(api.opened.at(-1)!.query['resourceVersion'], '102');
        assert.equal(reflector.synced, true);
        await reflector.stop();
      });
    }

    it('lists again at the first line that is older than one before it', async () => {
      const { clock, api, reflector, changes, restarts } = setUp();
      api.version = 500;
      api.put('a');
      reflector.start();
      await clock.run(10);
      changes.length = 0;
      restored(api);
      await clock.run(10);
      assert.deepEqual(changes, ['updated ns/a', 'added ns/c']);
      assert.deepEqual(restarts, ['back']);
      await reflector.stop();
    });

    it('is not sure of what it keeps until it was listed, and says so', async () => {
      const { clock, api, reflector, log } = setUp();
      api.version = 500;
      api.put('a');
      reflector.start();
      await clock.run(10);
      assert.equal(reflector.doubt, undefined);
      const away = new NetworkError('connect ECONNREFUSED', 'ECONNREFUSED');
      api.failures.push(away);
      api.endWatches(away);
      await clock.run(0);
      // It may be as it was: nobody is taken out of service for that.
      assert.equal(reflector.synced, true);
      assert.equal(reflector.doubt, 'connect ECONNREFUSED');
      while (api.probes.length < 1) await clock.run(100);
      api.version = 100;
      api.intercept = (call) => (call.query?.['limit'] === '500' ? Promise.reject(away) : undefined);
      while (reflector.synced) await clock.run(100);
      assert.match(reflector.problem!, /was restored from a backup|ECONNREFUSED/);
      assert.ok(log.includes('warn: the API server was restored from a backup; listing all objects again'), log.join());
      api.intercept = () => undefined;
      await clock.run(20_000);
      assert.equal(reflector.synced, true);
      assert.equal(reflector.doubt, undefined);
      await reflector.stop();
    });

    it('shares nothing with an object of the other history, whatever its generation says', async () => {
      const clock = new VirtualClock(1);
      const api = new FakeApi(clock);
      const before: (string | undefined)[] = [];
      const reflector = new Reflector<KubeObject>({
        api,
        clock,
        path: '/apis/apps/v1/deployments',
        transform: (object, kept) => (before.push(kept?.metadata.resourceVersion), object),
      });
      api.version = 500;
      api.put('a');
      reflector.start();
      await clock.run(10);
      restored(api);
      await clock.run(10);
      assert.deepEqual(before, [undefined, undefined, undefined]);
      await reflector.stop();
    });

    it('does not list in a tight loop where versions keep going back', async () => {
      const { clock, api, reflector } = setUp();
      api.put('a');
      const watch = api.watch.bind(api);
      api.watch = (call, onLine) => {
        const open = watch(call, onLine);
        onLine({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '1' } } });
        return open;
      };
      reflector.start();
      await clock.run(60_000);
      assert.ok(api.lists.length <= 12, `${api.lists.length} lists in a minute`);
      await reflector.stop();
    });

    it('does not ask where the server is after a watch that has ended at its time', async () => {
      const { clock, api, reflector } = setUp();
      reflector.start();
      await clock.run(10);
      const seconds = Number(api.opened[0]!.query['timeoutSeconds']);
      for (let second = 0; second < seconds; second += 10) {
        await clock.run(Math.min(10, seconds - second) * 1000);
        api.bookmark();
      }
      api.endWatches();
      await clock.run(10);
      assert.equal(api.opened.length, 2);
      assert.equal(api.probes.length, 0);
      await reflector.stop();
    });
  });

  describe('warns of what is not as usual', () => {
    it('and not of a server that asks to wait, as after an upgrade of a CRD, unless it does not end', async () => {
      const { clock, api, reflector, log } = setUp();
      const busy = new ApiError(429, { code: 429, message: 'storage is (re)initializing' }, 1);
      const ends = new NetworkError('socket hang up', 'ECONNRESET');
      api.failures.push(ends, ends, busy, busy, busy, busy, busy, busy);
      reflector.start();
      while (api.failures.length > 6) await clock.run(100);
      log.length = 0;
      while (api.failures.length > 1) await clock.run(100);
      assert.deepEqual([...new Set(log)], ['info: watch interrupted, retrying']);
      while (api.failures.length > 0) await clock.run(100);
      await clock.run(100);
      assert.equal(log.at(-1), 'warn: watch interrupted, retrying');
      await reflector.stop();
    });

    it('and not of a watch that has had no bookmark yet, but of one that has and falls silent', async () => {
      const { clock, api, reflector, log } = setUp();
      reflector.start();
      await clock.run(151_000);
      assert.deepEqual(log, ['info: watch was silent, reopening it']);
      api.bookmark();
      await clock.run(151_000);
      assert.equal(log.at(-1), 'warn: watch was silent, reopening it');
      await reflector.stop();
    });
  });

  it('goes on when one of its listeners throws', async () => {
    const { clock, api, reflector, changes } = setUp();
    reflector.start();
    await clock.run(10);
    const end = reflector.on(() => {
      throw new Error('a bug');
    });
    api.put('a');
    end();
    api.put('b');
    assert.deepEqual(changes, ['added ns/a', 'added ns/b']);
    assert.equal(api.watches.length, 1);
    await reflector.stop();
  });

  it('stops at any point: listing, watching, waiting', async () => {
    const listing = setUp();
    listing.api.intercept = (call) =>
      new Promise((_, reject) => call.signal!.addEventListener('abort', () => reject(new Error('AbortError'))));
    listing.reflector.start();
    const synced = listing.reflector.whenSynced();
    await listing.clock.run(10);
    await listing.reflector.stop();
    assert.equal(await synced, false);

    const watching = setUp();
    watching.reflector.start();
    await watching.clock.run(10);
    await watching.reflector.stop();
    assert.equal(watching.api.watches.length, 0);

    const waiting = setUp();
    waiting.api.failures.push(new Error('no'));
    waiting.reflector.start();
    await waiting.clock.run(10);
    await waiting.reflector.stop();
    await waiting.clock.run(60_000);
    assert.equal(waiting.api.lists.length, 1);
  });
});
