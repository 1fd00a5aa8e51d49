// PromQL of users: limited to a namespace, or refused with a position.
import assert from 'node:assert/strict';
import { checkSelector, PromqlError, sumByPod, withMatcher } from '../../src/schema/promql.ts';
import { rows } from '../engine/build.ts';

const inShop = (query: string): string => {
  try {
    return withMatcher(query, 'namespace', 'shop');
  } catch (error) {
    assert.ok(error instanceof PromqlError);
    return `refused ${error.message}`;
  }
};

describe('every selector of a query', () => {
  rows(
    [
      ['without braces', 'up', 'up{namespace="shop"}'],
      ['with empty braces', 'up{}', 'up{namespace="shop",}'],
      ['with matchers', 'x{a="b"}', 'x{namespace="shop",a="b"}'],
      ['with a brace in a value', 'x{a="}"}', 'x{namespace="shop",a="}"}'],
      ['with a comma at the end', 'x{a="b",}', 'x{namespace="shop",a="b",}'],
      ['by name in a matcher', '{__name__=~".+"}', '{namespace="shop",__name__=~".+"}'],
      ['by a quoted name', '{"foo.bar"}', '{namespace="shop","foo.bar"}'],
      ['of another namespace: both must match', 'x{namespace="bank"}', 'x{namespace="shop",namespace="bank"}'],
      [
        'in functions and on both sides',
        'sum(rate(x[5m])) / sum(y)',
        'sum(rate(x{namespace="shop"}[5m])) / sum(y{namespace="shop"})',
      ],
      ['with offset and @', 'x offset 5m + y @ end()', 'x{namespace="shop"} offset 5m + y{namespace="shop"} @ end()'],
      ['in a subquery', 'max_over_time(sum(x)[5m:1m])', 'max_over_time(sum(x{namespace="shop"})[5m:1m])'],
      [
        'after a change of the label',
        'label_replace(x,"namespace","shop","","")',
        'label_replace(x{namespace="shop"},"namespace","shop","","")',
      ],
    ],
    (query: string, expected: string) => assert.equal(inShop(query), expected),
  );

  it('is limited once more without harm', () => {
    const once = inShop('sum(x{a="b"}) / y');
    assert.equal((inShop(once).match(/namespace="shop"/g) ?? []).length, 4);
  });

  it('quotes the value', () => assert.equal(withMatcher('x', 'namespace', 'a"b\\'), String.raw`x{namespace="a\"b\\"}`));
});

describe('a query is refused', () => {
  rows(
    [
      ['that ends too early', 'sum(x', 'refused at character 6: the query ends too early'],
      ['that is empty', '', 'refused at character 1: the query ends too early'],
      ['that is empty but for spaces', '  ', 'refused at character 3: the query ends too early'],
      ['with two expressions', 'x y', 'refused at character 3: "y" is not expected here'],
      ['with words of MetricsQL', 'x{a="b" or c="d"}', 'refused at character 9: "or c=\\"d\\"}" is not expected here'],
      ['with templates of MetricsQL', 'WITH (y = 1) x', 'refused at character 6: "(y = 1) x" is not expected here'],
      [
        'with a function that reads other series',
        'info(x)',
        'refused at character 1: the function info() is not supported',
      ],
      [
        'with a text in backquotes that ends with a backslash',
        'x{a=`\\`} or y{b="`} or z # "}',
        'refused at character 5: a text must end on its line, and not with a backslash',
      ],
      [
        'with a text without its last quote',
        'x{a="b\n}',
        'refused at character 5: a text must end on its line, and not with a backslash',
      ],
      ['with a comment', 'x # y', 'refused at character 3: comments are not supported'],
      [
        'of more than 2000 characters',
        'x'.repeat(2_001),
        'refused at character 2001: must have at most 2000 characters',
      ],
    ],
    (query: string, expected: string) => assert.equal(inShop(query), expected),
  );
});

describe('a selector', () => {
  for (const text of ['up', ' up ', 'http_requests_total{code=~"5.."}', '{__name__="up"}'])
    it(`may be ${text}`, () => checkSelector(text));
  for (const text of ['rate(up[5m])', 'up[5m]', 'up offset 5m', 'up + up', 'sum(up)', '(up)', '1', '"up"', 'up, up'])
    it(`may not be ${text}`, () => assert.throws(() => checkSelector(text), PromqlError));

  it('is summed by Pod', () => assert.equal(sumByPod(' up '), 'sum by (pod) (up)'));
});
