// The pieces by themselves: both gateways route as the Gateway API says, and the client sees every request that fails. Routes are written by hand.
import assert from 'node:assert/strict';
import { CountingClient, GRPC_SERVICE, type ClientOptions } from './client/index.ts';
import { byVersion, failed, sayShare, select, shareOf } from './client/counts.ts';
import { deployment, grpcRoute, grpcRule, httpRoute, leg, manifest, service, type Leg } from './objects.ts';
import {
  checkNoneFailed,
  GATEWAY,
  NAMESPACE,
  next,
  outsideOrSkip,
  startFront,
  startPlain,
  untilSeen,
  usualLags,
  type Front,
  type Outside,
  type Plain,
} from './stage.ts';

const PER_SECOND = 100;
const NEW = 'v2';
const MARK = { 'x-user': 'tester' };
/** One for each kind of route: Traefik does not accept a route with a hostname that an older route of the other kind has. One without hostnames has all. */
const [HOST, GRPC_HOST] = ['web.example.com', 'grpc.example.com'];
const [OLD_LEG, NEW_LEG] = ['web-old', 'web-new'];

describe('Requests through a real gateway', function () {
  let outside: Outside;
  let cluster: Plain;
  let front: Front | undefined;
  let client: CountingClient | undefined;

  before(async function () {
    outside = await outsideOrSkip(this);
    cluster = await startPlain(outside);
    await apply(
      deployment({ name: 'old', image: 'web:v1', replicas: 3, labels: { app: 'web', track: 'old' } }),
      deployment({ name: 'new', image: `web:${NEW}`, replicas: 3, labels: { app: 'web', track: 'new' } }),
      service(OLD_LEG, { track: 'old' }),
      service(NEW_LEG, { track: 'new' }),
      service('web-empty', { track: 'nobody' }),
    );
    for (const name of ['old', 'new']) await kubectl('rollout', 'status', `deployment/${name}`);
  });
  afterEach(async () => {
    await client?.stop();
    client = undefined;
  });
  const stopFront = async (): Promise<void> => {
    await front?.stop();
    front = undefined;
  };
  after(() => cluster?.close());

  const kubectl = (...args: string[]): Promise<string> => cluster.client.kubectl([...args, '-n', NAMESPACE]);
  const apply = (...objects: object[]): Promise<string> =>
    cluster.client.kubectl(['apply', '-n', NAMESPACE, '-f', '-'], { input: manifest(...objects) });
  const legs = (old: number, fresh: number): Leg[] => [
    { name: OLD_LEG, weight: old },
    { name: NEW_LEG, weight: fresh },
  ];
  const routeTo = (...rules: object[]): Promise<string> =>
    apply(httpRoute({ gateways: [GATEWAY], hostnames: [HOST], rules }));
  const split = (old: number, fresh: number): Promise<string> => routeTo({ backendRefs: legs(old, fresh).map(leg) });
  const send = (options: Partial<ClientOptions> = {}): CountingClient =>
    (client = new CountingClient({ url: front!.url, host: HOST, perSecond: PER_SECOND, ...options }));
  const reaches = (version: string) =>
    untilSeen(client!, version, (answers) => (byVersion(answers)[version] ?? 0) === answers.length);

  for (const kind of ['envoy', 'traefik'] as const)
    describe(kind, () => {
      before(async () => {
        await split(100, 0);
        front = await startFront(kind, cluster, outside);
      });
      after(stopFront);

      it('do not fail from 0 % over 50 % to 100 %, while Pods come and go', async () => {
        send();
        await reaches('v1');
        const all = await next(client!, 100);
        assert.deepEqual(Object.keys(byVersion(all)), ['v1'], 'weight 0 gets nothing');
        await client!.stop();
        send();
        await split(50, 50);
        await untilSeen(client!, 'both', (answers) => Object.keys(byVersion(answers)).length === 2);
        await kubectl('rollout', 'restart', 'deployment/old');
        const half = await next(client!, 500);
        const { low, high } = shareOf(half, NEW);
        assert.ok(low <= 0.5 && 0.5 <= high, sayShare(shareOf(half, NEW)));
        await kubectl('rollout', 'status', 'deployment/old');
        await kubectl('scale', 'deployment/new', '--replicas=1');
        await split(0, 100);
        await reaches(NEW);
        await kubectl('scale', 'deployment/new', '--replicas=3');
        await kubectl('rollout', 'status', 'deployment/new');
        await next(client!, 100);
        await client!.stop();
        checkNoneFailed(client!.answers, front!);
        assert.equal(client!.skipped, 0);
      });

      it('of gRPC are split in the same way', async () => {
        const rules = [grpcRule(GRPC_SERVICE, legs(75, 25))];
        await apply(grpcRoute({ gateways: [GATEWAY], hostnames: [GRPC_HOST], rules }));
        send({ manners: ['grpc'], host: GRPC_HOST });
        await untilSeen(client!, 'both', (answers) => Object.keys(byVersion(answers)).length === 2);
        const part = await next(client!, 400);
        checkNoneFailed(part, front!);
        const { low, high } = shareOf(part, NEW);
        assert.ok(low <= 0.25 && 0.25 <= high, sayShare(shareOf(part, NEW)));
      });

      it('with a header go to one version only, with the other headers that a filter sets', async () => {
        const matches = [{ headers: [{ name: 'x-user', value: 'tester' }] }];
        const filters = [
          { type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'x-track', value: 'new' }] } },
        ];
        await routeTo(
          { matches, filters, backendRefs: [leg({ name: NEW_LEG })] },
          { backendRefs: [leg({ name: OLD_LEG })] },
        );
        send({ mark: MARK, echo: 'x-track' });
        await untilSeen(client!, 'both', (answers) => Object.keys(byVersion(answers)).length === 2);
        const part = await next(client!, 300);
        checkNoneFailed(part, front!);
        const found = (marked: boolean): readonly (readonly [string, string | undefined])[] =>
          select(part, { marked }).map(({ version, echoed }) => [version, echoed]);
        assert.ok(found(true).length > 0);
        for (const one of found(true)) assert.deepEqual(one, [NEW, 'new']);
        for (const one of found(false)) assert.deepEqual(one, ['v1', undefined]);
      });

      it('fail with 503 where a Service has no endpoint, and the client counts them', async () => {
        await routeTo({ backendRefs: [leg({ name: OLD_LEG }), leg({ name: 'web-empty' })] });
        send();
        await untilSeen(
          client!,
          'both',
          (answers) => failed(answers).length > 0 && byVersion(answers)['v1'] !== undefined,
        );
        const problems = failed(await next(client!, 200)).map(({ problem }) => problem);
        assert.ok(problems.length > 50, `${problems.length} of 200`);
        assert.deepEqual([...new Set(problems)], ['503']);
      });
    });

  describe('a late envoy', () => {
    afterEach(stopFront);

    it('go where it was told to send them, however long the route says something else', async () => {
      await split(100, 0);
      const lags = { ...usualLags(), routes: 3_600_000 };
      front = await startFront('envoy', cluster, outside, { lags });
      send();
      await reaches('v1');
      await split(0, 100);
      assert.deepEqual(Object.keys(byVersion(await next(client!, 200))), ['v1']);
    });

    it('fail with 500 where a route names a Service that it does not know yet', async () => {
      await split(100, 0);
      front = await startFront('envoy', cluster, outside, { lags: { ...usualLags(), services: 3_600_000 } });
      send();
      await reaches('v1');
      await apply(service('web-later', { track: 'new' }));
      await routeTo({ backendRefs: [leg({ name: OLD_LEG }), leg({ name: 'web-later' })] });
      await untilSeen(client!, 'failures', (answers) => failed(answers).length > 0);
      const problems = failed(await next(client!, 200)).map(({ problem }) => problem);
      assert.deepEqual([...new Set(problems)], ['500']);
    });

    it('fail when Pods are taken away that it still sends requests to', async () => {
      await split(0, 100);
      const lags = { ...usualLags(), endpoints: 3_600_000 };
      front = await startFront('envoy', cluster, outside, { lags });
      send();
      await reaches(NEW);
      await kubectl('scale', 'deployment/new', '--replicas=0');
      await untilSeen(client!, 'failures', (answers) => failed(answers).length === answers.length);
      await kubectl('scale', 'deployment/new', '--replicas=3');
    });
  });
});
