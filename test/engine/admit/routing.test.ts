// A Rollout that routes requests, at admission: what its author must be allowed to do, what is read, and who routes the same already.
import assert from 'node:assert/strict';
import type { Json } from '../../../src/api/json.ts';
import type { Route, Service, TrafficRouting } from '../../../src/api/traffic.ts';
import type { Rollout } from '../../../src/api/types.ts';
import type { AdmissionDecision, Answers } from '../../../src/engine/admit/decision.ts';
import { admitRollout, type RolloutFacts, type WrittenRollout } from '../../../src/engine/admit/rollout.ts';
import type { RoutedObjects } from '../../../src/engine/admit/routing.ts';
import { routedKeys } from '../../../src/engine/traffic/rivals.ts';
import { demo, disabled, facts, refusal, sha256, warningsOf, web } from './support.ts';

const ROUTING: TrafficRouting = { service: 'web', gateway: { httpRouteName: 'shop' } };
const routed = (routing: Partial<TrafficRouting> = {}, name = 'demo', step: object = { traffic: '5%' }): Rollout => {
  const one = demo();
  const canary = {
    trafficRoutings: [{ ...ROUTING, ...routing }],
    steps: [{ replicas: '10%', ...step }, { replicas: '50%', traffic: '50%' }, { replicas: '100%' }],
  };
  return { ...one, metadata: { ...one.metadata, name }, spec: { ...one.spec, strategy: { canary } } };
};
const written = (rollout: Rollout | undefined): WrittenRollout | undefined =>
  rollout && { json: rollout as unknown as Json, rollout, shape: [] };

function admit(old: Rollout | undefined, next: Rollout, more: Partial<RolloutFacts> = {}): AdmissionDecision {
  return admitRollout({
    ...facts({ operation: old === undefined ? 'CREATE' : 'UPDATE' }),
    phase: 'validate',
    version: 'v1beta1',
    old: written(old),
    next: written(next),
    deployments: { old: web('v1'), next: web('v1') },
    other: undefined,
    routers: [next],
    routings: [],
    routing: undefined,
    gatewayApi: true,
    unreached: undefined,
    texts: () => [],
    sha256,
    ...more,
  });
}

const route: Route = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'shop', namespace: 'shop' },
  spec: { rules: [{ backendRefs: [{ name: 'web', port: 80 }] }] },
};
const service: Service = {
  metadata: { name: 'web', namespace: 'shop' },
  spec: { selector: web('v1').spec.selector.matchLabels ?? {}, ports: [{ port: 80 }] },
};
const ALL: RoutedObjects = { route, service, legs: [] };
const answers = (found: Partial<RoutedObjects> = {}): { answers: Answers } => ({
  answers: { rights: [], routed: { found: { ...ALL, ...found } } },
});
const AT = 'spec.strategy.canary.trafficRoutings[0]';

