// Traffic routing in the plugin: what lint and plan say about files, status about a release, and the doctor about routes.
import assert from 'node:assert/strict';
import * as keys from '../../src/api/keys.ts';
import type { KubeObject, Rollout } from '../../src/api/types.ts';
import type { Cluster } from '../../src/cli/cluster.ts';
import { checkRoutes } from '../../src/cli/doctor/routes.ts';
import { tree } from '../../src/cli/render/tree.ts';
import { httpRoutes } from '../../src/engine/traffic/httproute.ts';
import { engaged } from '../../src/engine/traffic/route.ts';
import { isRefusal } from '../../src/engine/traffic/rules.ts';
import { requestsNow } from '../../src/view/requests.ts';
import { ApiError } from '../../src/kube/errors.ts';
import type { Resource } from '../../src/api/resources.ts';
import { startFakeCluster, type FakeCluster } from './fake-cluster.ts';
import { goldenExact, runPlugin, type Result } from './support.ts';

const FILES = 'test/cli/files';
const run = (...args: readonly string[]): Promise<Result> => runPlugin(args);

describe('kubectl tranche, with routes in files', () => {
  it('lint and plan say what each step sends where', async () => {
    goldenExact(
      'routed',
      ['lint test/cli/files/routed.yaml', await run('lint', `${FILES}/routed.yaml`)],
      ['lint test/cli/files/routed-mistakes.yaml', await run('lint', `${FILES}/routed-mistakes.yaml`)],
      ['lint test/cli/files/lane.yaml', await run('lint', `${FILES}/lane.yaml`)],
      ['plan -f test/cli/files/lane.yaml', await run('plan', '-f', `${FILES}/lane.yaml`)],
      ['plan -f test/cli/files/routed.yaml', await run('plan', '-f', `${FILES}/routed.yaml`)],
      [
        'plan -f test/cli/files/routed.yaml --replicas 20',
        await run('plan', '-f', `${FILES}/routed.yaml`, '--replicas', '20'),
      ],
    );
  });
});

const ROUTING = { service: 'web', gateway: { httpRouteName: 'web' } };
const rollout = (traffic?: object): Rollout =>
  ({
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      strategy: {
        canary: { trafficRoutings: [ROUTING], steps: [{ replicas: 1, traffic: '5%' }, { replicas: '100%' }] },
      },
    },
    ...(traffic && { status: { phase: 'Progressing', canaryStatus: { currentStepIndex: 1, traffic } } }),
  }) as unknown as Rollout;
const TRAFFIC = {
  mode: 'Apart',
  state: 'Watch',
  weight: 50,
  step: 1,
  since: '2026-01-01T00:00:00Z',
  service: 'web',
  route: { kind: 'HTTPRoute', name: 'web' },
  graceSeconds: 3,
};

describe('the requests of a release', () => {
  it('are shown by status', () => {
    const requests = requestsNow(rollout(TRAFFIC));
    assert.equal(requests?.gets, '5% of the requests');
    const shown = {
      name: 'web',
      namespace: 'shop',
      kind: 'Deployment',
      deployment: 'web',
      keeper: 'ReplicaSet',
      state: 'Progressing',
      since: undefined,
      message: 'm',
      release: { id: 'r', author: undefined, startedAt: undefined, steps: [], checks: [], requests },
      replicaSets: undefined,
    } as unknown as Parameters<typeof tree>[0];
    const text = tree(shown, { paint: (_, text) => text, now: Date.parse('2026-01-01T00:01:00Z'), wide: false });
    assert.match(text, /requests\n.*HTTPRoute web {3}sends 5% of the requests to the new version {3}for 60s/);
  });

  it('are those that match, or come with the Pods of a shared Service', () => {
    const one = rollout({ ...TRAFFIC, weight: 0 });
    const matches = [{ headers: [{ name: 'a', value: 'b' }] }];
    const matching = {
      ...one,
      spec: { ...one.spec, strategy: { canary: { trafficRoutings: [ROUTING], steps: [{ replicas: 1, matches }] } } },
    };
    assert.equal(requestsNow(matching)?.gets, 'the requests that match');
    assert.equal(requestsNow(one)?.gets, '0% of the requests');
    assert.equal(
      requestsNow(rollout({ ...TRAFFIC, mode: 'Shared' }))?.gets,
      '5% of the requests besides its part of Service web',
    );
    assert.equal(requestsNow(rollout()), undefined);
  });
});

