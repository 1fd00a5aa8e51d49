// TrafficRoutings on the embedded cluster or the user's: what the route and the status say from the first release to the end of the last one, and that nothing of
// it is left. Requests are sent in test/data-plane.
import assert from 'node:assert/strict';
import { PROGRESSING_ROLLOUT, TRAFFIC_ROUTING } from '../../src/api/keys.ts';
import { ROLLOUTS, TRAFFIC_ROUTINGS } from '../../src/api/resources.ts';
import type { TrafficRoutingObject } from '../../src/api/traffic.ts';
import type { Rollout } from '../../src/api/types.ts';
import { realClock } from '../../src/kube/clock.ts';
import { getObject } from '../../src/kube/get.ts';
import { pathOf } from '../../src/kube/path.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { GRPC_SERVICE } from '../data-plane/client/index.ts';
import {
  grpcRoute,
  grpcRule,
  LANE,
  manifest,
  namingRollout,
  service,
  TESTER,
  trafficRouting,
} from '../data-plane/objects.ts';
import { PATIENCE_SECONDS, type Place, type Routed } from '../data-plane/routed.ts';
import { GATEWAY } from '../data-plane/stage.ts';
import { until } from '../support/until.ts';
import { checkNoDrift, createRouted, IMAGE, startTraffic, userRoute, V1, V2, type Traffic } from './routed.ts';

const RESOURCE = 'trafficroutings.rollouts.kruise.io';

/** All TrafficRoutings of a namespace, and the phases that each of them has had. */
class Lanes {
  readonly place: Place;
  readonly #live: Reflector<TrafficRoutingObject>;
  readonly #phases = new Map<string, string[]>();

  constructor(place: Place) {
    this.place = place;
    const { api, namespace } = place;
    this.#live = new Reflector({ api, clock: realClock, path: pathOf(TRAFFIC_ROUTINGS, { namespace }) });
    this.#live.on(({ type, object: { metadata, status } }) => {
      const phases = this.phases(metadata.name);
      this.#phases.set(metadata.name, phases);
      const phase = type === 'deleted' ? 'gone' : (status?.phase ?? 'none');
      if (phases.at(-1) !== phase) phases.push(phase);
    });
    this.#live.start();
  }

  stop(): Promise<void> {
    return this.#live.stop();
  }

  phases(name: string): string[] {
    return this.#phases.get(name) ?? [];
  }

  async until(name: string, phase: string, message = /./): Promise<void> {
    const find = (): TrafficRoutingObject | undefined =>
      [...this.#live.values()].find(({ metadata }) => metadata.name === name);
    await until(
      () => find()?.status?.phase === phase && message.test(find()?.status?.message ?? ''),
      () => `TrafficRouting ${name} is ${phase}: ${JSON.stringify(find())}`,
      PATIENCE_SECONDS,
    );
  }

  /** Requests that match get their headers, because these Rollouts have releases. */
  async untilUsedBy(name: string, ...rollouts: string[]): Promise<void> {
    const whose = rollouts.length > 1 ? `Rollouts ${rollouts.join(', ')}` : `Rollout ${rollouts[0]}`;
    await this.until(name, 'Progressing', new RegExp(`get their headers, for the release of ${whose}$`));
    const { finalizers } = (await this.#get(name)).metadata;
    const expected = [TRAFFIC_ROUTING, ...rollouts.map((one) => PROGRESSING_ROLLOUT + one)];
    assert.deepEqual([...(finalizers ?? [])].sort(), expected.sort());
  }

  /** The last release has ended: the route is the user's own. */
  async untilOver(name: string, routed: Routed): Promise<void> {
    await this.until(name, 'Healthy');
    assert.deepEqual((await this.#get(name)).metadata.finalizers ?? [], []);
    await routed.checkNothingLeft();
  }

  #get(name: string): Promise<TrafficRoutingObject> {
    return getObject(this.place.api, TRAFFIC_ROUTINGS, { namespace: this.place.namespace, name });
  }
}

/** Before each rule of the user there is one for the requests that match; it differs in its matches and in a header. */
async function checkRules(routed: Routed): Promise<void> {
  const user = (await routed.stored()).spec.rules ?? [];
  const changed = user.map((rule) => {
    const { filters: [filter] = [], matches = [] } = rule;
    const set = [...(filter?.requestHeaderModifier?.set ?? []), LANE];
    return {
      ...rule,
      matches: matches.map((match) => ({ ...match, headers: [{ type: 'Exact', ...TESTER }] })),
      filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set } }],
    };
  });
  const expected = user.flatMap((rule, index) => [changed[index], rule]);
  assert.deepEqual((await routed.liveRoute()).spec.rules, expected);
  for (const suffix of ['canary', 'stable']) assert.equal(await routed.serviceOf(suffix), undefined, suffix);
}

const untilHealthy = ({ api, namespace }: Place, name: string): Promise<void> =>
  until(
    async () => (await getObject<Rollout>(api, ROLLOUTS, { namespace, name })).status?.phase === 'Healthy',
    () => `Rollout ${name} is not Healthy`,
    PATIENCE_SECONDS,
  );

/** Another service, behind the one whose route it is. */
const database = (name: string): object => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name },
  spec: {
    serviceName: name,
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name, image: `${IMAGE}:${V1}` }] } },
  },
});

type Play = (lanes: Lanes) => Promise<void>;

