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

const suite = (name: string, script = name, ...args: readonly string[]): Suite => ({
  name,
  npm: ['run', '--silent', `test:${script}`, '--', '--reporter', 'json-stream', ...args],
  tests: true,
});
const check = (name: string): Suite => ({ name, npm: ['run', '--silent', name], tests: false });

/** The acceptance tests mostly wait, so they run as several suites at the same time, each on a cluster of its own. These files are not in the first one. */
const KINDS = 'statefulset,daemonset,kruise,openkruise,takeover,policy';
const TRAFFIC = 'traffic,traffic-limits,traffic-routing';
/** Only these files. The clients have a folder. */
const only = (files: string): string => `test/e2e/{clients/**,!(${files.replaceAll(',', '|')}).test.ts}`;

/** Those that wait most first, and those that only compute last. */
export const SUITES: readonly Suite[] = [
  // Random histories of releases, on every core.
  { ...suite('property'), yields: true },
  suite('e2e', 'e2e', '--ignore', `test/e2e/{${KINDS},${TRAFFIC}}.test.ts`),
  suite('e2e-kinds', 'e2e', '--ignore', only(KINDS)),
  suite('e2e-traffic', 'e2e', '--ignore', only(TRAFFIC)),
  ...['analysis', 'traffic', 'docs', 'chaos', 'dashboard', 'program', 'unit', 'sandbox'].map((name) => suite(name)),
  ...['lint', 'typecheck', 'generated'].map(check),
];

/** More than two cores can compute: most of them wait. The suite that yields comes on top. */
export const AT_ONCE = 4;
