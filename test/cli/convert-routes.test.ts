// Routes of Argo Rollouts and Flagger become trafficRoutings, which the webhook takes; all others are lost, in words.
import assert from 'node:assert/strict';
import type { Json } from '../../src/api/json.ts';
import type { Rollout } from '../../src/api/types.ts';
import { convertArgo } from '../../src/cli/convert/argo.ts';
import { convertFlagger } from '../../src/cli/convert/flagger.ts';
import type { Converted } from '../../src/cli/convert/types.ts';
import { validateRollout } from '../../src/engine/validate/rollout.ts';
import { checkRollout } from '../../src/schema/rollout.ts';

const STEPS = [{ setWeight: 10 }, { pause: {} }, { setWeight: 50 }, { pause: { duration: '1m' } }];
const argo = (trafficRouting: unknown, canary: object = {}, metadata: object = {}): Converted =>
  convertArgo(
    {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      metadata: { name: 'web', ...metadata },
      spec: {
        workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        strategy: {
          canary: { steps: STEPS, stableService: 'web', canaryService: 'web-new', trafficRouting, ...canary },
        },
      },
    } as Json,
    [],
  );
const gateway = (config: unknown, more: object = {}): object => ({
  plugins: { 'argoproj-labs/gatewayAPI': config },
  ...more,
});
const flagger = (
  provider: unknown,
  more: object = {},
  analysis: object = { stepWeight: 20, maxWeight: 40 },
): Converted =>
  convertFlagger(
    {
      apiVersion: 'flagger.app/v1beta1',
      kind: 'Canary',
      metadata: { name: 'podinfo' },
      spec: {
        provider,
        targetRef: { kind: 'Deployment', name: 'podinfo' },
        analysis: { interval: '1m', ...analysis },
        ...more,
      },
    } as Json,
    [],
  );

/** Checked as the webhook does. */
function made({ objects }: Converted): NonNullable<Rollout['spec']['strategy']['canary']> {
  const { rollout, violations } = checkRollout(objects.at(-1));
  assert.deepEqual(violations, []);
  const judged = validateRollout({ rollout: rollout!, version: 'v1beta1', gatewayApi: true });
  assert.deepEqual(judged.violations, []);
  return rollout!.spec.strategy.canary!;
}
const lostIn = ({ remarks }: Converted, about: RegExp): string[] =>
  remarks.filter(({ lost, text }) => lost && about.test(text)).map(({ text }) => text);
const notes = ({ remarks }: Converted): string => remarks.map(({ text }) => text).join('\n');

