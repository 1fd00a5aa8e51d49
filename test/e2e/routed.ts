// Traffic on the cluster of the acceptance tests: the CRDs of the Gateway API, the chart's value, and a stand-in for the controller of a gateway. No request
// is sent: test/data-plane does that.
import assert from 'node:assert/strict';
import type { ApiClient } from '../../src/kube/client.ts';
import { startController } from '../data-plane/gateway/controller.ts';
import type { HttpRoute } from '../data-plane/gateway/types.ts';
import { httpRoute, leg, manifest, service } from '../data-plane/objects.ts';
import { Routed, type Place, type RoutedOptions } from '../data-plane/routed.ts';
import { apiOf, GATEWAY } from '../data-plane/stage.ts';
import { findGatewayApi } from '../support/gateway-api.ts';
import { beforeEnd } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { RELEASE_NAMESPACE } from './harness/cluster.ts';
import { makeNamespace, theCluster } from './harness/session.ts';

/** Images that exist on a real cluster. A tag is a version. */
export const IMAGE = 'registry.k8s.io/pause';
export const [V1, V2, V3] = ['3.8', '3.9', '3.10'];
/** A Service of the user that the release has nothing to do with. */
export const OTHER = 'other';
const CRDS = ['httproutes', 'grpcroutes'].map((plural) => `${plural}.gateway.networking.k8s.io`);

export interface Traffic {
  /** A namespace in which routes are accepted. */
  place(name: string): Promise<Place>;
  end(): Promise<void>;
}

/** For `before`: the program may route traffic. Skips the suite with a printed reason if there are no CRDs. */
export async function startTraffic(suite: Mocha.Context): Promise<Traffic> {
  const found = await findGatewayApi();
  if ('missing' in found) {
    process.stderr.write(`    skipped: ${found.missing}\n`);
    return suite.skip();
  }
  const { client, embedded } = theCluster();
  const there = await client.kubectl(['get', 'crd', ...CRDS, '-o', 'name', '--ignore-not-found']);
  const missing = CRDS.filter((name) => !there.includes(name));
  const remove = (): Promise<string> => client.kubectl(['delete', 'crd', ...missing, '--ignore-not-found']);
  if (missing.length > 0) {
    if (!embedded) beforeEnd(remove);
    const files = found.definitions.filter((file) =>
      missing.some((name) => file.endsWith(`_${name.split('.')[0]}.yaml`)),
    );
    await client.kubectl(['create', ...files.flatMap((file) => ['-f', file])]);
    const list = ['get', missing.join(','), '--all-namespaces'];
    await until(
      async () => (await client.attempt('kubectl', list)).code === 0,
      () => `${missing.join(' and ')} are not served`,
      60,
    );
  }
  await routesTraffic(true);
  const api: ApiClient = await apiOf(client.kubeconfig);
  const controllers: (() => Promise<void>)[] = [];
  const namespaces: string[] = [];
  return {
    async place(name) {
      const namespace = await makeNamespace(name);
      await client.kubectl(['apply', '-n', namespace, '-f', '-'], { input: manifest(service(OTHER, { app: OTHER })) });
      namespaces.push(namespace);
      controllers.push(await startController({ api, namespace, name: GATEWAY }));
      return { client, api, namespace };
    },
    async end() {
      // While traffic can be routed: what is deleted during a release gives its route back.
      for (const namespace of namespaces)
        await client.kubectl(
          ['delete', 'rollouts.rollouts.kruise.io,trafficroutings.rollouts.kruise.io', '--all', '-n', namespace],
          { timeoutSeconds: 120 },
        );
      await Promise.all(controllers.map((stop) => stop()));
      api.close();
      await routesTraffic(false);
      if (missing.length > 0) await remove();
    },
  };
}

/** Upgrades the chart, and starts the program again as the chart does. */
async function routesTraffic(enabled: boolean): Promise<void> {
  const { upgradeChart, killProgram } = theCluster();
  await upgradeChart([`traffic.gatewayAPI.enabled=${enabled}`]);
  await killProgram();
  await revive(enabled);
}

/** After the program was killed. */
export async function revive(enabled = true): Promise<void> {
  const { client, startProgram } = theCluster();
  // The program that was killed has not given the lead up.
  await client.kubectl(['delete', 'lease', 'tranche', '-n', RELEASE_NAMESPACE, '--ignore-not-found']);
  await startProgram(enabled ? ['--gateway-api', 'true'] : []);
}

const NO_PRE_STOP = { preStopSeconds: 0, graceSeconds: 1, replicas: 10 } as const;

export type Wanted = Pick<RoutedOptions, 'name' | 'steps' | 'rollout'> &
  Partial<Pick<RoutedOptions, 'kind' | 'route' | 'applyFlags'>>;

