// A Rollout's traffic against its route and its Service.
import assert from 'node:assert/strict';
import type { CanaryStep } from '../../../src/api/types.ts';
import { checkTraffic, type RoutedFacts } from '../../../src/engine/traffic/check.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { rollout, rows, template } from '../build.ts';
import { ref, route, rule, service } from './build.ts';

const AT = 'spec.strategy.canary.trafficRoutings[0]';
const STEPS = 'spec.strategy.canary.steps';
const trafficRoutings = [{ service: 'web', gateway: { httpRouteName: 'web' } }];
const plan = (...steps: readonly CanaryStep[]): Partial<RoutedFacts> => ({
  rollout: rollout({ steps, canary: { trafficRoutings } }),
});
const matches = [{ headers: [{ name: 'x-user', value: 'me' }] }];
const facts = (more: Partial<RoutedFacts>): RoutedFacts => ({
  rollout: rollout({ steps: [{ replicas: 1, traffic: '5%' }, { replicas: '100%' }], canary: { trafficRoutings } }),
  route: route([rule([ref('web')])]),
  service: service(),
  template: template('v1'),
  replicas: 10,
  ...more,
});

describe("the errors of a Rollout's traffic", () => {
  const wide = Array.from({ length: 9 }, (_, i) =>
    rule([ref('web')], { matches: [{ path: { type: 'Exact', value: `/${i}` } }] }),
  );
  const table: readonly (readonly [what: string, more: Partial<RoutedFacts>, errors: readonly string[]])[] = [
    ['are none where all fits', {}, []],
    ['are none without routing', { rollout: rollout(), route: null, service: null }, []],
    ['are none about what is not known', { route: undefined, service: undefined, template: undefined }, []],
    [
      'name a route that does not exist',
      { route: null },
      [`${AT}.gateway.httpRouteName: Invalid value: "web": this HTTPRoute does not exist; create it first`],
    ],
    [
      'name a Service that does not exist',
      { service: null },
      [
        `${AT}.service: Invalid value: "web": this Service does not exist; create it first, or write the name of the Service that the route names`,
      ],
    ],
    [
      'name a Service without Pods',
      { service: service({ selector: {} }) },
      [
        `${AT}.service: Invalid value: "web": the Service has no selector, so it selects no Pods; name a Service that selects the Pods of the workload`,
      ],
    ],
    [
      'name a route that sends nothing to the Service',
      { route: route([rule([ref('other')]), rule([ref('web', 0)])]) },
      [
        `${AT}.gateway.httpRouteName: Invalid value: "web": the HTTPRoute sends no requests to Service web of its own namespace; write ${AT}.service as the HTTPRoute names it`,
      ],
    ],
    [
      'name a route that names a leg',
      { route: route([rule([ref('web'), ref('web-canary')])]) },
      [
        `${AT}.gateway.httpRouteName: Invalid value: "web": the HTTPRoute names Service web-canary, which is created for each release; in the HTTPRoute, name another Service`,
      ],
    ],
    [
      'name a route whose weights cannot be divided',
      { route: route([rule([ref('web'), ref('other', 10_000)])]) },
      [
        `${AT}.gateway.httpRouteName: Invalid value: "web": the HTTPRoute cannot be changed for a release: its weights 1, 10000 cannot be divided in 1 to 999: a weight is at most 1000000; write smaller weights in the same proportion, or a step whose traffic divides them`,
      ],
    ],
    [
      'name the matches that have no room',
      { ...plan({ replicas: 1 }, { replicas: 2, matches }), route: route(wide) },
      [
        `${STEPS}[1].matches: Invalid value: [{"headers":[{"name":"x-user","value":"me"}]}]: the HTTPRoute web cannot be changed for a release: it would have 18 rules: at most 16 are possible; write fewer matches in the step, or fewer rules or matches in the route`,
      ],
    ],
    [
      'name matches that no request can have',
      {
        ...plan({ replicas: 1, matches: [{ path: { value: '/b' } }] }),
        route: route([rule([ref('web')], { matches: [{ path: { type: 'Exact', value: '/a' } }] })]),
      },
      [
        `${STEPS}[0].matches: Invalid value: [{"path":{"value":"/b"}}]: no request that HTTPRoute web sends to Service web can match; write matches that fit its rules`,
      ],
    ],
  ];
  rows(table, (more, errors) => {
    const found = checkTraffic(facts(more));
    assert.deepEqual(found.violations.map(sentence), errors);
    if (errors.length > 0) assert.deepEqual(found.warnings, []);
  });
});

describe("the warnings of a Rollout's traffic", () => {
  const sticky = route([rule([ref('web')], { sessionPersistence: {} })]);
  const cloud = route(
    [rule([ref('web')])],
    {},
    { status: { parents: [{ controllerName: 'networking.gke.io/gateway' }] } },
  );
  const table: readonly (readonly [what: string, more: Partial<RoutedFacts>, warnings: readonly string[]])[] = [
    ['are none where all fits', {}, []],
    [
      'say that traffic has no effect beside matches',
      plan({ replicas: 1, traffic: '5%', matches }),
      [
        `tranche: ${STEPS}[0].traffic: has no effect beside matches: only the requests that match go to the new version`,
      ],
    ],
    [
      'say that a step of all Pods has no traffic',
      plan({ replicas: 1, traffic: '5%' }, { replicas: '100%', traffic: '50%' }),
      [`tranche: ${STEPS}[1].traffic: has no effect, because the step updates all Pods`],
    ],
    [
      'say nothing of 100% of all Pods',
      plan({ replicas: 1, traffic: '5%' }, { replicas: '100%', traffic: '100%' }),
      [],
    ],
    [
      'say that no step has traffic',
      plan({ replicas: 1 }),
      [`tranche: ${AT}: has no effect, because no step has traffic or matches`],
    ],
    [
      'say that clients stay with their version',
      { route: sticky },
      [
        `tranche: ${AT}: HTTPRoute web has sessionPersistence: a client stays with its version, whatever share a step has`,
      ],
    ],
    [
      'say that a load balancer outside the cluster is slow',
      { route: cloud },
      [
        `tranche: ${AT}.gracePeriodSeconds: "networking.gke.io/gateway" programs a load balancer outside the cluster, which can need a minute; write 60`,
      ],
    ],
  ];
  rows(table, (more, warnings) => assert.deepEqual(checkTraffic(facts(more)), { violations: [], warnings }));
});