describe('the TrafficRouting of a Rollout', () => {
  const ROLLOUTS = '/apis/rollouts.kruise.io/v1beta1/namespaces/shop/rollouts';
  const ROUTINGS = '/apis/rollouts.kruise.io/v1alpha1/namespaces/shop/trafficroutings';
  const naming = (name: string, ref: string | undefined, annotations?: Record<string, string>): KubeObject => ({
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name, namespace: 'shop', ...(annotations && { annotations }) },
    ...{
      spec: {
        workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
        strategy: { canary: { ...(ref !== undefined && { trafficRoutingRef: ref }), steps: [{ replicas: '100%' }] } },
      },
      status: { phase: 'Healthy', message: 'waiting for a change' },
    },
  });
  const routing = (name: string, status?: object): KubeObject => ({
    apiVersion: 'rollouts.kruise.io/v1alpha1',
    kind: 'TrafficRouting',
    metadata: { name, namespace: 'shop' },
    ...(status && { status }),
  });
  let fake: FakeCluster;

  before(async () => {
    fake = await startFakeCluster();
  });
  after(() => fake.close());
  const status = (...args: readonly string[]): Promise<Result> =>
    runPlugin(['status', ...args], { env: { KUBECONFIG: fake.kubeconfig } });

  it('is shown by status with its phase and message, and what keeps it from being read', async () => {
    const message = 'requests that match get their headers, for the release of Rollout web';
    fake.objects.set(ROLLOUTS, [
      naming('web', 'lane'),
      naming('annotated', undefined, { [keys.TRAFFIC_ROUTING]: 'lane' }),
      naming('new', 'new'),
      naming('absent', 'absent'),
      naming('forbidden', 'forbidden'),
      naming('hostile', 'hostile'),
      naming('misnamed', '../../secrets/x\u001b[2J\nTrafficRouting lane: Healthy'),
    ]);
    fake.objects.set(ROUTINGS, [
      routing('lane', { phase: 'Progressing', message }),
      routing('new'),
      routing('hostile', { phase: 'Healthy\u001b[2J', message: `\u202e\nRollout: fine${'x'.repeat(1000)}` }),
    ]);
    fake.forbidden.add(`${ROUTINGS}/forbidden`);
    const shown = await status();
    goldenExact('traffic-routing', ['status', shown]);
    assert.doesNotMatch(shown.out, /[\u001b\u202e]/);
    assert.ok(!fake.asked.some((asked) => asked.includes('secrets')));
    // The ServiceAccount of the installation may list TrafficRoutings, and not get them.
    const routings = fake.asked.filter((asked) => asked.includes('trafficroutings'));
    assert.deepEqual([...new Set(routings)], [`GET ${ROUTINGS}`]);
  });

  it('does not exist without its CRD, and costs no request where none is named', async () => {
    fake.objects.delete(ROUTINGS);
    fake.objects.set(ROLLOUTS, [naming('web', 'lane')]);
    assert.match((await status('web')).out, /^ {2}TrafficRouting lane does not exist: no request gets its headers$/m);
    fake.objects.set(ROLLOUTS, [naming('web', undefined)]);
    fake.asked.length = 0;
    const { code, out } = await status('web');
    assert.equal(code, 0);
    assert.doesNotMatch(out, /TrafficRouting/);
    assert.ok(fake.asked.length > 0 && !fake.asked.some((asked) => asked.includes('trafficroutings')));
  });
});