/** A routed Deployment, of which version V1 serves. */
export async function createRouted(place: Place, { name, ...more }: Wanted): Promise<Routed> {
  const { kind = 'HTTPRoute', route = userRoute(name) } = more;
  const routed = new Routed(place, { ...NO_PRE_STOP, ...more, name, kind, route, image: IMAGE, version: V1! });
  await routed.create();
  return routed;
}

/** Two rules: one with a part for another Service, and one without a weight. `edited`: as a later commit in Git writes it. */
export const userRoute = (name: string, edited = false): object => {
  const set = [{ name: 'x-shop', value: edited ? 'new' : 'old' }];
  const route = httpRoute({
    name,
    gateways: [GATEWAY],
    hostnames: [`${name}.example.com`],
    rules: [
      {
        matches: [{ path: { type: 'PathPrefix', value: '/shop' } }],
        filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set } }],
        backendRefs: [leg({ name, weight: 3 }), leg({ name: OTHER, weight: edited ? 2 : 1 })],
      },
      { backendRefs: [leg({ name })], timeouts: { request: '10s' } },
    ],
  }) as HttpRoute;
  const labels = { 'example.com/team': 'shop' };
  const annotations = { 'example.com/of': 'the user' };
  return { ...route, metadata: { ...route.metadata, labels, annotations } };
};

/** Of each rule, the share of each backend: `{ web: 0.7, 'web-canary': 0.3 }`. */
export async function sharesOf(routed: Routed): Promise<readonly Readonly<Record<string, number>>[]> {
  const { spec } = await routed.liveRoute();
  return (spec.rules ?? []).map(({ backendRefs = [] }) => {
    const sum = backendRefs.reduce((all, { weight = 1 }) => all + weight, 0);
    return Object.fromEntries(backendRefs.map(({ name, weight = 1 }) => [name, rounded(weight / sum)]));
  });
}

const rounded = (share: number): number => Math.round(share * 1e6) / 1e6;

/** The shares of both rules of `userRoute`, if the parts of the user's Service are these, of one. */
export const expectedShares = (
  parts: Readonly<Record<string, number>>,
  edited = false,
): readonly Readonly<Record<string, number>>[] => {
  const others = edited ? 2 : 1;
  const times = (by: number): Record<string, number> =>
    Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, rounded(part * by)]));
  return [{ ...times(3 / (3 + others)), [OTHER]: rounded(others / (3 + others)) }, times(1)];
};

/** Its shares, as soon as they are these. */
export async function untilShares(
  routed: Routed,
  parts: Readonly<Record<string, number>>,
  edited = false,
): Promise<void> {
  const expected = expectedShares(parts, edited);
  let last: unknown;
  await routed
    .until('its shares', async () => {
      last = await sharesOf(routed);
      return JSON.stringify(sorted(last)) === JSON.stringify(sorted(expected));
    })
    .catch((error: Error) => assert.deepEqual(last, expected, error.message));
}

const sorted = (rules: unknown): unknown =>
  (rules as Record<string, number>[]).map((rule) => Object.entries(rule).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** A sync by Git changes nothing, and a dry run and a diff show no drift. */
export async function checkNoDrift(routed: Routed): Promise<void> {
  const before = await routed.liveRoute();
  const { applyFlags = [] } = routed.options;
  const input = JSON.stringify(routed.route);
  const { client, namespace } = routed.place;
  const said = await client.kubectl(
    ['apply', ...applyFlags, '--dry-run=server', '-o', 'json', '-n', namespace, '-f', '-'],
    { input },
  );
  assert.deepEqual((JSON.parse(said) as { spec: object }).spec, before.spec, 'a dry run shows what is stored');
  const diff = await client.attempt('kubectl', ['diff', ...applyFlags, '-n', namespace, '-f', '-'], { input });
  assert.equal(diff.code, 0, `${diff.stdout}${diff.stderr}`);
  await routed.apply(routed.route);
  const after = await routed.liveRoute();
  assert.deepEqual(after.spec, before.spec);
  assert.equal(after.metadata.annotations?.['tranche.dev/held'], before.metadata.annotations?.['tranche.dev/held']);
}

/** The API server uses a new policy some time after it was written. */
export async function untilPolicies(): Promise<void> {
  const { client } = theCluster();
  const asked = ['create', 'service', 'clusterip', 'probe', '--tcp=80', '--dry-run=server', '-n', 'default'];
  const ourselves = `--as=system:serviceaccount:${RELEASE_NAMESPACE}:tranche`;
  await until(
    async () => /tranche-own-services/.test((await client.attempt('kubectl', [...asked, ourselves])).stderr),
    () => 'the policy tranche-own-services is not in force',
    60,
  );
}
