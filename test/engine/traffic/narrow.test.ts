// What both a rule and a step's match select.
import assert from 'node:assert/strict';
import type { KeyMatch, PathMatch } from '../../../src/api/traffic.ts';
import { bothKeys, bothPaths } from '../../../src/engine/traffic/narrow.ts';
import { RouteError } from '../../../src/engine/traffic/provider.ts';
import { rows } from '../build.ts';

const prefix = (value: string): PathMatch => ({ type: 'PathPrefix', value });
const exact = (value: string): PathMatch => ({ type: 'Exact', value });
const regex = (value: string): PathMatch => ({ type: 'RegularExpression', value });

describe('the path of a rule and of a match', () => {
  type Row = readonly [
    what: string,
    rule: PathMatch | undefined,
    wanted: PathMatch | undefined,
    both: PathMatch | undefined,
  ];
  const table: readonly Row[] = [
    ['is all paths where neither has one', undefined, undefined, prefix('/')],
    ['is the one of the rule', exact('/a'), undefined, exact('/a')],
    ['is the one of the match', undefined, { value: '/a' }, prefix('/a')],
    ['is the narrower one', prefix('/shop'), prefix('/shop/cart'), prefix('/shop/cart')],
    ['is the narrower one of the rule', prefix('/shop/cart'), prefix('/shop/'), prefix('/shop/cart')],
    ['is the exact one', prefix('/shop'), exact('/shop'), exact('/shop')],
    ['is none where they differ', exact('/a'), exact('/b'), undefined],
    ['is none where only the first letters agree', prefix('/shop'), prefix('/shopping'), undefined],
    ['is the same regular expression', regex('/a.*'), regex('/a.*'), regex('/a.*')],
    ['is a regular expression of all paths', prefix('/'), regex('/a.*'), regex('/a.*')],
  ];
  rows(table, (rule, wanted, both) => assert.deepEqual(bothPaths(rule, wanted), both));

  it('cannot be two, of which one is a regular expression', () => {
    assert.throws(
      () => bothPaths(prefix('/a'), regex('/b')),
      (error) => error instanceof RouteError && error.problem.about === 'matches',
    );
  });
});

describe('the comparisons of a rule and of a match', () => {
  const same = (value: string, name = 'x-a'): KeyMatch => ({ type: 'Exact', name, value });
  type Row = readonly [
    what: string,
    rule: readonly KeyMatch[] | undefined,
    wanted: readonly KeyMatch[] | undefined,
    both: readonly KeyMatch[] | undefined,
  ];
  const table: readonly Row[] = [
    ['are none', undefined, undefined, []],
    ['are those of both, with their type', [same('1')], [{ name: 'x-b', value: '2' }], [same('1'), same('2', 'x-b')]],
    ['are written once where they agree', [same('1')], [{ name: 'X-A', value: '1' }], [same('1')]],
    ['are impossible where the values differ', [same('1')], [same('2')], undefined],
  ];
  rows(table, (rule, wanted, both) => assert.deepEqual(bothKeys('header', rule, wanted), both));

  it('tell names of query parameters apart by case', () => {
    assert.equal(bothKeys('query parameter', [same('1', 'a')], [same('2', 'A')])?.length, 2);
  });
  it('cannot compare one header in two ways', () => {
    assert.throws(() => bothKeys('header', [same('1')], [{ ...same('1'), type: 'RegularExpression' }]), RouteError);
  });
  it('are at most 16', () => {
    const many = Array.from({ length: 16 }, (_, i) => same('1', `x-${i}`));
    assert.equal(bothKeys('header', many, [])?.length, 16);
    assert.throws(() => bothKeys('header', many, [same('1')]), RouteError);
  });
});
