// What `make test` runs: suites of tests, each by its script in package.json, and checks that only pass or fail.

export interface Suite {
  readonly name: string;
  /** Arguments for npm. */
  readonly npm: readonly string[];
  /** It reports its tests one by one. A check has a result only. */
  readonly tests: boolean;
}

const suite = (name: string): Suite => ({
  name,
  npm: ['run', '--silent', `test:${name}`, '--', '--reporter', 'json-stream'],
  tests: true,
});
const check = (name: string): Suite => ({ name, npm: ['run', '--silent', name], tests: false });

/** Side by side, the longest first: tests of processes mostly wait. */
export const TOGETHER: readonly Suite[] = [
  ...['unit', 'e2e', 'program', 'docs', 'chaos', 'sandbox'].map(suite),
  ...['lint', 'typecheck', 'generated'].map(check),
];

/** After the others: random histories of releases, which use every core by themselves. */
export const ALONE: readonly Suite[] = [suite('property')];

export const AT_ONCE = 4;