describe('a Rollout that routes requests', () => {
  it('asks for the rights of its author first, and then for the route and the Services', () => {
    const first = admit(undefined, routed());
    assert.deepEqual(
      first.needs?.rights?.map(({ field, verb, resource, name }) => [field, verb, resource.plural, name]),
      [
        [`${AT}.gateway.httpRouteName`, 'patch', 'httproutes', 'shop'],
        [`${AT}.service`, 'create', 'services', undefined],
      ],
    );
    const second = admit(undefined, routed(), { answers: { rights: [] } });
    assert.deepEqual([second.needs?.routed?.route.name, second.needs?.routed?.service], ['shop', 'web']);
    const last = admit(undefined, routed(), answers());
    assert.deepEqual([last.verdict, last.needs, refusal(last)], ['Passed', undefined, '']);
  });

  it('asks for the rights on a GRPCRoute', () => {
    const { needs } = admit(undefined, routed({ gateway: { grpcRouteName: 'rpc' } }));
    const [right] = needs?.rights ?? [];
    assert.deepEqual([right?.field, right?.resource.kind], [`${AT}.gateway.grpcRouteName`, 'GRPCRoute']);
  });

  it('is refused with what its author lacks, and nothing is said about the route', () => {
    const lack = { field: `${AT}.service`, value: 'web', type: 'Forbidden', reason: 'no', remedy: 'ask' } as const;
    const decision = admit(undefined, routed(), { answers: { rights: [lack] } });
    assert.deepEqual([refusal(decision), decision.needs], [`${AT}.service: Forbidden: no; ask`, undefined]);
  });

  it('asks for rights again only when it names another route or Service', () => {
    const old = routed();
    assert.equal(admit(old, routed({}, 'demo', { traffic: '6%' })).needs?.rights, undefined);
    assert.ok(admit(old, routed({}, 'demo', { traffic: '6%' })).needs?.routed, 'the route is looked at');
    assert.ok(admit(old, routed({ service: 'web2' })).needs?.rights);
    assert.ok(admit(old, routed({ gateway: { httpRouteName: 'other' } })).needs?.rights);
    assert.ok(admit(old, routed({ gateway: { grpcRouteName: 'shop' } })).needs?.rights, 'a route of another kind');
    assert.ok(admit(demo(), routed()).needs?.rights, 'it had none before');
  });

  it('asks nothing without a change of the spec, to be disabled, before it is valid, and in the first call', () => {
    const old = routed();
    const labelled = { ...old, metadata: { ...old.metadata, labels: { a: 'b' } } };
    for (const [next, more] of [
      [labelled, {}],
      [disabled(old), {}],
      [routed({ service: 'a'.repeat(60) }), {}],
      [routed({ service: 'web2' }), { phase: 'mutate' as const }],
      [routed({ service: 'web2' }), { gatewayApi: false }],
    ] as const)
      assert.equal(admit(old, next, more).needs, undefined, JSON.stringify(more));
  });

  it('is told what does not exist yet, and accepted', () => {
    const decision = admit(undefined, routed(), answers({ route: undefined, service: undefined }));
    assert.equal(refusal(decision), '');
    assert.match(
      warningsOf(decision),
      /HTTPRoute shop does not exist: releases wait until it is created\n.*Service web does not exist/,
    );
  });

  it('is refused for a route that does not name its Service, in the words of its version', () => {
    const other = { ...route, spec: { rules: [{ backendRefs: [{ name: 'other' }] }] } };
    const decision = admit(undefined, routed(), answers({ route: other }));
    assert.match(
      refusal(decision),
      /httpRouteName: Invalid value: "shop": the HTTPRoute sends no requests to Service web/,
    );
  });

  it('is not decided without an answer about the route', () => {
    const decision = admit(undefined, routed(), { answers: { rights: [], routed: 'NoAnswer' } });
    assert.match(decision.notReady ?? '', /did not answer/);
    assert.equal(admit(undefined, routed(), { answers: { rights: [], routed: 'NobodyToAsk' } }).verdict, 'Passed');
  });

  it('is refused if another Rollout routes the same route or Service', () => {
    const said = (other: Rollout): string =>
      refusal(admit(undefined, routed(), { ...answers(), routers: [routed(), other] }));
    assert.equal(
      said(routed({ service: 'web2' }, 'first')),
      `${AT}.gateway.httpRouteName: Invalid value: "shop": already routed by Rollout first; write another HTTPRoute, or delete that Rollout first: kubectl delete rollouts.rollouts.kruise.io first -n shop`,
    );
    assert.match(
      said(routed({ gateway: { grpcRouteName: 'shop' } }, 'first')),
      /^spec.*\.service: Invalid value: "web": already routed by Rollout first/,
    );
    assert.equal(said(routed({ service: 'web2', gateway: { grpcRouteName: 'shop' } }, 'first')), '');
    const leaving = routed({}, 'first');
    const gone = { ...leaving, metadata: { ...leaving.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    assert.equal(said(gone), '', 'one that is being deleted gives the route up');
  });
});

describe('the index of Rollouts by what they route', () => {
  it('has the route and the Service', () => {
    assert.deepEqual(routedKeys(routed()), ['shop/HTTPRoute/shop', 'shop/Service/web']);
    assert.deepEqual(routedKeys(routed({ gateway: { grpcRouteName: 'rpc' } })), [
      'shop/GRPCRoute/rpc',
      'shop/Service/web',
    ]);
    assert.deepEqual(routedKeys(demo()), []);
    assert.deepEqual(routedKeys(routed({ gateway: {} })), []);
  });
});
