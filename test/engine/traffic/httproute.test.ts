// What an HTTPRoute can match.
import assert from 'node:assert/strict';
import { httpRoutes } from '../../../src/engine/traffic/httproute.ts';
import { EVERYTHING } from './build.ts';

describe('an HTTPRoute', () => {
  const header = { type: 'Exact', name: 'x-user', value: 'me' };
  it("matches each of its matches with each of the step's", () => {
    const matches = [{ path: EVERYTHING, method: 'GET' }, { path: { type: 'Exact', value: '/x' } }];
    const query = { type: 'Exact', name: 'beta', value: '1' };
    assert.deepEqual(
      httpRoutes.narrow({ matches }, [{ headers: [header] }, { queryParams: [query], path: { value: '/x' } }]),
      [
        { path: EVERYTHING, method: 'GET', headers: [header] },
        { path: { type: 'PathPrefix', value: '/x' }, method: 'GET', queryParams: [query] },
        { path: { type: 'Exact', value: '/x' }, headers: [header] },
        { path: { type: 'Exact', value: '/x' }, queryParams: [query] },
      ],
    );
  });
  it("matches all requests without matches, as the API server's default says", () => {
    assert.deepEqual(httpRoutes.narrow({}, [{ headers: [header] }]), [{ path: EVERYTHING, headers: [header] }]);
  });
  it('lacks combinations that no request can have', () => {
    const matches = [{ path: { type: 'Exact', value: '/a' } }];
    assert.deepEqual(httpRoutes.narrow({ matches }, [{ path: { type: 'Exact', value: '/b' } }]), []);
  });
});
