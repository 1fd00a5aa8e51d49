// Splits, and the record of a route, which users can write.
import assert from 'node:assert/strict';
import { HELD, TRAFFIC } from '../../../src/api/keys.ts';
import {
  idle,
  isEngaged,
  isIdle,
  legName,
  legNames,
  routeRecord,
  type Split,
} from '../../../src/engine/traffic/split.ts';
import { rows } from '../build.ts';
import { apart, ref, route, rule, shared } from './build.ts';

const matches = [{ headers: [{ name: 'x-user', value: 'me' }] }];

describe('a split', () => {
  const table: readonly (readonly [what: string, split: Split, is: boolean])[] = [
    ['with weight 0 is idle', shared(0), true],
    ['with a weight is not idle', shared(1), false],
    ['apart with weight 0 is idle', apart(0), true],
    ['with matches is not idle', apart(0, { matches }), false],
  ];
  rows(table, (split, is) => {
    assert.equal(isIdle(split), is);
    assert.equal(isIdle(idle(split)), true);
    assert.equal(idle(split).mode, split.mode);
  });
  it('keeps its legs when it is idle', () => {
    assert.deepEqual(idle(apart(0, { matches, requestHeaderModifier: {} })), apart(0));
    assert.deepEqual(idle(shared(7)), shared(0));
  });
  it("names its Services after the user's", () => {
    assert.equal(legName('web', 'canary'), 'web-canary');
    assert.deepEqual([...legNames('web')], ['web-canary', 'web-stable']);
  });
});

describe('the record of a route', () => {
  const record = { v: 1, rollout: 'web', split: apart(50), user: [rule([ref('web')])] };
  const withRecord = (value: unknown): ReturnType<typeof route> =>
    route([], { annotations: { [HELD]: typeof value === 'string' ? value : JSON.stringify(value) } });

  it('is read as it was written', () => {
    assert.deepEqual(routeRecord(withRecord(record)), record);
    const full = { ...record, split: apart(0, { matches, requestHeaderModifier: { remove: ['x'] } }) };
    assert.deepEqual(routeRecord(withRecord(full)), full);
    assert.deepEqual(routeRecord(withRecord({ ...record, split: shared(3) }))?.split, shared(3));
  });

  const { canary: _canary, ...pinned } = apart(0);
  const lies: readonly (readonly [what: string, value: unknown])[] = [
    ['that is no JSON', '{'],
    ['of another version', { ...record, v: 2 }],
    ['without a Rollout', { ...record, rollout: 7 }],
    ['without a split', { ...record, split: null }],
    ['with a weight that is too large', { ...record, split: apart(1001) }],
    ['with a weight that is no integer', { ...record, split: shared(0.5) }],
    ['with a name that no Service has', { ...record, split: { ...shared(5), base: '../web' } }],
    ['with a canary that no Service has', { ...record, split: { ...shared(5), canary: 'A' } }],
    ['with a weight and no canary leg', { ...record, split: { ...pinned, weight: 5 } }],
    ['with matches and no canary leg', { ...record, split: { ...pinned, matches } }],
    ['with matches that are no list', { ...record, split: apart(0, { matches: 5 as never }) }],
    ['with a match that is none', { ...record, split: apart(0, { matches: [{ headers: [{ name: 1 }] }] as never }) }],
    ['with a path that is no text', { ...record, split: apart(0, { matches: [{ path: { value: 1 } }] as never }) }],
    [
      'with changes of headers that are none',
      { ...record, split: apart(0, { matches, requestHeaderModifier: { set: 1 } as never }) },
    ],
    ['with another mode', { ...record, split: { ...apart(0), mode: 'Other' } }],
    ['without rules', { ...record, user: {} }],
    ['with rules that are none', { ...record, user: [5] }],
    ['with backends that are none', { ...record, user: [{ backendRefs: [{}] }] }],
    ['with matches of a rule that are none', { ...record, user: [{ matches: [{ headers: 'x' }] }] }],
    ['with a path of a rule that is null', { ...record, user: [{ matches: [{ path: { value: null } }] }] }],
    ['with matches of a rule that are null', { ...record, user: [{ matches: null }] }],
    ['with filters that are none', { ...record, user: [{ filters: [{}] }] }],
    [
      'with a filter that changes no headers',
      { ...record, user: [{ filters: [{ type: 'x', requestHeaderModifier: [] }] }] },
    ],
    ['with filters of a backend that are none', { ...record, user: [{ backendRefs: [{ name: 'web', filters: {} }] }] }],
  ];
  describe('is none', () => {
    rows(lies, (value) => assert.equal(routeRecord(withRecord(value)), undefined));
  });

  it('or the label says that a route is engaged', () => {
    assert.equal(isEngaged(route([])), false);
    assert.equal(isEngaged(route([], { labels: { [TRAFFIC]: 'web' } })), true);
    assert.equal(isEngaged(withRecord('{')), true);
  });
});
