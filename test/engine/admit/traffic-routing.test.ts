// The decision on a TrafficRouting, as a table.
import assert from 'node:assert/strict';
import { FIELD_MANAGER, TRAFFIC_ROUTING } from '../../../src/api/keys.ts';
import type { TrafficRoutingObject } from '../../../src/api/traffic.ts';
import { admitTrafficRouting, type TrafficRoutingFacts } from '../../../src/engine/admit/traffic-routing.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { ref, route, rule, service } from '../traffic/build.ts';
import { demo, OPERATOR } from './support.ts';

const matches = [{ headers: [{ name: 'x-user', value: 'me' }] }];
const requestHeaderModifier = { set: [{ name: 'x-lane', value: 'gray' }] };
const lane = (spec: Partial<TrafficRoutingObject['spec']> = {}, metadata: object = {}): TrafficRoutingObject => ({
  apiVersion: 'rollouts.kruise.io/v1alpha1',
  kind: 'TrafficRouting',
  metadata: { name: 'lane', namespace: 'shop', ...metadata },
  spec: {
    objectRef: [{ service: 'web', gateway: { httpRouteName: 'web' } }],
    strategy: { matches, requestHeaderModifier },
    ...spec,
  },
});
const found = { route: route([rule([ref('web')])]), service: service(), legs: [] };
const facts = (
  next: TrafficRoutingObject | undefined,
  more: Partial<TrafficRoutingFacts> = {},
): TrafficRoutingFacts => ({
  operation: 'CREATE',
  subResource: '',
  by: { request: 'u', user: 'anna', groups: [], fieldManager: '', dryRun: false },
  operatorUser: OPERATOR,
  warns: true,
  notReady: undefined,
  policies: undefined,
  answers: { rights: [], routed: { found } },
  old: undefined,
  next,
  shape: [],
  rivals: { rollouts: [], routings: [] },
  ...more,
});
const said = (of: TrafficRoutingFacts): string[] => (admitTrafficRouting(of).violations ?? []).map(sentence);

describe('a TrafficRouting', () => {
  it('asks for the right to patch the route first, and then for the route', () => {
    const first = admitTrafficRouting(facts(lane(), { answers: {} })).needs;
    assert.deepEqual(
      [first?.rights?.map(({ verb, name }) => [verb, name]), first?.routed],
      [[['patch', 'web']], undefined],
    );
    const second = admitTrafficRouting(facts(lane(), { answers: { rights: [] } })).needs;
    assert.deepEqual([second?.routed?.service, second?.routed?.route.name], ['web', 'web']);
  });
  it('asks for no right again while it names the same route', () => {
    const next = lane({ strategy: { matches, requestHeaderModifier: { remove: ['x-lane'] } } });
    const { needs } = admitTrafficRouting(facts(next, { operation: 'UPDATE', old: lane(), answers: {} }));
    assert.deepEqual([needs?.rights, needs?.routed?.service], [undefined, 'web']);
  });
  it('is accepted if all fits', () => {
    assert.deepEqual(admitTrafficRouting(facts(lane())), { verdict: 'Passed', warnings: [] });
  });
  it('is not looked at without a change of its spec, by the operator, and when it is deleted', () => {
    const broken = lane({ objectRef: [] });
    assert.deepEqual(said(facts(broken, { operation: 'UPDATE', old: broken })), []);
    assert.deepEqual(
      said(facts(broken, { by: { ...facts(broken).by, user: OPERATOR, fieldManager: FIELD_MANAGER } })),
      [],
    );
    assert.deepEqual(said(facts(lane({ objectRef: [] }, { deletionTimestamp: '2026-01-01T00:00:00Z' }))), []);
  });

  const refused: readonly (readonly [what: string, facts: TrafficRoutingFacts, says: RegExp])[] = [
    ['no Service', facts(lane({ objectRef: [] })), /^spec\.objectRef: Invalid value: 0: must have exactly 1 item/],
    [
      'an Ingress',
      facts(lane({ objectRef: [{ service: 'web', ingress: { name: 'web' } }] })),
      /^spec\.objectRef\[0\]\.ingress: Forbidden: Ingresses are not supported yet/,
    ],
    [
      'a weight alone',
      facts(lane({ strategy: { weight: 20, requestHeaderModifier } })),
      /^spec\.strategy\.weight: Invalid value: 20: a share of the requests would go to the same Service; write matches/,
    ],
    ['no matches', facts(lane({ strategy: { requestHeaderModifier } })), /^spec\.strategy\.matches: Required value/],
    [
      'no change of headers',
      facts(lane({ strategy: { matches, requestHeaderModifier: { set: [] } } })),
      /^spec\.strategy\.requestHeaderModifier: Required value: requests that match go to the same Service/,
    ],
    [
      'the route of a Rollout',
      facts(lane(), { rivals: { rollouts: [demo()], routings: [] } }),
      /httpRouteName: Invalid value: "web": already routed by Rollout demo; write another HTTPRoute, or delete that Rollout first: kubectl delete rollouts\.rollouts\.kruise\.io demo -n shop$/,
    ],
    [
      'the route of another TrafficRouting',
      facts(lane(), { rivals: { rollouts: [], routings: [lane(), lane({}, { name: 'other' })] } }),
      /already routed by TrafficRouting other; .*kubectl delete trafficroutings\.rollouts\.kruise\.io other -n shop$/,
    ],
    [
      'an author without the right',
      facts(lane(), {
        answers: { rights: [{ field: 'f', value: 'web', type: 'Forbidden', reason: 'no', remedy: 'ask' }] },
      }),
      /^f: Forbidden: no; ask$/,
    ],
  ];
  for (const [what, of, says] of refused) {
    it(`is refused with ${what}`, () => {
      const found = said(of);
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', says);
    });
  }
  it('is not decided without an answer about the route', () => {
    const { verdict } = admitTrafficRouting(facts(lane(), { answers: { rights: [], routed: 'NoAnswer' } }));
    assert.equal(verdict, 'NotReady');
  });
  it('warns of a weight beside matches, and when it is deleted during a release', () => {
    const next = lane({ strategy: { matches, requestHeaderModifier, weight: 20 } });
    assert.match(
      admitTrafficRouting(facts(next)).warnings?.[0] ?? '',
      /^tranche: spec\.strategy\.weight: has no effect/,
    );
    const old = lane({}, { finalizers: [TRAFFIC_ROUTING] });
    const gone = admitTrafficRouting(facts(undefined, { operation: 'DELETE', old }));
    assert.match(gone.warnings?.[0] ?? '', /^tranche: a release is in progress/);
  });
});
