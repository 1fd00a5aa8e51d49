// What `make test` runs: suites of tests, each by its script in package.json, and checks that only pass or fail.

export interface Suite {
  /** A suite `a-b` is a part of `a`. */
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

const ignore = (...patterns: readonly string[]): readonly string[] =>
  patterns.flatMap((pattern) => ['--ignore', `test/${pattern}`]);

// A suite is one process, which computes on one core and waits for one test at a time. So what takes long is several suites.

/** Acceptance tests. Each suite of them has a cluster of its own. */
const KINDS = 'statefulset,daemonset,kruise,openkruise,takeover,policy';
const TRAFFIC = 'traffic,traffic-limits,traffic-routing';
const RELEASES = 'analysis,one-apply,outage';
const onlyE2e = (files: string): readonly string[] =>
  ignore('e2e/clients/**', `e2e/!(${files.replaceAll(',', '|')}).test.ts`);

/** Those that wait most first, and those that only compute last. */
export const SUITES: readonly Suite[] = [
  // Releases in virtual time.
  { ...suite('property', 'property', ...ignore('property/{combinations,every-point,traffic}.test.ts')), yields: true },
  {
    ...suite('property-whole', 'property', ...ignore('property/!(combinations|every-point|traffic).test.ts')),
    yields: true,
  },
  suite('e2e-releases', 'e2e', ...onlyE2e(RELEASES)),
  suite('chaos'),
  suite('e2e-traffic', 'e2e', ...onlyE2e(TRAFFIC)),
  suite('program', 'program', ...ignore('{rights,cli}/**')),
  suite('e2e-kinds', 'e2e', ...onlyE2e(KINDS)),
  suite('analysis'),
  suite('traffic'),
  suite('e2e', 'e2e', ...ignore(`e2e/{${KINDS},${TRAFFIC},${RELEASES}}.test.ts`)),
  suite('docs'),
  suite('program-rights', 'program', ...ignore('main/**')),
  suite('dashboard'),
  suite('unit', 'unit', ...ignore('{operator,attacks}/**')),
  suite('unit-operator', 'unit', ...ignore('!(operator|attacks)/**')),
  suite('sandbox'),
  ...['lint', 'typecheck', 'generated'].map(check),
];

/** The suites that a user names, with their parts. */
export const suitesNamed = (name: string): readonly Suite[] =>
  SUITES.filter((one) => one.name === name || one.name.startsWith(`${name}-`));

/** More than two cores can compute: most of them wait. The suites that yield come on top. */
export const AT_ONCE = 4;
