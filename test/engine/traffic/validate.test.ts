// The errors of a Rollout's traffic, by the Rollout alone.
import assert from 'node:assert/strict';
import type { HttpMatch, TrafficRouting } from '../../../src/api/traffic.ts';
import type { CanaryStrategy } from '../../../src/api/types.ts';
import { trafficFields } from '../../../src/engine/traffic/validate.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { rows } from '../build.ts';

const AT = 'spec.strategy.canary';
const routing: TrafficRouting = { service: 'web', gateway: { httpRouteName: 'web' } };
const routed = (more: Partial<TrafficRouting>): CanaryStrategy => ({ trafficRoutings: [{ ...routing, ...more }] });
const matched = (match: HttpMatch): CanaryStrategy => ({
  trafficRoutings: [routing],
  steps: [{ replicas: 1, matches: [match] }],
});
const M = `${AT}.steps[0].matches[0]`;
const key = (name: string, value = 'a'): { name: string; value: string } => ({ name, value });

describe('the traffic of a Rollout', () => {
  const table: readonly (readonly [what: string, canary: CanaryStrategy, errors: readonly string[]])[] = [
    ['may be absent', { steps: [{ replicas: 1 }] }, []],
    ['names an HTTPRoute', routed({}), []],
    ['names a GRPCRoute', routed({ gateway: { grpcRouteName: 'web' }, gracePeriodSeconds: 30 }), []],
    [
      'names one routing',
      { trafficRoutings: [routing, routing] },
      [`${AT}.trafficRoutings: Invalid value: 2: must have at most 1 item; remove the others`],
    ],
    [
      'names a route',
      { trafficRoutings: [{ service: 'web' }] },
      [`${AT}.trafficRoutings[0].gateway: Required value: write gateway.httpRouteName or gateway.grpcRouteName`],
    ],
    [
      'names one route',
      routed({ gateway: { httpRouteName: 'a', grpcRouteName: 'b' } }),
      [
        `${AT}.trafficRoutings[0].gateway: Invalid value: {"httpRouteName":"a","grpcRouteName":"b"}: must name one route; write only gateway.httpRouteName or gateway.grpcRouteName`,
      ],
    ],
    [
      'names no Ingress',
      { trafficRoutings: [{ service: 'web', ingress: { name: 'web' } }] },
      [
        `${AT}.trafficRoutings[0].ingress: Forbidden: Ingresses are not supported yet; write gateway.httpRouteName or gateway.grpcRouteName`,
      ],
    ],
    [
      'names no other objects',
      { trafficRoutings: [{ service: 'web', customNetworkRefs: [{ apiVersion: 'v1', kind: 'X', name: 'x' }] }] },
      [
        `${AT}.trafficRoutings[0].customNetworkRefs: Forbidden: other network objects are not supported yet; write gateway.httpRouteName or gateway.grpcRouteName`,
      ],
    ],
    [
      'has a grace period of some seconds',
      routed({ gracePeriodSeconds: -1 }),
      [
        `${AT}.trafficRoutings[0].gracePeriodSeconds: Invalid value: -1: must be between 0 and 3600 seconds; write how long the proxies need to follow a route, such as 3, or remove it`,
      ],
    ],
    [
      'has matches only with a route',
      { steps: [{ replicas: 1, matches: [{ headers: [key('x')] }] }] },
      [`${AT}.steps[0].matches: Forbidden: needs a route; add ${AT}.trafficRoutings, or remove it`],
    ],
    [
      'changes headers only of requests that match',
      { trafficRoutings: [routing], steps: [{ replicas: 1, traffic: '5%', requestHeaderModifier: {} }] },
      [
        `${AT}.steps[0].requestHeaderModifier: Forbidden: applies only to requests that match; add matches to the step, or remove it`,
      ],
    ],
    [
      'matches headers, query and path',
      matched({ headers: [key('x')], queryParams: [key('q')], path: { value: '/shop' } }),
      [],
    ],
    ['matches any regular expression', matched({ path: { type: 'RegularExpression', value: '[^#]*//' } }), []],
    [
      'matches something',
      matched({}),
      [`${M}: Invalid value: {}: selects all requests; write headers, path or queryParams, or use traffic`],
    ],
    [
      'matches an absolute path',
      matched({ path: { value: 'shop' } }),
      [`${M}.path.value: Invalid value: "shop": must start with /; write a path such as /shop`],
    ],
    [
      'matches a path in order',
      matched({ path: { value: '/a/../b' } }),
      [`${M}.path.value: Invalid value: "/a/../b": must not contain /../; write a path such as /shop`],
    ],
    [
      'matches a path that ends in order',
      matched({ path: { type: 'Exact', value: '/a/..' } }),
      [`${M}.path.value: Invalid value: "/a/..": must not contain /..; write a path such as /shop`],
    ],
    [
      'matches a path of its characters',
      matched({ path: { value: '/ä' } }),
      [
        `${M}.path.value: Invalid value: "/ä": must contain only characters of a path; write other characters as % and two hexadecimal digits`,
      ],
    ],
    [
      'matches headers that can be',
      matched({ headers: [key('x y')] }),
      [
        `${M}.headers[0].name: Invalid value: "x y": must consist of letters, digits and !#$%&'*+-.^_\`|~; write a name such as x-user`,
      ],
    ],
    [
      'matches a header once',
      matched({ headers: [key('x'), key('X')] }),
      [
        `${M}.headers[1].name: Invalid value: "X": must not be repeated: all comparisons of a match must be true; write a second item of matches instead`,
      ],
    ],
    ['tells query parameters apart by case', matched({ queryParams: [key('x'), key('X')] }), []],
    [
      'has short values of query parameters',
      matched({ queryParams: [key('x', 'y'.repeat(1025))] }),
      [
        `${M}.queryParams[0].value: Invalid value: "${'y'.repeat(119)}…: must have at most 1024 characters; write a shorter value`,
      ],
    ],
  ];
  rows(table, (canary, errors) => assert.deepEqual([...trafficFields(canary)].map(sentence), errors));
});
