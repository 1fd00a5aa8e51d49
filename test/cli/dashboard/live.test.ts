// The dashboard's watches, views and actions on an embedded cluster, without a browser: what it costs, and what it does when the cluster does not answer.
import assert from 'node:assert/strict';
import { Acts } from '../../../src/cli/dashboard/acts.ts';
import { Feed } from '../../../src/cli/dashboard/feed.ts';
import { Opened } from '../../../src/cli/dashboard/opened.ts';
import { readOnly } from '../../../src/cli/dashboard/read-only.ts';
import { connectCluster } from '../../../src/cli/cluster.ts';
import type { Api } from '../../../src/kube/api.ts';
import { createApi, type ApiClient } from '../../../src/kube/client.ts';
import { connect } from '../../../src/kube/connection.ts';
import { ApiError, NetworkError } from '../../../src/kube/errors.ts';
import { createCalendar } from '../../../src/schedule/calendar.ts';
import type { ActionName, ReleaseDetail } from '../../../src/view/dashboard/types.ts';
import { until } from '../../support/until.ts';
import { rollout, Stage, startPlayground, type Playground } from '../support.ts';

/** An API that writes down what is asked, and can be unplugged. */
class Wire {
  readonly requests: string[] = [];
  /** Paths of the watches that are open. */
  readonly watches = new Set<string>();
  private readonly inner: Api;
  private readonly cuts = new Set<AbortController>();
  private isCut = false;

  constructor(inner: Api) {
    this.inner = inner;
  }

  readonly api: Api = {
    request: (call) => {
      this.requests.push(`${call.method} ${call.path}${call.query?.['dryRun'] ? ' (dry run)' : ''}`);
      if (this.isCut) return Promise.reject(new NetworkError('connect ECONNREFUSED', 'ECONNREFUSED'));
      return this.inner.request(call);
    },
    watch: async (call, onLine) => {
      if (this.isCut) throw new NetworkError('connect ECONNREFUSED', 'ECONNREFUSED');
      const cut = new AbortController();
      const signal = AbortSignal.any([cut.signal, ...(call.signal ? [call.signal] : [])]);
      this.cuts.add(cut);
      this.watches.add(call.path);
      try {
        await this.inner.watch({ ...call, signal }, onLine);
        if (cut.signal.aborted) throw new NetworkError('socket hang up', 'ECONNRESET');
      } finally {
        this.cuts.delete(cut);
        this.watches.delete(call.path);
      }
    },
  };

  unplug(): void {
    this.isCut = true;
    for (const cut of this.cuts) cut.abort();
  }

  plug(): void {
    this.isCut = false;
  }
}

