// What a GRPCRoute can match.
import assert from 'node:assert/strict';
import { grpcRoutes } from '../../../src/engine/traffic/grpcroute.ts';
import { RouteError } from '../../../src/engine/traffic/provider.ts';

describe('a GRPCRoute', () => {
  const header = { type: 'Exact', name: 'x-user', value: 'me' };
  it('matches its methods with the headers of the step', () => {
    const method = { type: 'Exact', service: 'shop.Cart' };
    assert.deepEqual(grpcRoutes.narrow({ matches: [{ method }] }, [{ headers: [header] }]), [
      { method, headers: [header] },
    ]);
  });
  it('matches all requests without matches', () => {
    assert.deepEqual(grpcRoutes.narrow({}, [{ headers: [header] }]), [{ headers: [header] }]);
  });
  it('lacks combinations that no request can have', () => {
    assert.deepEqual(
      grpcRoutes.narrow({ matches: [{ headers: [header] }] }, [{ headers: [{ ...header, value: 'you' }] }]),
      [],
    );
  });
  for (const match of [{ path: { value: '/x' } }, { queryParams: [header] }]) {
    it(`refuses ${Object.keys(match)[0]} in words`, () => {
      assert.throws(
        () => grpcRoutes.narrow({}, [match]),
        (error) => error instanceof RouteError && error.problem.remedy === 'match headers only',
      );
    });
  }
});
