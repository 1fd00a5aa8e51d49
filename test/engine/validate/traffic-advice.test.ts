import assert from 'node:assert/strict';
import type { CanaryStep } from '../../../src/api/types.ts';
import { adviseOnTraffic } from '../../../src/engine/validate/traffic-advice.ts';

const advice = (canary: object, replicas?: number): string[] => [...adviseOnTraffic(canary, replicas)];
const steps: readonly CanaryStep[] = [{ replicas: 1, traffic: '50%' }, { replicas: '100%' }];

describe('advice about requests', () => {
  it('without a route says that weights have no effect', () => {
    assert.deepEqual(advice({ steps }), [
      'tranche: the weights of the steps have no effect without trafficRoutings: each Pod gets its share of the requests',
    ]);
    assert.deepEqual(advice({ steps: [{ replicas: '50%', traffic: '50%' }] }), [
      'tranche: the weights of the steps are percentages of Pods, because there are no trafficRoutings',
    ]);
    assert.deepEqual(advice({ steps: [{ replicas: 1 }] }), []);
    assert.deepEqual(advice({ disableGenerateCanaryService: true }), [
      'tranche: spec.strategy.canary.disableGenerateCanaryService has no effect without trafficRoutings',
    ]);
  });

  it('with a route needs the size of the workload', () => {
    const routed = { steps, trafficRoutings: [{ service: 'web' }] };
    assert.equal(advice(routed, 10).length, 1);
    for (const replicas of [undefined, 0, 1]) assert.deepEqual(advice(routed, replicas), []);
  });

  it('says nothing about requests that match', () => {
    const matches = [{ headers: [{ name: 'a', value: 'b' }] }];
    const routed = { steps: [{ replicas: 1, traffic: '90%', matches }], trafficRoutings: [{ service: 'web' }] };
    assert.deepEqual(advice(routed, 10), []);
  });
});