describe('a Rollout of Argo with the plugin for the Gateway API', () => {
  for (const [what, config, route] of [
    ['an HTTPRoute', { httpRoute: 'shop', namespace: 'default' }, { httpRouteName: 'shop' }],
    ['a list with an HTTPRoute', { httpRoutes: [{ name: 'shop' }] }, { httpRouteName: 'shop' }],
    ['a GRPCRoute', { grpcRoutes: [{ name: 'shop' }] }, { grpcRouteName: 'shop' }],
  ] as const)
    it(`gets trafficRoutings from ${what}, and the weights of the steps`, () => {
      const converted = argo(gateway(config));
      const canary = made(converted);
      assert.deepEqual(canary.trafficRoutings, [{ service: 'web', gateway: route }]);
      assert.deepEqual(
        canary.steps?.map(({ replicas, traffic }) => [replicas, traffic]),
        [
          ['10%', '10%'],
          ['50%', '50%'],
          ['100%', undefined],
        ],
      );
      assert.match(notes(converted), /send all requests to Service "web", and remove Service "web-new" from it/);
      assert.deepEqual(lostIn(converted, /trafficRouting/), []);
    });
  it('moves on to the next weight without a pause, because requests follow', () => {
    const canary = made(
      argo(gateway({ httpRoute: 'shop' }), { steps: [{ setWeight: 20 }, { setWeight: 40 }, { pause: {} }] }),
    );
    assert.deepEqual(canary.steps?.[0], { replicas: '20%', traffic: '20%', pause: { duration: 0 } });
  });
  for (const [what, converted, why] of [
    [
      'two routes',
      argo(gateway({ httpRoute: 'a', httpRoutes: [{ name: 'b' }] })),
      /names 2 routes, and a Rollout has one/,
    ],
    ['a route elsewhere', argo(gateway({ httpRoute: 'a', namespace: 'edge' })), /the route is in namespace edge/],
    ['no route', argo(gateway({ tcpRoute: 'a' })), /names no HTTPRoute and no GRPCRoute/],
    ['no stableService', argo(gateway({ httpRoute: 'a' }), { stableService: undefined }), /there is no stableService/],
    [
      'a second way, beside it',
      argo(gateway({ httpRoute: 'a' }, { istio: {} })),
      /\(istio\): only routes of the Gateway API/,
    ],
    ['an ALB', argo({ alb: { ingress: 'web' } }), /\(alb\): only routes of the Gateway API are supported/],
    ['SMI', argo({ smi: {} }), /\(smi\): only routes of the Gateway API are supported/],
    [
      'another plugin',
      argo({ plugins: { 'solo-io/glooedge': {} } }),
      /\(solo-io\/glooedge\): only routes of the Gateway API/,
    ],
    ['nothing', argo({}), /trafficRouting: only routes of the Gateway API are supported/],
  ] as const)
    it(`with ${what} gets percentages of Pods, and is told why`, () => {
      const canary = made(converted);
      assert.equal(canary.trafficRoutings, undefined);
      assert.ok(canary.steps?.every(({ traffic }) => traffic === undefined));
      assert.equal(lostIn(converted, why).length, 1, notes(converted));
    });
  it('loses its managed routes', () => {
    const converted = argo(gateway({ httpRoute: 'a' }, { managedRoutes: [{ name: 'x' }] }));
    assert.ok(made(converted).trafficRoutings);
    assert.equal(lostIn(converted, /managedRoutes: write matches in the steps instead/).length, 1);
  });
});

describe('a Canary of Flagger', () => {
  for (const provider of ['gatewayapi:v1', 'gatewayapi:v1beta1', 'gatewayapi'])
    it(`with ${provider} gets trafficRoutings, and the weights of the steps`, () => {
      const converted = flagger(provider, { service: { name: 'api', port: 80 } });
      const canary = made(converted);
      assert.deepEqual(canary.trafficRoutings, [{ service: 'api', gateway: { httpRouteName: 'api' } }]);
      assert.deepEqual(
        canary.steps?.map(({ replicas, traffic }) => [replicas, traffic]),
        [
          ['20%', '20%'],
          ['40%', '40%'],
          ['100%', undefined],
        ],
      );
      assert.match(notes(converted), /write HTTPRoute "api" yourself/);
    });
  it('has the name of its Deployment for the Service and the route', () => {
    assert.equal(made(flagger('gatewayapi:v1')).trafficRoutings?.[0]?.service, 'podinfo');
  });
  it('gets no share for the one Pod of an A/B release, and is told where to write matches', () => {
    const match = [{ headers: { 'x-user': { exact: 'me' } } }];
    const converted = flagger('gatewayapi:v1', {}, { iterations: 3, match });
    assert.deepEqual(made(converted).steps, [{ replicas: 1 }, { replicas: '100%' }]);
    assert.match(lostIn(converted, /analysis\.match/)[0] ?? '', /with trafficRoutings, write matches in a step/);
  });
  for (const provider of ['istio', 'nginx', 'linkerd', 'smi:v1alpha2', 'traefik', 3])
    it(`with ${provider} gets percentages of Pods, and is told why`, () => {
      const converted = flagger(provider);
      assert.equal(made(converted).trafficRoutings, undefined);
      assert.equal(lostIn(converted, /spec\.provider .*: only routes of the Gateway API are supported/).length, 1);
    });
});
