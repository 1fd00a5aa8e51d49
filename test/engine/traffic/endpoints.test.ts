// The Pods that a Service sends requests to.
import assert from 'node:assert/strict';
import { MANAGED_BY, SERVICE_NAME } from '../../../src/api/keys.ts';
import type { Endpoint, EndpointSlice, Service } from '../../../src/api/traffic.ts';
import type { KubeObject } from '../../../src/api/types.ts';
import { readyEndpoints, SLICE_CONTROLLER } from '../../../src/engine/traffic/endpoints.ts';

const WEB: Service = { metadata: { name: 'web', uid: 'of-web' }, spec: {} };
const owner = (uid: string, kind = 'Service'): KubeObject['metadata'] =>
  ({ ownerReferences: [{ apiVersion: 'v1', kind, name: 'web', uid, controller: true }] }) as never;
const slice = (of: string, endpoints: readonly Endpoint[], more: object = {}): EndpointSlice => ({
  metadata: {
    labels: { [SERVICE_NAME]: of, [MANAGED_BY]: SLICE_CONTROLLER },
    ...owner(`of-${of}`),
    ...more,
    name: `${of}-x`,
  },
  endpoints,
});
const endpoint = (uid: string, conditions: Endpoint['conditions'] = { ready: true }): Endpoint => ({
  addresses: [`10.0.0.${uid}`],
  targetRef: { kind: 'Pod', name: `pod-${uid}`, uid },
  ...(conditions && { conditions }),
});

describe('the ready endpoints of a Service', () => {
  it('are its Pods that are ready and not terminating, each once', () => {
    const slices = [
      slice('web', [endpoint('1'), endpoint('2', { ready: false }), endpoint('3', { ready: true, terminating: true })]),
      slice('web', [endpoint('1'), endpoint('4', {})]),
      slice('web-canary', [endpoint('9')]),
      slice('web', [endpoint('5')], { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    ];
    assert.deepEqual([...readyEndpoints(slices, WEB)], ['1', '4']);
  });
  it('may be without a Pod', () => {
    assert.deepEqual(
      [...readyEndpoints([slice('web', [{ addresses: ['10.1.1.1'] }]), { metadata: { name: 'x' } }], WEB)],
      ['10.1.1.1'],
    );
  });
  it('come from slices that Kubernetes made for this very Service', () => {
    const forged = [
      slice('web', [endpoint('1')], owner('of-an-older-web')),
      slice('web', [endpoint('2')], owner('of-web', 'ConfigMap')),
      slice('web', [endpoint('3')], { ownerReferences: [] }),
      slice('web', [endpoint('4')], { labels: { [SERVICE_NAME]: 'web', [MANAGED_BY]: 'somebody.example' } }),
    ];
    assert.deepEqual([...readyEndpoints(forged, WEB)], []);
  });
});
