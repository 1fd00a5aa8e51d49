// The lines of `make test`.
import assert from 'node:assert/strict';
import { Tally } from '../../../tools/test/tally.ts';
import { clockOf, failureText, progressText, summaryText, type Part } from '../../../tools/test/text.ts';

function part(
  name: string,
  counts: Partial<Pick<Tally, 'total' | 'passed' | 'skipped'>>,
  times: Partial<Part> = {},
): Part {
  const tally = Object.assign(new Tally(), counts);
  return { name, tests: true, tally, startedAt: undefined, endedAt: undefined, ...times };
}
const broken = (given: Part): Part => {
  given.tally.failures.push({ title: 'it breaks', text: 'Error: no\n\n    at x' });
  return given;
};

describe('what make test prints', () => {
  it('is where each running suite is', () => {
    const parts = [
      part('unit', { total: 200, passed: 12 }, { startedAt: 0 }),
      part('docs', {}, { startedAt: 0 }),
      part('chaos', { total: 3, passed: 3 }, { startedAt: 0, endedAt: 5 }),
      part('property', {}),
    ];
    assert.equal(progressText(parts, 61_000), ' 1:01  unit 12/200, docs; 1 to come');
    broken(parts[0]!);
    assert.equal(progressText(parts, 610_000), '10:10  unit 13/200, docs; 1 to come; 1 failed');
  });

  it('is each failure with its suite', () => {
    assert.equal(
      failureText('unit', { title: 'it breaks', text: 'Error: no\n\n    at x' }),
      '✖ unit: it breaks\n    Error: no\n\n        at x',
    );
  });

  it('is one summary at the end, and the sum is its last line', () => {
    const parts = [
      part('unit', { passed: 1200, skipped: 1 }, { startedAt: 0, endedAt: 90_000 }),
      broken(part('docs', { passed: 9 }, { startedAt: 1_000, endedAt: 62_000 })),
      part('lint', { passed: 1 }, { tests: false, startedAt: 0, endedAt: 30_000 }),
    ];
    assert.equal(
      summaryText(parts, 95_500),
      [
        '       passed   failed   skipped   time',
        'unit     1200        0         1   1:30',
        'docs        9        1         0   1:01',
        'lint       ok                      0:30',
        '',
        '1209 passed, 1 failed, 1 skipped in 1:35',
      ].join('\n'),
    );
    assert.match(
      summaryText([broken(part('lint', {}, { tests: false }))], 0),
      /lint +failed .*\n\n0 passed, 1 failed in 0:00$/,
    );
  });

  it('has times in minutes and seconds', () => {
    assert.deepEqual([0, 59_999, 60_000, 3_600_000].map(clockOf), ['0:00', '0:59', '1:00', '60:00']);
  });
});
