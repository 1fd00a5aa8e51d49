// What becomes of the output of a suite.
import assert from 'node:assert/strict';
import { Tally, type Exit } from '../../../tools/test/tally.ts';

const fine: Exit = { code: 0, signal: null, left: [] };
const event = (name: string, value: object): string => JSON.stringify([name, value]);

function played(lines: readonly string[], exit: Partial<Exit> = {}, hasTests = true): Tally {
  const tally = new Tally();
  for (const line of lines) tally.hear(line);
  tally.end({ ...fine, ...exit }, hasTests);
  return tally;
}
const titles = ({ failures }: Tally): string[] => failures.map(({ title }) => title);

const start = event('start', { total: 2 });
const pass = event('pass', { fullTitle: 'it works' });
const fail = event('fail', { fullTitle: 'it breaks', err: 'no', stack: 'Error: no\n    at x' });
const end = (pending = 0): string => event('end', { pending });

describe('the tally of a suite', () => {
  it('counts what passed, failed and was skipped', () => {
    const tally = played([start, pass, fail, end(3)], { code: 1 });
    assert.equal(tally.total, 2);
    assert.deepEqual([tally.passed, tally.skipped], [1, 3]);
    assert.deepEqual(tally.failures, [{ title: 'it breaks', text: 'Error: no\n    at x' }]);
  });

  it('finds an event behind what a test has printed, and takes no other text for one', () => {
    const tally = played([start, `half a line${pass}`, '["pass",{]', '["fast",{}]', end()]);
    assert.deepEqual([tally.passed, titles(tally)], [1, []]);
  });

  it('has a failure when the suite breaks off, with what it said', () => {
    for (const [exit, ending] of [
      [{ code: 7 }, 'exit code 7'],
      [{ code: 0 }, 'exit code 0'],
      [{ code: null, signal: 'SIGKILL' }, 'signal SIGKILL'],
    ] as const) {
      const tally = played([start, pass, 'SyntaxError: nonsense'], exit);
      assert.deepEqual(tally.failures, [{ title: `broke off with ${ending}`, text: 'SyntaxError: nonsense' }]);
    }
    assert.deepEqual(played([], { code: 127 }).failures[0]!.text, 'It printed nothing.');
  });

  it('has a failure when the suite runs no test, or when its exit code says so', () => {
    assert.deepEqual(titles(played([event('start', { total: 0 }), end()], { code: 1 })), ['ran no test']);
    assert.deepEqual(titles(played([start, pass, end()], { code: 3 })), [
      'ended with exit code 3, although no test failed',
    ]);
  });

  it('has a failure when something is left in the temporary folder', () => {
    const tally = played([start, pass, end()], { left: ['tranche-x'] });
    assert.deepEqual(titles(tally), ['left something in the temporary folder']);
    assert.match(tally.failures[0]!.text, /: tranche-x$/);
  });

  it('of a check is its exit code', () => {
    assert.deepEqual(titles(played(['anything'], {}, false)), []);
    const tally = played(['src/x.ts: wrong'], { code: 1 }, false);
    assert.deepEqual(tally.failures, [{ title: 'ended with exit code 1', text: 'src/x.ts: wrong' }]);
  });
});