describe('the dashboard on a cluster', function () {
  let playground: Playground;
  let api: ApiClient;

  before(async () => {
    playground = await startPlayground();
    const connection = await connect({ type: 'kubeconfig', files: [playground.cluster.kubeconfig] });
    api = createApi({ connection, userAgent: 'test', fieldManager: 'kubectl-tranche' });
  });
  after(async () => {
    api.close();
    await playground.stop();
  });

  const feedOf = (one: Api, namespace: string | undefined): Feed =>
    new Feed({ api: one, namespace, readOnly: false, context: 'test', user: 'admin', boot: 'boot', now: Date.now });
  const calendar = createCalendar();
  const known = (feed: Feed): Promise<void> =>
    until(
      () => feed.overview !== undefined,
      () => JSON.stringify(feed.connection),
    );
  /** Opens a release, and waits until the page would show this. */
  const show = async (
    opened: Opened,
    key: string,
    condition: (detail: ReleaseDetail) => boolean,
  ): Promise<() => void> => {
    let last: ReleaseDetail | undefined;
    const close = opened.open(key, (detail) => (last = detail));
    await until(
      () => last !== undefined && condition(last),
      () => JSON.stringify(last),
    );
    return close;
  };
  const verdictOf = (detail: ReleaseDetail, name: ActionName) =>
    detail.actions.find((one) => one.name === name)?.verdict;

  it('has one watch per kind, and watches of Pods only while a release is open', async () => {
    await Stage.open(playground, 'watched');
    const wire = new Wire(api);
    const feed = feedOf(wire.api, undefined);
    const opened = new Opened({ feed, calendar, lingerMs: 50 });
    try {
      await known(feed);
      const base = [
        '/api/v1/namespaces',
        '/apis/apps/v1/deployments',
        '/apis/rollouts.kruise.io/v1beta1/rollouts',
        '/apis/tranche.dev/v1alpha1/releasepolicies',
      ];
      const paths = (): string => String([...wire.watches].toSorted());
      // No Rollout names a StatefulSet, so nobody asks for one.
      await until(() => paths() === String(base), paths);
      const close = await show(opened, 'watched/web', ({ batches }) => batches[0]?.dots.pods.length === 4);
      const children = ['/api/v1/namespaces/watched/pods', '/apis/apps/v1/namespaces/watched/replicasets'];
      await until(() => children.every((path) => wire.watches.has(path)), paths);
      close();
      await until(() => paths() === String(base), paths);
      assert.ok(wire.requests.every((request) => request.startsWith('GET ')));
    } finally {
      await opened.stop();
      await feed.stop();
    }
    assert.equal(wire.watches.size, 0);
  });

  it('says since when it is not live, and is live again by itself', async () => {
    const wire = new Wire(api);
    const feed = feedOf(wire.api, 'watched');
    try {
      await known(feed);
      await until(
        () => feed.connection.live,
        () => JSON.stringify(feed.connection),
      );
      const { since } = feed.connection;
      wire.unplug();
      await until(
        () => !feed.connection.live,
        () => JSON.stringify(feed.connection),
      );
      assert.match(feed.connection.why!, /the API server does not answer: .*(ECONNREFUSED|socket hang up)/);
      assert.ok(feed.connection.since >= since);
      assert.ok(feed.overview!.releases.length > 0);
      wire.plug();
      await until(
        () => feed.connection.live,
        () => JSON.stringify(feed.connection),
      );
    } finally {
      await feed.stop();
    }
  });

  it('says what to do about a missing right or a missing kind', async () => {
    for (const [code, namespace, expected] of [
      [403, undefined, /you may not list Rollouts in all namespaces: .* -n NAMESPACE/],
      [403, 'shop', /you may not list Rollouts in namespace "shop": ask for the ClusterRole view/],
      [404, undefined, /does not serve rollouts.kruise.io\/v1beta1: install the chart/],
    ] as const) {
      const refuse = (): Promise<never> => Promise.reject(new ApiError(code, { code, message: 'no' }));
      const feed = feedOf({ request: refuse, watch: refuse }, namespace);
      try {
        await until(
          () => expected.test(feed.connection.why ?? ''),
          () => JSON.stringify(feed.connection),
        );
        assert.equal(feed.connection.live, false);
      } finally {
        await feed.stop();
      }
    }
  });

  it('asks about each possible action once per state, with the writes that it sends after the click', async () => {
    const stage = await Stage.open(playground, 'asked', {
      rollout: rollout('asked', [{ replicas: 1 }, { replicas: '100%' }]),
    });
    await stage.release('web:v2');
    await stage.waits(1);
    const wire = new Wire(api);
    const io = { env: { KUBECONFIG: playground.cluster.kubeconfig }, err: () => undefined };
    const cluster = await connectCluster(io as never, { color: false }, '0');
    const asking = {
      ...cluster,
      send: (...asked: Parameters<typeof cluster.send>) => {
        const [{ method, resource, name, subresource }, dryRun] = asked;
        wire.requests.push(`${method} ${resource.plural}/${name}${subresource ? `/${subresource}` : ''} ${dryRun}`);
        return cluster.send(...asked);
      },
    };
    const feed = feedOf(wire.api, 'asked');
    const acts = new Acts(asking, Date.now);
    const opened = new Opened({ feed, calendar, ask: (...asked) => acts.ask(...asked) });
    const writes = (): string[] => wire.requests.filter((request) => !request.startsWith('GET '));
    try {
      await known(feed);
      const all = (detail: ReleaseDetail): boolean =>
        detail.actions.every(
          (one) => !one.possible || one.name === 'jump' || one.name === 'finish' || one.verdict?.allowed === true,
        );
      await show(opened, 'asked/web', (detail) => verdictOf(detail, 'approve')?.allowed === true && all(detail));
      assert.deepEqual(writes(), [
        'PATCH rollouts/web/status server',
        'PATCH rollouts/web server',
        'PATCH deployments/web server',
        'PATCH deployments/web server',
      ]);
      // Nothing has happened.
      assert.equal((await stage.rollout()).status?.canaryStatus?.currentStepState, 'StepPaused');

      // Questions that cost the webhooks a question of their own are asked by the dialogs only.
      const finish = await acts.check(
        { namespace: 'asked', rollout: 'web', ask: { name: 'finish', version: 'any' } },
        opened,
      );
      assert.deepEqual(finish, { allowed: true, warnings: [] });
      assert.equal(writes().length, 5);
      const release = opened.get('asked/web')!;
      const version = release.plan({ name: 'approve' })!.view.version;
      const body = { namespace: 'asked', rollout: 'web' };
      const old = await acts.act({ ...body, ask: { name: 'approve', version: 'old' } }, opened);
      assert.match(old.says, /the release has changed since you opened this dialog/);
      const abort = { name: 'abort' as const, version: release.plan({ name: 'abort' })!.view.version };
      for (const typed of [undefined, 'wep'])
        assert.match(
          (await acts.act({ ...body, ask: abort, ...(typed && { typed }) }, opened)).says,
          /type the name of the Rollout: web/,
        );
      const closed = await acts.act({ ...body, rollout: 'other', ask: { name: 'approve', version } }, opened);
      assert.match(closed.says, /not open: open it/);
      const impossible = release.plan({ name: 'resume' })!.view;
      assert.match(
        (await acts.act({ ...body, ask: { name: 'resume', version: impossible.version } }, opened)).says,
        /is not paused/,
      );
      assert.equal(writes().filter((write) => write.endsWith(' none')).length, 0);

      // Twice at the same time is once.
      const twice = await Promise.all(
        [1, 2].map(() => acts.act({ ...body, ask: { name: 'approve', version } }, opened)),
      );
      assert.deepEqual(
        twice.map(({ done }) => done),
        [true, false],
      );
      assert.match(twice[1]!.says, /another action for this Rollout is in progress/);
      await stage.ends('Completed');
      assert.deepEqual(
        writes().filter((write) => write.endsWith(' none')),
        ['PATCH rollouts/web/status none'],
      );
    } finally {
      await opened.stop();
      await feed.stop();
      cluster.api.close();
    }
  });

  it('cannot write with --read-only, even if a part of it asks for it', async () => {
    const { requests, api: inner } = new Wire(api);
    const reading = readOnly({ ...inner, close: () => undefined });
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
      await assert.rejects(reading.request({ method, path: '/api/v1/namespaces' }), /this dashboard is read-only/);
      await assert.rejects(
        reading.watch({ method, path: '/api/v1/namespaces' }, () => undefined),
        /read-only/,
      );
    }
    assert.deepEqual(requests, []);
    await reading.request({ method: 'GET', path: '/api/v1/namespaces' });
    assert.deepEqual(requests, ['GET /api/v1/namespaces']);
  });
});
