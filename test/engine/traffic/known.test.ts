// What the status says about traffic, also if a definition of another version has dropped some of it.
import assert from 'node:assert/strict';
import type { TrafficStatus } from '../../../src/api/traffic.ts';
import type { CanaryStatus } from '../../../src/api/types.ts';
import { knownTraffic } from '../../../src/engine/traffic/known.ts';

const TRAFFIC: TrafficStatus = {
  mode: 'Shared',
  state: 'Watch',
  weight: 222,
  step: 1,
  since: '2026-01-01T00:00:00Z',
  routeGeneration: 3,
  service: 'web',
  route: { kind: 'HTTPRoute', name: 'web.example' },
  graceSeconds: 3,
};
const known = (traffic: object): TrafficStatus | undefined => knownTraffic({ traffic } as unknown as CanaryStatus);

describe('the known traffic of a release', () => {
  it('is what the status says', () => {
    assert.deepEqual(known(TRAFFIC), TRAFFIC);
    assert.equal(knownTraffic(undefined), undefined);
  });
  for (const field of ['mode', 'state', 'service', 'route', 'graceSeconds'])
    it(`is nothing without ${field}`, () => assert.equal(known({ ...TRAFFIC, [field]: undefined }), undefined));
  for (const wrong of [
    { service: '../secrets' },
    { route: { kind: 'HTTPRoute', name: 'a/b' } },
    { route: { kind: 'Secret', name: 'web' } },
  ])
    it(`is nothing with ${JSON.stringify(wrong)}`, () => assert.equal(known({ ...TRAFFIC, ...wrong }), undefined));
  it('has a grace period of a second to an hour', () => {
    assert.equal(known({ ...TRAFFIC, graceSeconds: -5 })?.graceSeconds, 1);
    assert.equal(known({ ...TRAFFIC, graceSeconds: 1e9 })?.graceSeconds, 3600);
  });
});
