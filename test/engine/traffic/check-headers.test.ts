// A TrafficRouting against its route and its Service.
import assert from 'node:assert/strict';
import type { Route, Service } from '../../../src/api/traffic.ts';
import { checkHeaders } from '../../../src/engine/traffic/check-headers.ts';
import { httpRoutes } from '../../../src/engine/traffic/httproute.ts';
import type { HeaderSplit } from '../../../src/engine/traffic/split.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { ref, route, rule, service } from './build.ts';

const split: HeaderSplit = {
  mode: 'Headers',
  base: 'web',
  matches: [{ headers: [{ name: 'x-user', value: 'me' }] }],
  requestHeaderModifier: { set: [{ name: 'x-lane', value: 'gray' }] },
};
const lane = { provider: httpRoutes, name: 'web', split };
const set = { type: 'RequestHeaderModifier', requestHeaderModifier: { remove: ['x-lane'] } };

describe('a TrafficRouting', () => {
  const table: readonly (readonly [
    what: string,
    route: Route | undefined,
    service: Service | undefined,
    said: RegExp[],
  ])[] = [
    ['that fits', route([rule([ref('web')])]), service(), []],
    ['without its route', undefined, service(), [/^tranche: HTTPRoute web does not exist: /]],
    ['without its Service', route([rule([ref('web')])]), undefined, [/^tranche: Service web does not exist: /]],
    [
      'of a route without the Service',
      route([rule([ref('other')])]),
      service(),
      [
        /^spec\.objectRef\[0\]\.gateway\.httpRouteName: Invalid value: "web": the HTTPRoute sends no requests to Service web/,
      ],
    ],
    [
      'of a route that changes the header',
      route([rule([ref('web')], { filters: [set] })]),
      service(),
      [/^spec\.strategy\.requestHeaderModifier: .*already changes header "x-lane"/],
    ],
    [
      'whose requests never come',
      route([rule([ref('web')], { matches: [{ headers: [{ type: 'Exact', name: 'x-user', value: 'you' }] }] })]),
      service(),
      [/^spec\.strategy\.matches: .*no request that HTTPRoute web sends to Service web can match/],
    ],
  ];
  for (const [what, live, base, said] of table) {
    it(`${what} is told ${said.length === 0 ? 'nothing' : 'why'}`, () => {
      const { violations, warnings } = checkHeaders(lane, { route: live, service: base });
      const found = [...violations.map(sentence), ...warnings];
      assert.equal(found.length, said.length, found.join('\n'));
      for (const [index, pattern] of said.entries()) assert.match(found[index] ?? '', pattern);
    });
  }
});
