// The limits of traffic: the API server limits the program's own ServiceAccount, and admission limits the authors of Rollouts and TrafficRoutings.
import assert from 'node:assert/strict';
import { APART, leg, manifest, rollout, service, trafficRouting } from '../data-plane/objects.ts';
import type { Place, Routed } from '../data-plane/routed.ts';
import type { Result } from '../support/processes.ts';
import { RELEASE_NAMESPACE } from './harness/cluster.ts';
import { createRouted, startTraffic, untilPolicies, userRoute, V1, V2, type Traffic } from './routed.ts';

const OURSELVES = `--as=system:serviceaccount:${RELEASE_NAMESPACE}:tranche`;
const NAME = 'web';
const RESOURCE = 'trafficroutings.rollouts.kruise.io';

describe('Limits of traffic on a cluster', function () {
  this.timeout(900_000);
  let traffic: Traffic | undefined;
  let place: Place;
  let routed: Routed;

  const attempt = (args: readonly string[], object?: object): Promise<Result> =>
    place.client.attempt('kubectl', [...args, '-n', place.namespace], {
      ...(object && { input: manifest(object) }),
    });
  const refused = async (args: readonly string[], expected: RegExp, object?: object): Promise<void> => {
    const { code, stdout, stderr } = await attempt(args, object);
    assert.notEqual(code, 0, `not refused: ${args.join(' ')}: ${stdout}`);
    assert.match(stderr, expected);
  };
  const role = (name: string, ...rules: string[]): Promise<string> => routed.kubectl('create', 'role', name, ...rules);
  const bind = (name: string, user: string, as: string): Promise<string> =>
    routed.kubectl('create', 'rolebinding', name, `--user=${user}`, as);
  const apply = (user?: string): string[] => [
    ...['apply', '--dry-run=server', '-f', '-'],
    ...(user === undefined ? [] : [`--as=${user}`]),
  ];

  before(async function () {
    traffic = await startTraffic(this);
    place = await traffic.place('traffic-limits');
    routed = await createRouted(place, { name: NAME, steps: APART });
    await untilPolicies();
  });
  after(() => traffic?.end());

  describe('of the program itself', () => {
    before(async () => {
      await routed.version(V2!);
      await routed.untilPaused(1);
    });
    after(async () => {
      await routed.version(V1!);
      await routed.untilDone(V1!);
    });

    const owned = (): object => ({
      labels: { 'tranche.dev/traffic': NAME },
      ownerReferences: [
        {
          apiVersion: 'rollouts.kruise.io/v1beta1',
          kind: 'Rollout',
          name: NAME,
          uid: '00000000-0000-0000-0000-000000000000',
        },
      ],
    });
    const made = (metadata: object, spec: object = {}): object => {
      const plain = service('made', { app: NAME, 'pod-template-hash': 'abc' }) as { metadata: object; spec: object };
      return { ...plain, metadata: { ...plain.metadata, ...metadata }, spec: { ...plain.spec, ...spec } };
    };
    const CREATE = ['create', OURSELVES, '--dry-run=server', '-f', '-'];
    const patch = (what: string, body: unknown, type = 'merge'): string[] => [
      ...['patch', what, NAME, OURSELVES, '--dry-run=server', `--type=${type}`, '-p', JSON.stringify(body)],
    ];

    it('a Service of a release may be created, and no other', async () => {
      const { code, stderr } = await attempt(CREATE, made(owned()));
      assert.equal(code, 0, stderr);
      const others = /tranche-own-services.*the operator may write only Services with the label tranche\.dev\/traffic/;
      await refused(CREATE, others, made({}));
      await refused(CREATE, others, made({ labels: { 'tranche.dev/traffic': NAME } }));
      const shape =
        /tranche-own-services.*only Services of type ClusterIP or NodePort, with the selector of one version/;
      await refused(CREATE, shape, made(owned(), { type: 'LoadBalancer' }));
      await refused(CREATE, shape, made(owned(), { externalIPs: ['192.0.2.1'] }));
      await refused(CREATE, shape, made(owned(), { selector: { app: NAME } }));
    });

    it('the user’s Service is neither changed nor deleted', async () => {
      const others = /tranche-own-services.*the operator may write only Services/;
      await refused(patch('service', { spec: { selector: { app: 'another' } } }), others);
      await refused(patch('service', { metadata: owned() }), others);
      await refused(['delete', 'service', NAME, OURSELVES, '--dry-run=server'], others);
    });

    it('of a route, only the backends may change, and only to its own Services', async () => {
      const { rules = [] } = (await routed.liveRoute()).spec;
      const first = (change: object): object => ({ spec: { rules: [{ ...rules[0], ...change }, ...rules.slice(1)] } });
      const own = await attempt(patch('httproute', { metadata: { labels: { 'tranche.dev/traffic': 'other' } } }));
      assert.equal(own.code, 0, own.stderr);
      const table: readonly (readonly [change: object, expected: RegExp])[] = [
        [{ spec: { hostnames: ['evil.example.com'] } }, /only the rules of a route/],
        [{ spec: { parentRefs: [{ name: 'evil' }] } }, /only the rules of a route/],
        [{ metadata: { labels: { 'example.com/team': 'evil' } } }, /only labels and annotations of tranche\.dev/],
        [{ metadata: { annotations: { 'example.com/of': null } } }, /only labels and annotations of tranche\.dev/],
        [{ metadata: { finalizers: ['example.com/evil'] } }, /only labels and annotations of tranche\.dev/],
        [first({ backendRefs: [leg({ name: 'evil' })] }), /only to backends of the route, and to its own Services/],
        [first({ matches: [{ path: { type: 'Exact', value: '/evil' } }] }), /only the backends of a rule/],
        [first({ filters: [] }), /only the backends of a rule/],
        [{ spec: { rules: rules.slice(1) } }, /only the backends of a rule/],
      ];
      for (const [change, expected] of table)
        await refused(patch('httproute', change), new RegExp(`tranche-own-routes[^]*${expected.source}`));
    });

    it('neither with its rights: it may not delete a route, nor read the Secrets of a namespace', async () => {
      await refused(
        ['delete', 'httproute', NAME, OURSELVES, '--dry-run=server'],
        /cannot delete resource "httproutes"/,
      );
      await refused(['get', 'secrets', OURSELVES], /cannot list resource "secrets"/);
    });
  });

  describe('of the author of a TrafficRouting', () => {
    const lane = trafficRouting('lane');
    const withStrategy = (strategy: object): object => ({ ...lane, spec: { ...lane.spec, strategy } });

    before(() => routed.apply(service('lane', { app: NAME }), userRoute('lane'), lane));
    after(() => routed.kubectl('delete', RESOURCE, 'lane'));

    it('a route has one owner', async () => {
      const own = await attempt(apply(), lane);
      assert.equal(own.code, 0, own.stderr);
      const taken = (by: string): RegExp => new RegExp(`httpRouteName: Invalid value: .*already routed by ${by}`);
      await refused(apply(), taken(`Rollout ${NAME}`), trafficRouting('second', 'HTTPRoute', NAME));
      await refused(apply(), taken('TrafficRouting lane'), trafficRouting('second', 'HTTPRoute', 'lane'));
      const rival = rollout({ name: 'lane', kind: 'HTTPRoute', steps: APART, graceSeconds: 1 });
      await refused(apply(), taken('TrafficRouting lane'), rival);
    });

    it('it has to say which requests get which header', async () => {
      const { matches, requestHeaderModifier } = lane.spec.strategy;
      const weight = /strategy\.weight: Invalid value: .*a share of the requests would go to the same Service/;
      await refused(apply(), weight, withStrategy({ weight: 20, requestHeaderModifier }));
      await refused(apply(), /strategy\.matches: Required value/, withStrategy({ requestHeaderModifier }));
      await refused(apply(), /strategy\.requestHeaderModifier: Required value/, withStrategy({ matches }));
    });

    it('who may not change the route does not let the operator do it', async () => {
      const second = trafficRouting('second', 'HTTPRoute', 'second');
      await routed.apply(service('second', { app: NAME }), userRoute('second'));
      await role('lanes', '--verb=get,create,patch', `--resource=${RESOURCE}`);
      await bind('lars-lanes', 'lars', '--role=lanes');
      const forbidden =
        /httpRouteName: Forbidden: .*user "lars" does not have the verb patch on httproutes\.gateway\.networking\.k8s\.io/;
      await refused(apply('lars'), forbidden, second);
      await role(
        'second',
        '--verb=get,patch',
        '--resource=httproutes.gateway.networking.k8s.io',
        '--resource-name=second',
      );
      await bind('lars-second', 'lars', '--role=second');
      const { code, stderr } = await attempt(apply('lars'), second);
      assert.equal(code, 0, stderr);
    });
  });

  describe('of the author of a Rollout', () => {
    const ROLLOUT = rollout({ name: NAME, kind: 'HTTPRoute', steps: APART, graceSeconds: 1 }) as {
      readonly metadata: object;
      readonly spec: { readonly workloadRef: object; readonly strategy: object };
    };
    /** Of another workload. */
    const second = (name: string): object => {
      const { spec } = ROLLOUT;
      return { ...ROLLOUT, metadata: { name }, spec: { ...spec, workloadRef: { ...spec.workloadRef, name } } };
    };

    it('a second Rollout does not get the route of another one', async () => {
      await refused(apply(), /httpRouteName: Invalid value: "web": already routed by Rollout web/, second('rival'));
    });

    it('who may not change the route, or create Services, does not let the operator do it', async () => {
      await bind('ed', 'ed', '--clusterrole=edit');
      await role('rollouts', '--verb=get,create,patch', '--resource=rollouts.rollouts.kruise.io');
      await role('routes', '--verb=get,patch', '--resource=httproutes.gateway.networking.k8s.io');
      await bind('rita-rollouts', 'rita', '--role=rollouts');
      await bind('rita-routes', 'rita', '--role=routes');
      await routed.kubectl('delete', 'rollouts.rollouts.kruise.io', NAME);
      await refused(
        apply('ed'),
        /httpRouteName: Forbidden: .*user "ed" does not have the verb patch on httproutes\.gateway\.networking\.k8s\.io/,
        ROLLOUT,
      );
      await refused(
        apply('rita'),
        /trafficRoutings\[0\]\.service: Forbidden: .*user "rita" does not have the verb create on services/,
        ROLLOUT,
      );
      await bind('ed-routes', 'ed', '--role=routes');
      const { code, stderr } = await attempt(apply('ed'), ROLLOUT);
      assert.equal(code, 0, stderr);
    });

    it('a route that the release could not change is refused', async () => {
      const many = Array.from({ length: 9 }, (_, i) => ({
        matches: [{ path: { type: 'PathPrefix', value: `/${i}` } }],
        backendRefs: [leg({ name: 'many' })],
      }));
      const route = userRoute('many') as { readonly spec: object };
      await routed.apply({ ...route, spec: { ...route.spec, rules: many } }, service('many', { app: NAME }));
      const { spec } = ROLLOUT;
      const steps = [{ replicas: 1, matches: [{ headers: [{ name: 'x-user', value: 'a' }] }] }, { replicas: '100%' }];
      const of = rollout({ name: 'many', kind: 'HTTPRoute', steps, graceSeconds: 1 }) as typeof ROLLOUT;
      const object = { ...of, spec: { ...of.spec, workloadRef: spec.workloadRef } };
      await refused(apply(), /it would have 18 rules: at most 16 are possible/, object);
    });
  });
});
