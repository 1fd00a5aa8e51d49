// The suites of `make test` have every test, each of them once.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { SUITES, suitesNamed, type Suite } from '../../../tools/test/suites.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};

/** It kills the program after each write, which takes too long: `make test-traffic-crash`. */
const LEFT_OUT = ['test/data-plane/crash.test.ts'];

/** Of mocha: which files it runs. */
function chosenBy(words: readonly string[]): (file: string) => boolean {
  const after = (option: string): string[] => words.filter((_, i) => words[i - 1] === option);
  const wanted = words.filter((word, i) => word.startsWith('test/') && words[i - 1] !== '--ignore');
  const ignored = after('--ignore');
  const fits = (file: string) => (pattern: string) => path.matchesGlob(file, pattern);
  return (file) => wanted.some(fits(file)) && !ignored.some(fits(file));
}

function filesOf({ npm }: Suite, files: readonly string[]): string[] {
  const script = scripts[npm[2]!]!.split(' ').map((word) => word.replaceAll("'", ''));
  return script[0] === 'mocha' ? files.filter(chosenBy([...script, ...npm.slice(npm.indexOf('--') + 1)])) : [];
}

describe('the suites of make test', () => {
  const files = globSync('test/**/*.test.ts', { cwd: root });

  it('have each test once', () => {
    const chosen = SUITES.filter(({ tests }) => tests).flatMap((suite) => filesOf(suite, files));
    assert.deepEqual(chosen.toSorted(), files.filter((file) => !LEFT_OUT.includes(file)).toSorted());
  });

  it('are none without a test', () => {
    const empty = SUITES.filter(
      (suite) => suite.tests && suite.name !== 'sandbox' && filesOf(suite, files).length === 0,
    );
    assert.deepEqual(empty, []);
  });

  it('are chosen by the name of the whole, or of a part', () => {
    const names = (name: string): string[] => suitesNamed(name).map((suite) => suite.name);
    assert.deepEqual(names('unit'), ['unit', 'unit-operator']);
    assert.deepEqual(names('unit-operator'), ['unit-operator']);
    assert.deepEqual(names('uni'), []);
  });
});
