// `.ci/run` ends with the plain line "N passed, N failed", whatever becomes of the programs that it runs: here they are stand-ins.
import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, temporaryFolder, type Result } from '../support/processes.ts';

const script = fileURLToPath(new URL('../../.ci/run', import.meta.url));

interface StandIns {
  /** What `make test`, `make soak`, `make test-traffic-crash` and `make e2e` do, as lines of a shell script. */
  readonly test: string;
  readonly soak?: string;
  readonly crash?: string;
  readonly e2e?: string;
  readonly build?: string;
  readonly start?: string;
}

async function play({
  test,
  soak = "echo '  2 passing (2s)'",
  crash = "echo '  2 passing (2s)'",
  e2e,
  build = 'true',
  start = 'true',
}: StandIns): Promise<Result> {
  const folder = temporaryFolder('ci run');
  const put = async (file: string, lines: string): Promise<void> => {
    const target = path.join(folder, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, `#!/bin/sh\n${lines}\n`);
    await chmod(target, 0o755);
  };
  await mkdir(path.join(folder, 'project', '.ci'), { recursive: true });
  await copyFile(script, path.join(folder, 'project', '.ci', 'run'));
  await put(
    'bin/make',
    `case $1 in test) ${test} ;; soak) ${soak} ;; test-traffic-crash) ${crash} ;; e2e) ${e2e ?? 'exit 9'} ;; esac`,
  );
  // So that it installs none.
  await put('bin/chromium', 'true');
  await put('bin/python3', 'true');
  if (e2e !== undefined) {
    await put('bin/go', 'true');
    for (const [name, lines] of Object.entries({ build, start, stop: 'echo stopped' }))
      await put(`shared/tools/control-plane/${name}.sh`, lines);
  }
  const PATH = `${folder}/bin:/usr/bin:/bin`;
  await mkdir(path.join(folder, 'tmp'));
  return run('bash', [path.join(folder, 'project', '.ci', 'run')], { env: { PATH, TMPDIR: `${folder}/tmp` } });
}

const GOOD = "printf 'unit ok\\n\\n12 passed, 0 failed in 0:01\\n'";

describe('the run of CI', () => {
  for (const [what, standIns, sum] of [
    ['passes', { test: GOOD }, '16 passed, 0 failed'],
    [
      'fails in more random histories',
      { test: GOOD, soak: "printf '  3 passing\\n  1 failing\\n'; exit 1" },
      '17 passed, 1 failed',
    ],
    [
      'fails while the program is killed',
      { test: GOOD, crash: "printf '  0 passing\\n  1 failing\\n'; exit 1" },
      '14 passed, 1 failed',
    ],
    ['has no gateway', { test: GOOD, crash: "printf '  0 passing\\n  10 pending\\n'" }, '14 passed, 0 failed'],
    ['has a failure', { test: "echo '12 passed, 2 failed, 1 skipped in 0:01'; exit 2" }, '16 passed, 2 failed'],
    ['breaks off', { test: 'kill -9 $$' }, '4 passed, 1 failed'],
    ['prints nothing', { test: 'true' }, '4 passed, 1 failed'],
    ['runs no test', { test: "echo '0 passed, 0 failed in 0:01'" }, '4 passed, 1 failed'],
    ['fails without saying so', { test: `${GOOD}; exit 2` }, '16 passed, 1 failed'],
    ['passes on a real control plane too', { test: GOOD, e2e: "echo '  3 passing (2s)'" }, '19 passed, 0 failed'],
    ['fails there', { test: GOOD, e2e: "printf '  3 passing\\n  1 failing\\n'; exit 1" }, '19 passed, 1 failed'],
    ['breaks off there', { test: GOOD, e2e: 'exit 2' }, '16 passed, 1 failed'],
    ['has no control plane', { test: GOOD, e2e: 'true', build: 'exit 1' }, '16 passed, 1 failed'],
    ['has one that does not start', { test: GOOD, e2e: 'true', start: 'exit 1' }, '16 passed, 1 failed'],
  ] as const)
    it(`ends with ${sum} when it ${what}`, async () => {
      const { code, stdout, stderr } = await play(standIns);
      assert.equal(stdout.trimEnd().split('\n').at(-1), sum, stdout + stderr);
      assert.equal(code, sum.endsWith(' 0 failed') ? 0 : 1);
    }).timeout(30_000);

  it('says last what failed, each with the first lines of its error', async () => {
    const { stdout, stderr } = await play({
      test: String.raw`printf '✖ unit: adds\n 0:10 unit 2/3\n\n✖ unit: adds\n    Error: not 3\n\n        at sum\n\n     passed   failed\nunit      2        1\n\n2 passed, 1 failed\n'; exit 1`,
      soak: String.raw`printf '    1) ends\n\n  0 passing\n  1 failing\n\n  1) a release\n       ends:\n     Error: it goes on\n'; exit 1`,
      e2e: 'true',
      build: 'echo no compiler; exit 1',
    });
    const told = [
      ...['test: ✖ unit: adds', '    Error: not 3', '        at sum'],
      ...['property:   1) a release', '       ends:', '     Error: it goes on'],
      ...['build: its last lines:', 'no compiler', '4 passed, 3 failed', ''],
    ];
    assert.ok(stdout.endsWith(`\n${told.join('\n')}`), stdout + stderr);
  }).timeout(30_000);

  it('says it in some sixty lines, with each title, however much failed', async () => {
    const failures = `for i in $(seq 20); do echo "✖ unit: $i"; for line in $(seq 30); do echo "    at $line"; done; echo; done`;
    const { stdout, stderr } = await play({ test: `${failures}; echo '2 passed, 20 failed'; exit 1` });
    const lines = stdout.trimEnd().split('\n');
    const told = lines.slice(lines.lastIndexOf('test: ✖ unit: 1'), -1);
    assert.equal(told.length, 60, stdout + stderr);
    assert.equal(told.filter((line) => line.startsWith('test: ✖ unit: ')).length, 20);
  }).timeout(30_000);
});
