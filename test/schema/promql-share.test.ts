// PromQL that is plainly a share of counters.
import assert from 'node:assert/strict';
import { remainderOf, selectorOf, shareIn } from '../../src/schema/promql-share.ts';
import { rows } from '../engine/build.ts';

const shown = (query: string): string => {
  const share = shareIn(query);
  if (share === undefined) return 'none';
  const { part, total, scale, rest } = share;
  return `${scale} * ${rest ? '(1 - ' : ''}${selectorOf(part)} / ${selectorOf(total)}${rest ? ')' : ''}`;
};

describe('a share of counters', () => {
  rows(
    [
      ['of rates', 'sum(rate(a{b="c"}[1m])) / sum(rate(a[1m]))', '1 * a{b="c"} / a'],
      [
        'over several lines',
        'sum(irate(\n a{b="c", d!~"5.*"}[5m]\n)) /\n sum(increase(e[5m]))',
        '1 * a{b="c",d!~"5.*"} / e',
      ],
      ['in parentheses', '((sum(rate(a[1m]))) / (sum(rate(b[1m]))))', '1 * a / b'],
      ['in percent', 'sum(rate(a[1m])) / sum(rate(b[1m])) * 100', '100 * a / b'],
      ['in percent, first', '100 * (sum(rate(a[1m])) / sum(rate(b[1m])))', '100 * a / b'],
      ['of the rest', '1 - sum(rate(a[1m])) / sum(rate(b[1m]))', '1 * (1 - a / b)'],
      ['of the rest, in percent', '100 - sum(rate(a[1m])) / sum(rate(b[1m])) * 100', '100 * (1 - a / b)'],
      ['of groups', 'sum by (x) (rate(a[1m])) / sum(rate(b[1m]))', 'none'],
      ['with matching labels', 'sum(rate(a[1m])) / on (x) sum(rate(b[1m]))', 'none'],
      ['of gauges', 'sum(a) / sum(b)', 'none'],
      ['of averages', 'avg(rate(a[1m])) / sum(rate(b[1m]))', 'none'],
      ['times something else', 'sum(rate(a[1m])) / sum(rate(b[1m])) * 60', 'none'],
      ['of the rest of something else', '100 - sum(rate(a[1m])) / sum(rate(b[1m]))', 'none'],
      ['with a default', 'sum(rate(a[1m])) / sum(rate(b[1m])) or vector(0)', 'none'],
      ['with an offset', 'sum(rate(a[1m] offset 1h)) / sum(rate(b[1m]))', 'none'],
      ['by name in a matcher', 'sum(rate({__name__="a"}[1m])) / sum(rate(b[1m]))', 'none'],
      ['that ends too early', 'sum(rate(a[1m])) / sum(rate(b[1m])', 'none'],
      ['of nothing', '', 'none'],
    ],
    (query: string, expected: string) => assert.equal(shown(query), expected),
  );
});

describe('the remainder of a share', () => {
  rows(
    [
      ['without a pattern', 'a{x="y",code!~"5.*"}', 'a{x="y"}', 'a{x="y",code=~"5.*"}'],
      ['without a value', 'a{code!="OK"}', 'a', 'a{code="OK"}'],
      ['with a value', 'a{code="OK"}', 'a', undefined],
      ['without two', 'a{b!="c",d!="e"}', 'a', undefined],
      ['of another counter', 'b{code!="OK"}', 'a', undefined],
      ['of less', 'a{code!="OK"}', 'a{x="y"}', undefined],
    ] as [string, string, string, string | undefined][],
    (part: string, total: string, expected: string | undefined) => {
      const share = shareIn(`sum(rate(${part}[1m])) / sum(rate(${total}[1m]))`)!;
      const found = remainderOf(share.part, share.total);
      assert.equal(found && selectorOf(found), expected);
    },
  );
});
