// What admission asks the API server about the routes of a Rollout, and how many questions of a namespace that is.
import assert from 'node:assert/strict';
import { readRouted } from '../../src/admission/access.ts';
import { HTTP_ROUTES } from '../../src/api/resources.ts';
import type { Api } from '../../src/kube/api.ts';
import { ApiError } from '../../src/kube/errors.ts';

const names = { route: { resource: HTTP_ROUTES, name: 'web' }, service: 'web' };
const nothingThere = {
  request: () => Promise.reject(new ApiError(404, { reason: 'NotFound', message: 'not found' })),
} as unknown as Api;

describe('the route of a Rollout', () => {
  const read = readRouted(nothingThere, () => false);

  it('is not read for a namespace that has caused too many questions', () =>
    assert.rejects(read(names, 'shop', false), /too many requests/));

  it('is read after the question about the rights, which was counted', async () =>
    assert.deepEqual(await read(names, 'shop', true), { route: undefined, service: undefined, legs: [] }));
});
