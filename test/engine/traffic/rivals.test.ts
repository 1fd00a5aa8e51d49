// Which of several Rollouts has a route or a Service.
import assert from 'node:assert/strict';
import type { Rollout } from '../../../src/api/types.ts';
import { rivalOf, routedKeys } from '../../../src/engine/traffic/rivals.ts';
import { atStep, rollout, rows } from '../build.ts';
import { known, ROUTING } from './scene.ts';

interface Sketch {
  readonly name: string;
  readonly created?: string;
  readonly routing?: object | undefined;
  readonly deleting?: boolean;
  /** The status has a route and a Service: something may be left on them. */
  readonly noted?: boolean;
}

function one({ name, created = '10', routing = ROUTING, deleting = false, noted = false }: Sketch): Rollout {
  const status = atStep(1, 'StepUpgrade');
  const canaryStatus = { ...status.canaryStatus!, ...(noted && { traffic: known() }) };
  return rollout({
    canary: { trafficRoutings: [routing as typeof ROUTING] },
    metadata: {
      name,
      uid: `uid-${name}`,
      namespace: 'shop',
      creationTimestamp: `2026-01-01T00:00:${created}Z`,
      ...(deleting && { deletionTimestamp: '2026-01-02T00:00:00Z' }),
    },
    status: { ...status, canaryStatus },
  });
}

describe('the Rollout that has the route of another', () => {
  const younger = one({ name: 'b', created: '20' });
  const rpc = { ...ROUTING, gateway: { grpcRouteName: 'web' } };
  const table: readonly (readonly [what: string, self: Rollout, others: readonly Rollout[], rival: string])[] = [
    ['is none where it is alone', younger, [younger], '-'],
    ['is the older one', younger, [younger, one({ name: 'c' })], 'c: route'],
    ['is not a younger one', one({ name: 'c' }), [younger], '-'],
    ['is the first by name of the same second', one({ name: 'b' }), [one({ name: 'a' })], 'a: route'],
    ['is itself, if it is the first by name', one({ name: 'a' }), [one({ name: 'b' })], '-'],
    ['is the oldest of several', younger, [one({ name: 'd', created: '15' }), one({ name: 'c' })], 'c: route'],
    ['has the Service of another route', younger, [one({ name: 'a', routing: rpc })], 'a: service'],
    ['is none of another Service and route', younger, [one({ name: 'a', routing: { ...rpc, service: 'x' } })], '-'],
    ['is none that is deleted', younger, [one({ name: 'a', deleting: true })], '-'],
    [
      'is one that is being deleted and has left nothing yet',
      younger,
      [one({ name: 'a', deleting: true, noted: true })],
      'a: route',
    ],
    [
      'is one that names another route, and has not left this one',
      younger,
      [one({ name: 'a', routing: { ...rpc, service: 'x' }, noted: true })],
      'a: route',
    ],
  ];
  rows(table, (self, others, rival) => {
    const found = rivalOf(self, others);
    assert.equal(found === undefined ? '-' : `${found.name}: ${found.about}`, rival);
  });

  it('is named, with what to do', () => {
    const { reason, remedy } = rivalOf(younger, [one({ name: 'a' })])!;
    assert.equal(reason, 'already routed by Rollout a');
    assert.equal(
      remedy,
      'write another HTTPRoute, or delete that Rollout first: kubectl delete rollouts.rollouts.kruise.io a -n shop',
    );
  });
  it('is found by the names in the Rollout', () => {
    assert.deepEqual(routedKeys(younger), ['shop/HTTPRoute/web', 'shop/Service/web']);
  });
});
