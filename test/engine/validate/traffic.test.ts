// The traffic fields of a Rollout: what the installation and the kind of workload cannot do.
import assert from 'node:assert/strict';
import { TRAFFIC_ROUTING } from '../../../src/api/keys.ts';
import type { CanaryStep } from '../../../src/api/types.ts';
import type { TrafficRouting } from '../../../src/api/traffic.ts';
import { validateRollout, type RolloutEdit } from '../../../src/engine/validate/rollout.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { canary, rollout, sized } from './support.ts';

const ROUTING: TrafficRouting = { service: 'web', gateway: { httpRouteName: 'web' } };
const STEPS: readonly CanaryStep[] = [
  { replicas: 1, traffic: '5%' },
  { replicas: '50%', traffic: '50%' },
  { replicas: '100%' },
];
const routed = (routing: Partial<TrafficRouting> = {}, more: object = {}, steps = STEPS) =>
  canary({ trafficRoutings: [{ ...ROUTING, ...routing }], steps, ...more });
const judge = (one: RolloutEdit['rollout'], more: Partial<RolloutEdit> = {}): string[] =>
  validateRollout({ rollout: one, version: 'v1beta1', gatewayApi: true, ...more }).violations.map(sentence);
const ROUTINGS = 'spec.strategy.canary.trafficRoutings';

describe('a Rollout that names a TrafficRouting', () => {
  const REF = 'spec.strategy.canary.trafficRoutingRef';
  const named = (annotation?: string) => {
    const one = canary({ trafficRoutingRef: 'lane' });
    const annotations = annotation === undefined ? {} : { [TRAFFIC_ROUTING]: annotation };
    return { ...one, metadata: { ...one.metadata, annotations } };
  };
  it('is accepted, also with the same name in the annotation', () => {
    for (const one of [named(), named('lane'), named('')]) assert.deepEqual(judge(one), []);
  });
  it('is refused with another name in the annotation', () => {
    assert.deepEqual(judge(named('other')), [
      `${REF}: Invalid value: "lane": the annotation rollouts.kruise.io/trafficrouting names "other"; remove the annotation, or write the same name in both`,
    ]);
  });
  it('is refused where the installation changes no routes', () => {
    assert.deepEqual(judge(named(), { gatewayApi: false }), [
      `${REF}: Forbidden: this installation does not change routes; set the value traffic.gatewayAPI.enabled of the chart, or remove it`,
    ]);
  });
});

describe('a Rollout with trafficRoutings', () => {
  it('is accepted with an HTTPRoute or a GRPCRoute, and where the installation is not known', () => {
    assert.deepEqual(judge(routed()), []);
    assert.deepEqual(judge(routed(), { gatewayApi: undefined }), []);
    assert.deepEqual(judge(routed({ gateway: { grpcRouteName: 'web' } })), []);
    assert.deepEqual(
      judge(
        routed({}, {}, [
          { replicas: 1, traffic: '0%' },
          { replicas: '100%', traffic: '100%' },
        ]),
      ),
      [],
    );
  });

  it('is refused where the installation changes no routes, with the value to set', () => {
    assert.deepEqual(judge(routed(), { gatewayApi: false }), [
      `${ROUTINGS}: Forbidden: this installation does not change routes; set the value traffic.gatewayAPI.enabled of the chart, or remove it: each Pod then gets its share of the requests`,
    ]);
  });

  it('is refused for workloads other than Deployments', () => {
    for (const kind of ['StatefulSet', 'DaemonSet']) {
      const one = rollout({ canary: routed().spec.strategy.canary }, { ref: { kind } });
      assert.deepEqual(judge(one), [
        `${ROUTINGS}: Forbidden: requests are routed to the versions of a Deployment only; remove it: each Pod then gets its share of the requests`,
      ]);
    }
  });

  it('is refused for a Service whose name leaves no room for those of a release', () => {
    assert.deepEqual(judge(routed({ service: 'a'.repeat(56) })), []);
    const service = 'a'.repeat(57);
    assert.deepEqual(judge(routed({ service })), [
      `${ROUTINGS}[0].service: Invalid value: "${service}": must be no more than 56 characters, because a release creates Services NAME-canary and NAME-stable; use a Service with a shorter name`,
    ]);
  });

  it('is refused with disableGenerateCanaryService', () => {
    assert.deepEqual(judge(routed({}, { disableGenerateCanaryService: true })), [
      'spec.strategy.canary.disableGenerateCanaryService: Forbidden: trafficRoutings needs a Service for each version; remove it',
    ]);
    assert.deepEqual(judge(routed({}, { disableGenerateCanaryService: false })), []);
  });

  it('is refused for a share that is no percentage', () => {
    for (const traffic of ['5', '101%', 'x', ''])
      assert.deepEqual(judge(routed({}, {}, [{ replicas: 1, traffic }])), [
        `spec.strategy.canary.steps[0].traffic: Invalid value: "${traffic}": must be a percentage of the requests; write "0%" to "100%"`,
      ]);
  });

  it('is checked with its route and its Service, and only if nothing else is wrong', () => {
    const elsewhere = {
      spec: { rules: [{ backendRefs: [{ name: 'other' }] }] },
      metadata: { name: 'web', namespace: 'default' },
    };
    const found = judge(routed(), { routed: { route: elsewhere } });
    assert.equal(found.length, 1);
    assert.match(
      found.join(),
      /gateway\.httpRouteName: Invalid value: "web": the HTTPRoute sends no requests to Service web/,
    );
    assert.equal(judge(routed(), { routed: { route: elsewhere }, gatewayApi: false }).length, 1);
  });
});

describe('the author of a Rollout with trafficRoutings', () => {
  const warnings = (steps: readonly CanaryStep[], replicas = 10, more: object = {}): readonly string[] =>
    validateRollout({ rollout: routed({}, more, steps), version: 'v1beta1', deployment: sized(replicas) }).warnings;

  it('is told which Pods get many more requests than without a release', () => {
    assert.deepEqual(warnings([{ replicas: 1, traffic: '50%' }, { replicas: '100%' }]), [
      'tranche: spec.strategy.canary.steps[0].traffic: 50% of the requests go to 1 Pod of 10, 5 times what a Pod gets without a release',
    ]);
    assert.deepEqual(warnings([{ replicas: 9, traffic: '5%' }, { replicas: '100%' }]), [
      'tranche: spec.strategy.canary.steps[0].traffic: 5% of the requests leave 95% for 1 Pod of 10, 9.5 times what a Pod gets without a release',
    ]);
    assert.deepEqual(
      warnings([{ replicas: 1, traffic: '5%' }, { replicas: 5, traffic: '60%' }, { replicas: '100%' }]),
      [],
    );
  });

  it('is told which fields have no effect', () => {
    const matches = [{ headers: [{ name: 'x-beta', value: '1' }] }];
    assert.match(
      warnings([{ replicas: 1, traffic: '5%', matches }, { replicas: '100%' }]).join(),
      /traffic: has no effect beside matches/,
    );
    assert.match(
      warnings([
        { replicas: 1, traffic: '5%' },
        { replicas: '100%', matches },
      ]).join(),
      /steps\[1\]\.matches: has no effect, because the step updates all Pods/,
    );
    assert.match(
      warnings([{ replicas: 1 }, { replicas: '100%' }]).join(),
      /has no effect, because no step has traffic or matches/,
    );
  });
});
