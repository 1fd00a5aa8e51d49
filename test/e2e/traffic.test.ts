// Releases that route traffic, on the embedded cluster or the user's: what the route says in each step, edits of it meanwhile, and that the user's own route is
// there at the end to the letter. The controller of the gateway is a stand-in; requests are sent in test/data-plane.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { TRAFFIC } from '../../src/api/keys.ts';
import { SERVICES, TRAFFIC_ROUTINGS } from '../../src/api/resources.ts';
import { getObject } from '../../src/kube/get.ts';
import { GRPC_SERVICE } from '../data-plane/client/index.ts';
import { APART, grpcRoute, grpcRule, namingRollout, SHARED, trafficRouting } from '../data-plane/objects.ts';
import { HTTP_ROUTES } from '../data-plane/gateway/resources.ts';
import type { HttpRoute } from '../data-plane/gateway/types.ts';
import type { Place, Routed } from '../data-plane/routed.ts';
import { GATEWAY } from '../data-plane/stage.ts';
import { run, temporaryFolder } from '../support/processes.ts';
import { operatorKubeconfig, RELEASE_NAMESPACE } from './harness/cluster.ts';
import { theCluster } from './harness/session.ts';
import {
  checkNoDrift,
  createRouted,
  OTHER,
  revive,
  sharesOf,
  startTraffic,
  untilShares,
  userRoute,
  V1,
  V2,
  V3,
  type Traffic,
  type Wanted,
} from './routed.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const plugin = fileURLToPath(new URL('../../src/plugin.ts', import.meta.url));
const TESTERS = { headers: [{ name: 'x-user', value: 'tester' }] };
const MATCHES = [{ replicas: 1, matches: [TESTERS] }, { replicas: '50%', traffic: '50%' }, { replicas: '100%' }];

/** Of the share that a step gives the new version, its Pods get a part through the user's Service (docs/adr/0027). */
const shared = (name: string, traffic: number, pods: number): Record<string, number> => {
  const weight = Math.floor((1000 * (traffic - pods)) / (1 - pods) + 1e-9) / 1000;
  return { [name]: 1 - weight, [`${name}-canary`]: weight };
};
const apart = (name: string, traffic: number): Record<string, number> => ({
  ...{ [name]: 0, [`${name}-stable`]: 1 - traffic, [`${name}-canary`]: traffic },
});

type Play = (routed: Routed) => Promise<void>;
type Scenario = readonly [title: string, wanted: Wanted, play: Play];

/** A later commit in Git: the user's change is kept, with the weights of the step. */
async function edit(routed: Routed, parts: Record<string, number>): Promise<void> {
  const filter = async (): Promise<unknown> => (await routed.liveRoute()).spec.rules?.[0]?.filters;
  const old = await filter();
  routed.route = userRoute(routed.name, true);
  await routed.apply(routed.route);
  await untilShares(routed, parts, true);
  assert.notDeepEqual(await filter(), old);
  await checkNoDrift(routed);
}

const success =
  (first: Record<string, number>, second: Record<string, number>): Play =>
  async (routed) => {
    const { place, namespace, name } = routed;
    const userService = (): Promise<unknown> => getObject(place.api, SERVICES, { namespace, name });
    const service = await userService();
    await routed.version(V2!);
    await routed.untilPaused(1);
    assert.deepEqual(await routed.pods(), { [V1!]: 9, [V2!]: 1 });
    await untilShares(routed, first);
    await checkNoDrift(routed);
    await edit(routed, first);
    await routed.approve();
    await routed.untilPaused(2);
    await untilShares(routed, second, true);
    await checkNoDrift(routed);
    await routed.approve();
    await routed.untilDone(V2!);
    assert.deepEqual(await userService(), service, 'the user’s Service is never written');
  };

const rollback: Play = async (routed) => {
  await routed.version(V2!);
  await routed.untilPaused(1);
  const { metadata } = await routed.deployment();
  assert.ok(metadata.annotations?.[TRAFFIC] !== undefined, 'it says that requests depend on a version');
  await routed.version(V1!);
  await routed.untilDone(V1!);
  assert.equal((await routed.rollout()).status?.history?.[0]?.outcome, 'RolledBack');
};

const continuous =
  (first: Record<string, number>): Play =>
  async (routed) => {
    await routed.version(V2!);
    await routed.untilPaused(1);
    await routed.approve();
    await routed.untilPaused(2);
    await routed.version(V3!);
    await routed.untilPausedOf(V3!, 1);
    await untilShares(routed, first);
    await routed.version(V1!);
    await routed.untilDone(V1!);
  };

