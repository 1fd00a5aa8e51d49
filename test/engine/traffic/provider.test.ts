// The error of a route that cannot express a split.
import assert from 'node:assert/strict';
import { RouteError } from '../../../src/engine/traffic/provider.ts';

describe('the error of a route', () => {
  it('has the problem, and its reason as message', () => {
    const problem = { about: 'matches', reason: 'why', remedy: 'what to do' } as const;
    const error = new RouteError(problem);
    assert.deepEqual([error.name, error.message, error.problem], ['RouteError', 'why', problem]);
  });
});