describe('the doctor, about routes', () => {
  const RULES = [{ backendRefs: [{ name: 'web', port: 80, weight: 1 }] }];
  const plain: KubeObject = { metadata: { name: 'web', namespace: 'shop' }, ...{ spec: { rules: RULES } } };
  const changed = (): KubeObject => {
    const split = { mode: 'Shared', base: 'web', canary: 'web-canary', weight: 100 } as const;
    const made = engaged(httpRoutes, RULES, { rollout: 'web', split }, 'shop');
    assert.ok(!isRefusal(made));
    const metadata = {
      ...plain.metadata,
      labels: { [keys.TRAFFIC]: made.label },
      annotations: { [keys.HELD]: made.record },
    };
    return { metadata, ...{ spec: { rules: made.rules } } };
  };
  const service: KubeObject = { metadata: { name: 'web', namespace: 'shop' } };
  const cluster = (objects: Readonly<Record<string, readonly KubeObject[]>>): Cluster =>
    ({
      namespace: 'shop',
      list: async ({ kind }: Resource) => {
        if (kind === 'GRPCRoute') throw new ApiError(404, { reason: 'NotFound', message: '' });
        return objects[kind] ?? [];
      },
      find: async ({ kind }: Resource, { name }: { name: string }) =>
        objects[kind]?.find(({ metadata }) => metadata.name === name),
    }) as unknown as Cluster;
  const ON = [{ metadata: { name: 'tranche' }, webhooks: [{ name: 'routes.tranche.dev', clientConfig: {} }] }];
  const whole = { Rollout: [rollout()], HTTPRoute: [plain], Service: [service] };

  it('says nothing where nothing is routed', async () => {
    assert.deepEqual(await checkRoutes(cluster({}), []), []);
    assert.deepEqual(await checkRoutes(cluster({ HTTPRoute: [plain] }), ON), []);
  });

  it('says that all is well', async () => {
    assert.deepEqual(await checkRoutes(cluster(whole), ON), [
      { level: 'ok', what: 'the routes and Services of 1 Rollout exist' },
    ]);
    const releasing = { ...whole, Rollout: [rollout(TRAFFIC)], HTTPRoute: [changed()] };
    assert.deepEqual(
      (await checkRoutes(cluster(releasing), ON)).map(({ level }) => level),
      ['ok'],
    );
  });

  it('names the value to set', async () => {
    const [finding] = await checkRoutes(cluster(whole), []);
    assert.match(
      finding?.what ?? '',
      /1 Rollout with trafficRoutings \(web\), but the installation does not change routes/,
    );
    assert.match(finding?.mend ?? '', /--set traffic\.gatewayAPI\.enabled=true$/);
  });

  it('names what does not exist', async () => {
    const found = await checkRoutes(cluster({ Rollout: [rollout()] }), ON);
    assert.deepEqual(
      found.map(({ what }) => what),
      ['HTTPRoute', 'Service'].map(
        (kind) => `Rollout shop/web names ${kind} web, which does not exist: its releases wait`,
      ),
    );
  });

  it('gives back a route that a release has left, with the rules of its user', async () => {
    for (const rollouts of [[], [rollout()]]) {
      const found = await checkRoutes(cluster({ ...whole, Rollout: rollouts, HTTPRoute: [changed()] }), ON);
      const { what, mend = '' } = found.find(({ level }) => level === 'problem') ?? {};
      assert.match(what ?? '', /^HTTPRoute shop\/web has the rules of a release, but .*; this command restores yours$/);
      assert.match(mend, /^kubectl patch httproutes\.gateway\.networking\.k8s\.io web -n shop --type=merge -p '/);
      const patch = JSON.parse(/-p '(.*)'$/.exec(mend)?.[1] ?? '') as { spec: object; metadata: object };
      assert.deepEqual(patch.spec, { rules: RULES });
      assert.deepEqual(patch.metadata, { labels: { [keys.TRAFFIC]: null }, annotations: { [keys.HELD]: null } });
    }
  });

  it('knows a route that a TrafficRouting changes, and gives back one that it has left', async () => {
    const split = {
      mode: 'Headers',
      base: 'web',
      matches: [{ headers: [{ name: 'x-user', value: 'me' }] }],
      requestHeaderModifier: { set: [{ name: 'x-lane', value: 'gray' }] },
    } as const;
    const made = engaged(httpRoutes, RULES, { trafficRouting: 'lane', split }, 'shop');
    assert.ok(!isRefusal(made));
    const marks = { labels: { [keys.TRAFFIC]: made.label }, annotations: { [keys.HELD]: made.record } };
    const route: KubeObject = { metadata: { ...plain.metadata, ...marks }, ...{ spec: { rules: made.rules } } };
    const status = { phase: 'Progressing', route: { kind: 'HTTPRoute', name: 'web' } };
    const lane: KubeObject = { metadata: { name: 'lane', namespace: 'shop' }, ...{ status } };
    assert.deepEqual(await checkRoutes(cluster({ HTTPRoute: [route], TrafficRouting: [lane] }), ON), []);
    const [finding] = await checkRoutes(cluster({ HTTPRoute: [route] }), ON);
    assert.match(finding?.what ?? '', /but TrafficRouting lane does not exist, or does not change it; /);
    assert.deepEqual((JSON.parse(/-p '(.*)'$/.exec(finding?.mend ?? '')?.[1] ?? '') as { spec: object }).spec, {
      rules: RULES,
    });
  });

  it('names a TrafficRouting that does not exist', async () => {
    const annotations = { [keys.TRAFFIC_ROUTING]: 'lane' };
    const one = { ...rollout(), metadata: { ...rollout().metadata, annotations } };
    const found = await checkRoutes(cluster({ ...whole, Rollout: [one] }), ON);
    assert.deepEqual(
      found.map(({ what }) => what),
      ['Rollout shop/web names TrafficRouting lane, which does not exist: no request gets other headers'],
    );
  });

  it('does not guess where the record is not readable', async () => {
    const route = changed();
    const broken = { ...route, metadata: { ...route.metadata, annotations: { [keys.HELD]: '{' } } };
    const [finding] = await checkRoutes(cluster({ HTTPRoute: [broken] }), ON);
    assert.match(finding?.what ?? '', /its record is not readable: apply your manifest, and then run this/);
    assert.doesNotMatch(finding?.mend ?? '', /"spec"/);
  });
});
