// Which routes a Rollout names; and the contract of every kind of route.
import assert from 'node:assert/strict';
import type { RouteRule } from '../../../src/api/traffic.ts';
import { grpcRoutes } from '../../../src/engine/traffic/grpcroute.ts';
import { httpRoutes } from '../../../src/engine/traffic/httproute.ts';
import { PROVIDERS, providerOf, routesOf } from '../../../src/engine/traffic/registry.ts';

describe('the routes of a routing', () => {
  it('are those that it names', () => {
    assert.deepEqual(routesOf({ service: 'web', gateway: { httpRouteName: 'a' } }), [
      { provider: httpRoutes, name: 'a' },
    ]);
    assert.deepEqual(routesOf({ service: 'web', gateway: { grpcRouteName: 'b' } }), [
      { provider: grpcRoutes, name: 'b' },
    ]);
    assert.deepEqual(routesOf({ service: 'web', gateway: { httpRouteName: '' } }), []);
    assert.deepEqual(routesOf({ service: 'web' }), []);
  });
  it('have a provider by kind', () => {
    assert.equal(providerOf('GRPCRoute'), grpcRoutes);
    assert.equal(providerOf('TCPRoute'), undefined);
  });
});

for (const provider of PROVIDERS) {
  const { kind } = provider.resource;
  describe(`the contract of a kind of route: ${kind}`, () => {
    const header = { type: 'Exact', name: 'x-user', value: 'me' };
    const rules: readonly RouteRule[] = [{}, { matches: [{ headers: [{ ...header, name: 'x-tenant' }] }] }];
    it('names itself in a routing', () => {
      const [, field = ''] = provider.field.split('.');
      assert.equal(provider.nameIn({ service: 'web', gateway: { [field]: 'a' } }), 'a');
      assert.equal(providerOf(kind), provider);
    });
    it('narrows a rule to requests with a header, and keeps what the rule matches', () => {
      for (const rule of rules) {
        const narrowed = provider.narrow(rule, [{ headers: [header] }]);
        assert.equal(narrowed.length, 1);
        const names = narrowed[0]?.headers?.map(({ name }) => name) ?? [];
        assert.deepEqual(names, [...(rule.matches?.[0]?.headers ?? []).map(({ name }) => name), 'x-user']);
      }
    });
    it('narrows twice as once', () => {
      for (const rule of rules) {
        const once = provider.narrow(rule, [{ headers: [header] }]);
        assert.deepEqual(provider.narrow({ matches: once }, [{ headers: [header] }]), once);
      }
    });
  });
}
