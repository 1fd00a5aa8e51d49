// What `make test` runs: suites of tests, each by its script in package.json, and checks that only pass or fail.

export interface Suite {
  readonly name: string;
  /** Arguments for npm. */
  readonly npm: readonly string[];
  /** It reports its tests one by one. A check has a result only. */
  readonly tests: boolean;
  /** It computes and waits for nothing, so it gets the time that the others leave. */
  readonly yields?: boolean;
}

const suite = (name: string): Suite => ({
  name,
  npm: ['run', '--silent', `test:${name}`, '--', '--reporter', 'json-stream'],
  tests: true,
});
const check = (name: string): Suite => ({ name, npm: ['run', '--silent', name], tests: false });

/** The longest first: tests of processes mostly wait. */
export const SUITES: readonly Suite[] = [
  // Random histories of releases, on every core.
  { ...suite('property'), yields: true },
  ...['e2e', 'unit', 'program', 'docs', 'chaos', 'sandbox'].map(suite),
  ...['lint', 'typecheck', 'generated'].map(check),
];

export const AT_ONCE = 5;