/** All of them go on at the same time, each with objects of its own. */
const SCENARIOS: readonly (readonly [title: string, play: Play])[] = [
  [
    'changes its route from the start of the first release to the end of the last one, also when its user edits the route',
    async (lanes) => {
      const { place } = lanes;
      const { client, namespace } = place;
      const apply = (...objects: object[]): Promise<string> =>
        client.kubectl(['apply', '-n', namespace, '-f', '-'], { input: manifest(...objects) });
      await apply(trafficRouting('entry'));
      await lanes.until('entry', 'Initial', /HTTPRoute entry does not exist: create it/);
      const entry = await createRouted(place, { name: 'entry', rollout: namingRollout('entry', 'entry') });
      await apply(database('db'), namingRollout('db', 'entry', 'StatefulSet'));
      await untilHealthy(place, 'db');
      await lanes.until('entry', 'Healthy');

      await entry.version(V2!);
      await lanes.untilUsedBy('entry', 'entry');
      await checkRules(entry);
      await checkNoDrift(entry);
      await entry.kubectl('set', 'image', 'statefulset/db', `db=${IMAGE}:${V2}`);
      await lanes.untilUsedBy('entry', 'db', 'entry');

      entry.route = userRoute('entry', true);
      await entry.apply(entry.route);
      await checkRules(entry);
      await checkNoDrift(entry);

      await entry.untilPaused(1);
      assert.deepEqual(await entry.pods(), { [V1!]: 9, [V2!]: 1 });
      await entry.approve();
      await entry.untilPods(V2!);
      await untilHealthy(place, 'entry');
      await lanes.untilUsedBy('entry', 'db');
      await checkRules(entry);
      await entry.kubectl('set', 'image', 'statefulset/db', `db=${IMAGE}:${V1}`);
      await untilHealthy(place, 'db');
      await lanes.untilOver('entry', entry);
      assert.deepEqual(lanes.phases('entry').slice(-5), ['Initial', 'Healthy', 'Progressing', 'Finalizing', 'Healthy']);
    },
  ],
  [
    'gives its route back and goes, if it is deleted during a release',
    async (lanes) => {
      const route = { name: 'grpc', gateways: [GATEWAY], rules: [grpcRule(GRPC_SERVICE, [{ name: 'grpc' }])] };
      const rollout = namingRollout('grpc', 'grpc');
      const options = { name: 'grpc', kind: 'GRPCRoute', route: grpcRoute(route), rollout } as const;
      const grpc = await createRouted(lanes.place, options);
      await grpc.apply(trafficRouting('grpc', 'GRPCRoute'));
      await lanes.until('grpc', 'Healthy');
      await grpc.version(V2!);
      await lanes.untilUsedBy('grpc', 'grpc');
      await checkRules(grpc);
      await grpc.untilPaused(1);
      const { client, namespace } = lanes.place;
      // It returns when the object is gone.
      const { code, stderr } = await client.attempt('kubectl', ['delete', RESOURCE, 'grpc', '-n', namespace]);
      await grpc.checkNothingLeft();
      assert.equal(code, 0, stderr);
      assert.match(stderr, /a release is in progress: requests that match get no other headers from now on/);
      await until(
        () => lanes.phases('grpc').at(-1) === 'gone',
        () => lanes.phases('grpc').join(),
        PATIENCE_SECONDS,
      );
      assert.deepEqual(lanes.phases('grpc').slice(-4), ['Healthy', 'Progressing', 'Terminating', 'gone']);
      await grpc.approve();
      await grpc.untilDone(V2!);
    },
  ],
  [
    'is named by an annotation in v1alpha1; a release does not wait for it, and is given its headers as soon as it exists',
    async (lanes) => {
      const { client, namespace } = lanes.place;
      const { metadata, spec } = namingRollout('old', 'old');
      const { steps } = spec.strategy.canary;
      const annotations = { 'rollouts.kruise.io/rolling-style': 'partition', [TRAFFIC_ROUTING]: 'old' };
      const rollout = {
        ...{ apiVersion: 'rollouts.kruise.io/v1alpha1', kind: 'Rollout', metadata: { ...metadata, annotations } },
        spec: { objectRef: { workloadRef: spec.workloadRef }, strategy: { canary: { steps } } },
      };
      const input = manifest(service('old', { app: 'old' }), rollout);
      const { stderr } = await client.attempt('kubectl', ['apply', '--dry-run=server', '-n', namespace, '-f', '-'], {
        input,
      });
      assert.match(stderr, /TrafficRouting old does not exist: no request gets other headers until it is created/);
      const old = await createRouted(lanes.place, {
        ...{ name: 'old', rollout, applyFlags: ['--server-side', '--field-manager=flux'] },
      });
      await old.version(V2!);
      await old.untilPaused(1);
      await old.checkNothingLeft();
      await old.apply(trafficRouting('old'));
      await lanes.untilUsedBy('old', 'old');
      await checkRules(old);
      await checkNoDrift(old);
      await old.approve();
      await old.untilPods(V2!);
      await untilHealthy(lanes.place, 'old');
      await lanes.untilOver('old', old);
    },
  ],
];

describe('A TrafficRouting on a cluster', function () {
  this.timeout(900_000);
  let traffic: Traffic | undefined;
  let lanes: Lanes | undefined;
  const playing = new Map<string, Promise<void>>();

  before(async function () {
    traffic = await startTraffic(this);
    lanes = new Lanes(await traffic.place('lane'));
    for (const [title, play] of SCENARIOS) {
      const played = play(lanes);
      // A failure is told where it is waited for.
      played.catch(() => undefined);
      playing.set(title, played);
    }
  });
  after(async () => {
    await Promise.allSettled(playing.values());
    await lanes?.stop();
    await traffic?.end();
  });

  for (const [title] of SCENARIOS) it(title, () => playing.get(title));
});