/** All of them go on at the same time, each with objects of its own. */
const SCENARIOS: readonly Scenario[] = [
  [
    'a success, shared',
    { name: 'shared', steps: SHARED },
    success(shared('shared', 0.3, 0.1), shared('shared', 0.8, 0.5)),
  ],
  ['a success, apart', { name: 'apart', steps: APART }, success(apart('apart', 0.05), apart('apart', 0.5))],
  [
    'a success, with a route that Flux applies on the server',
    { name: 'flux', steps: APART, applyFlags: ['--server-side', '--field-manager=flux'] },
    success(apart('flux', 0.05), apart('flux', 0.5)),
  ],
  ['a rollback, shared', { name: 'back-shared', steps: SHARED }, rollback],
  ['a rollback, apart', { name: 'back-apart', steps: APART }, rollback],
  [
    'a newer version in the middle, shared',
    { name: 'newer-shared', steps: SHARED },
    continuous(shared('newer-shared', 0.3, 0.1)),
  ],
  [
    'a newer version in the middle, apart',
    { name: 'newer-apart', steps: APART },
    continuous(apart('newer-apart', 0.05)),
  ],
  [
    'requests that match',
    { name: 'matches', steps: MATCHES },
    async (routed) => {
      await routed.version(V2!);
      await routed.untilPaused(1);
      const { rules = [] } = (await routed.liveRoute()).spec;
      const path = (value: string) => ({ path: { type: 'PathPrefix', value } });
      const headers = [{ type: 'Exact', ...TESTERS.headers[0] }];
      assert.deepEqual(
        rules.map(({ matches }) => matches),
        [[{ ...path('/shop'), headers }], [path('/shop')], [{ ...path('/'), headers }], [path('/')]],
      );
      const shares = await sharesOf(routed);
      assert.deepEqual([shares[0], shares[2]], [{ 'matches-canary': 1 }, { 'matches-canary': 1 }]);
      assert.deepEqual(shares[3], { matches: 0, 'matches-stable': 1, 'matches-canary': 0 });
      assert.equal(shares[1]?.[OTHER], 0.25);
      await routed.approve();
      await routed.untilPaused(2);
      await untilShares(routed, apart('matches', 0.5));
      await routed.approve();
      await routed.untilDone(V2!);
    },
  ],
  [
    'gRPC',
    {
      ...{ name: 'grpc', steps: APART, kind: 'GRPCRoute' },
      route: grpcRoute({ name: 'grpc', gateways: [GATEWAY], rules: [grpcRule(GRPC_SERVICE, [{ name: 'grpc' }])] }),
    },
    async (routed) => {
      await routed.version(V2!);
      await routed.untilPaused(1);
      assert.deepEqual(await sharesOf(routed), [apart('grpc', 0.05)]);
      await routed.version(V1!);
      await routed.untilDone(V1!);
    },
  ],
  [
    'the deletion of the Rollout',
    { name: 'deleted', steps: APART },
    async (routed) => {
      await routed.version(V2!);
      await routed.untilPaused(1);
      await routed.deleteRollout();
      await routed.untilPods(V2!);
      await routed.untilNothingLeft();
    },
  ],
  [
    'a Rollout that is disabled',
    { name: 'disabled', steps: SHARED },
    async (routed) => {
      await routed.version(V2!);
      await routed.untilPaused(1);
      await routed.kubectl(
        ...['patch', 'rollouts.rollouts.kruise.io', routed.name, '--type=merge', '-p', '{"spec":{"disabled":true}}'],
      );
      await routed.until('the phase', async () => (await routed.rollout()).status?.phase === 'Disabled');
      await routed.untilPods(V2!);
      await routed.untilNothingLeft();
    },
  ],
];

