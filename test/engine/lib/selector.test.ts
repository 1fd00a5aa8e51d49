// A label selector as a query parameter.
import assert from 'node:assert/strict';
import { selectorText } from '../../../src/engine/lib/selector.ts';

describe('a selector', () => {
  it('is written as the API server reads it', () =>
    assert.equal(
      selectorText({
        matchLabels: { app: 'demo', tier: 'web' },
        matchExpressions: [
          { key: 'env', operator: 'In', values: ['a', 'b'] },
          { key: 'old', operator: 'DoesNotExist' },
          { key: 'zone', operator: 'NotIn', values: ['z'] },
          { key: 'new', operator: 'Exists' },
        ],
      }),
      'app=demo,tier=web,env in (a,b),!old,zone notin (z),new',
    ));
  it('with an operator nobody knows is refused rather than widened', () =>
    assert.throws(() => selectorText({ matchExpressions: [{ key: 'a', operator: 'Near' }] }), /Near/));
});