describe('Traffic of a release on a cluster', function () {
  this.timeout(900_000);
  let traffic: Traffic | undefined;
  let place: Place;
  const playing = new Map<string, Promise<void>>();

  before(async function () {
    traffic = await startTraffic(this);
    place = await traffic.place('traffic');
    for (const [title, wanted, play] of SCENARIOS) {
      const played = createRouted(place, wanted).then(play);
      // A failure is told where it is waited for.
      played.catch(() => undefined);
      playing.set(title, played);
    }
  });
  after(async () => {
    await Promise.allSettled(playing.values());
    await traffic?.end();
  });

  for (const [title] of SCENARIOS)
    it(`follows its steps, and leaves the user’s route as it was: ${title}`, () => playing.get(title));

  describe('with nothing of ours alive', () => {
    let routed: Routed;
    before(async () => {
      await Promise.allSettled(playing.values());
      routed = await createRouted(place, { name: 'dead', steps: APART });
      await routed.version(V2!);
      await routed.untilPaused(1);
      await theCluster().killProgram();
    });
    after(async () => {
      await revive();
      await routed.untilNothingLeft();
    });

    it('the API server refuses to resume a Deployment whose versions are apart, and its two commands work', async () => {
      const { client, namespace } = place;
      const { code, stderr } = await client.attempt('kubectl', [
        ...['rollout', 'resume', 'deployment/dead', '-n', namespace],
      ]);
      assert.notEqual(code, 0);
      const [, patch] =
        /tranche-apart[^]*kubectl apply -f ROUTE\.yaml; then run: kubectl patch deployment dead -n \S+ -p '([^']+)'/.exec(
          stderr,
        ) ?? [];
      assert.ok(patch !== undefined, stderr);
      await routed.apply(routed.route);
      assert.deepEqual((await sharesOf(routed))[1], { dead: 1 });
      await routed.kubectl('patch', 'deployment', 'dead', '-p', patch);
      await routed.untilPods(V2!);
    });
  });

  describe('drained', () => {
    let [byHelm, byPerson]: (Routed | undefined)[] = [];
    // Both before the first drain, which keeps the lead for a while.
    before(async () => {
      const start = async (name: string): Promise<Routed> => {
        const own = await traffic!.place(`traffic-${name}`);
        const [routed, lane] = await Promise.all([
          createRouted(own, { name, steps: APART }),
          createRouted(own, { name: 'lane', rollout: namingRollout('lane', 'lane') }),
        ]);
        await lane.apply(trafficRouting('lane'));
        await lane.version(V2!);
        await routed.version(V2!);
        await routed.untilPaused(1);
        await lane.until('the header', async () => (await lane.liveRoute()).metadata.labels?.[TRAFFIC] === 'lane');
        return routed;
      };
      [byHelm, byPerson] = await Promise.all([start('helm'), start('person')]);
    });
    const checkDrained = async (routed: Routed): Promise<void> => {
      await routed.untilPods(V1!);
      await routed.checkNothingLeft();
      const { api, namespace } = routed.place;
      const own = { namespace, name: 'lane' };
      assert.equal((await getObject<HttpRoute>(api, HTTP_ROUTES, own)).metadata.labels?.[TRAFFIC], undefined);
      // It can be deleted without the program.
      assert.deepEqual((await getObject(api, TRAFFIC_ROUTINGS, own)).metadata.finalizers ?? [], []);
    };

    it('is taken away by the drain that helm uninstall runs', async () => {
      const { client, namespace } = byHelm!.place;
      const kubeconfig = await operatorKubeconfig(client, temporaryFolder('drain'));
      const flags = ['--namespace', RELEASE_NAMESPACE, '--watch-namespaces', namespace, '--gateway-api', 'true'];
      const { code, stderr } = await run(
        process.execPath,
        [main, 'drain', '--kubeconfig', kubeconfig, ...flags, '--held', 'rollback'],
        { env: { PATH: process.env.PATH }, timeoutSeconds: 300 },
      );
      assert.equal(code, 0, stderr);
      await checkDrained(byHelm!);
    });

    it('is taken away by the drain of a person, as the ServiceAccount of the installation', async () => {
      const { client, namespace } = byPerson!.place;
      const drain = (...flags: string[]): ReturnType<typeof run> =>
        run(process.execPath, [plugin, 'drain', '--held', 'rollback', namespace, ...flags], {
          env: client.environment(),
          timeoutSeconds: 300,
        });
      const refused = await drain('--as', 'somebody', '--as-group', 'system:masters');
      assert.equal(refused.code, 4, refused.stderr);
      assert.match(
        refused.stderr,
        /can give back the route of Rollout \S+\/person, the route of TrafficRouting \S+\/lane: /,
      );
      await untilShares(byPerson!, apart('person', 0.05));
      const { code, stderr } = await drain();
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^acting as ServiceAccount tranche of namespace tranche-system$/m);
      await checkDrained(byPerson!);
    });
  });
});
