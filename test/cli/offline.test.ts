// Commands that need no cluster: files, help, completion.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { temporaryFolder } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { goldenExact, runPlugin, type Result } from './support.ts';

const FILES = path.relative(process.cwd(), fileURLToPath(new URL('files', import.meta.url)));
const MAIN = fileURLToPath(new URL('../../src/plugin.ts', import.meta.url));
/** What the image starts. */
const IMAGE = MAIN.replace('plugin.ts', 'main.ts');
const run = (...args: readonly string[]): Promise<Result> => runPlugin(args);

describe('kubectl tranche lint', () => {
  it('says what the webhook would say, with file, line and column', async () => {
    goldenExact(
      'lint',
      ['lint test/cli/files/mistakes.yaml', await run('lint', `${FILES}/mistakes.yaml`)],
      ['lint test/cli/files/web.yaml', await run('lint', `${FILES}/web.yaml`)],
      ['lint --strict test/cli/files/web.yaml', await run('lint', '--strict', `${FILES}/web.yaml`)],
      ['lint test/cli/files/policy.yaml', await run('lint', `${FILES}/policy.yaml`)],
      ['lint test/cli/files/no-yaml.txt', await run('lint', `${FILES}/no-yaml.txt`)],
      ['lint not-there.yaml', await run('lint', 'not-there.yaml')],
      ['lint   # without a file', await run('lint')],
    );
  });

  it('says what the policies among the files say to the Rollouts among them, or why they are not applied', async () => {
    goldenExact(
      'lint-policies',
      ['lint test/cli/files/guarded.yaml', await run('lint', `${FILES}/guarded.yaml`)],
      ['lint test/cli/files/guarded-alone.yaml', await run('lint', `${FILES}/guarded-alone.yaml`)],
      [
        'lint -n shop test/cli/files/guarded-alone.yaml',
        await run('lint', '-n', 'shop', `${FILES}/guarded-alone.yaml`),
      ],
    );
    // What is not applied is no warning.
    const { code } = await run('lint', '--strict', `${FILES}/guarded-alone.yaml`);
    assert.equal(code, 1, 'it has a warning of its own');
    const quiet = readFileSync(`${FILES}/guarded-alone.yaml`, 'utf8').split('---\n').slice(0, 2).join('---\n');
    assert.equal((await runPlugin(['lint', '--strict', '-'], { stdin: quiet })).code, 0);
    assert.match((await runPlugin(['lint', '-'], { stdin: quiet })).out, /: note: the policy is not applied/);
  });

  it('refuses an empty input, which is a mistake of the command line', async () => {
    for (const command of [
      ['lint', '-'],
      ['plan', '-f', '-'],
      ['convert', '-'],
    ])
      for (const stdin of ['', '\n\n', '# nothing here\n', '---\n# nothing\n---\n']) {
        const { code, err } = await runPlugin(command, { stdin });
        assert.equal(err, 'error: no objects in stdin: the input is empty\n');
        assert.equal(code, 2);
      }
    const empty = path.join(temporaryFolder('empty'), 'empty.yaml');
    await writeFile(empty, '');
    assert.equal((await run('lint', empty)).code, 2);
    // Beside others, as in k8s/*.yaml, it is none.
    assert.equal((await run('lint', empty, `${FILES}/web.yaml`)).code, 0);
  });

  it('points at the very line of the mistake', async () => {
    const { out } = await run('lint', '-o', 'json', `${FILES}/mistakes.yaml`);
    const lines = readFileSync(`${FILES}/mistakes.yaml`, 'utf8').split('\n');
    const findings = JSON.parse(out) as { line: number; column: number; message: string }[];
    const at = (message: RegExp): string => {
      const found = findings.find((finding) => message.test(finding.message));
      assert.ok(found, `${message} is not among ${out}`);
      return lines[found.line - 1]!.slice(found.column - 1);
    };
    assert.match(at(/on-restart/), /^tranche.dev\/on-restart: Sometimes/);
    assert.match(at(/steps\[1\].replicas.*40%/), /^replicas: 40%/);
    assert.match(at(/setps/), /^setps: \[\]/);
  });

  it('points at the line in several documents, behind anchors, in JSON, and with the line ends of Windows', async () => {
    const rollout = (steps: string): string =>
      `apiVersion: rollouts.kruise.io/v1beta1\nkind: Rollout\nmetadata: { name: x }\nspec:\n  workloadRef: { apiVersion: apps/v1, kind: Deployment, name: x }\n  strategy:\n    canary:\n${steps}`;
    const bad = '      steps:\n        - replicas: 0%\n        - replicas: 100%\n';
    const lint = async (stdin: string): Promise<string> => (await runPlugin(['lint', '-'], { stdin })).out;
    const one = /^stdin:(\d+):(\d+): error: spec\.strategy\.canary\.steps\[0\]\.replicas/m;
    const at = (out: string): number[] => [...(one.exec(out) ?? [])].slice(1).map(Number);
    assert.deepEqual(at(await lint(rollout(bad))), [9, 11]);
    assert.deepEqual(at(await lint(rollout(bad).replaceAll('\n', '\r\n'))), [9, 11]);
    assert.deepEqual(at(await lint(`\uFEFF${rollout(bad)}`)), [9, 11]);
    assert.deepEqual(
      at(await lint(`kind: ConfigMap\napiVersion: v1\n---\n# a comment\n---\n${rollout(bad)}`)),
      [14, 11],
    );
    const anchored = `x-steps: &steps\n  - replicas: 0%\n  - replicas: 100%\n${rollout('      steps: *steps\n')}`;
    assert.deepEqual(at(await lint(anchored)), [2, 5]);
    const json = JSON.stringify(parse(rollout(bad)), null, 2);
    const line = json.split('\n').findIndex((text) => text.includes('"0%"')) + 1;
    assert.equal(at(await lint(json))[0], line);
    // What Helm has not rendered yet, and what is no manifest at all, is not taken for a Rollout without mistakes.
    for (const [text, found] of [
      ['{{- if .Values.x }}\nkind: Rollout\n{{- end }}\n', /^stdin:\d+:\d+: error: /],
      ['- a\n- b\n', /not a Kubernetes object/],
      ['a: 1\na: 2\n', /^stdin:2:1: error: .*unique/i],
    ] as const)
      assert.match(await lint(text), found);
  });

  it('reads lists, aliases and standard input, and survives what is no Rollout', async () => {
    const list = {
      kind: 'List',
      items: [{ apiVersion: 'rollouts.kruise.io/v1beta1', kind: 'Rollout', metadata: { name: 'x' }, spec: {} }],
    };
    const { code, out } = await runPlugin(['lint', '-'], { stdin: JSON.stringify(list, null, 1) });
    assert.equal(code, 1);
    assert.match(out, /^stdin:10:\d+: error: spec\.workloadRef: Required value/m);
    for (const stdin of [
      'just text',
      '[1, 2]',
      'a: &a [*a]\n',
      'kind: Rollout\napiVersion: 7\n',
      'x: {{ .Values.y }}\n',
    ]) {
      const result = await runPlugin(['lint', '-'], { stdin });
      assert.ok(result.code === 0 || result.code === 1, `${stdin}: ${result.code}`);
    }
  });
});

describe('kubectl tranche plan, on files', () => {
  it('computes every step without a cluster', async () => {
    const none = readFileSync(`${FILES}/web.yaml`, 'utf8').replace(/replicas: 10$/m, 'replicas: 0');
    goldenExact(
      'plan-files',
      ['plan -f test/cli/files/web.yaml', await run('plan', '-f', `${FILES}/web.yaml`)],
      ['plan -f test/cli/files/web.yaml --replicas 3', await run('plan', '-f', `${FILES}/web.yaml`, '--replicas', '3')],
      [
        'plan -f test/cli/files/web.yaml -o jsonpath={.steps[*].updated}',
        await run('plan', '-f', `${FILES}/web.yaml`, '-o', 'jsonpath={.steps[*].updated}'),
      ],
      [
        'plan -f test/cli/files/web.yaml --replicas many',
        await run('plan', '-f', `${FILES}/web.yaml`, '--replicas', 'many'),
      ],
      [
        'plan -f test/cli/files/web.yaml --replicas 1   # one Pod',
        await run('plan', '-f', `${FILES}/web.yaml`, '--replicas', '1'),
      ],
      ['plan -f test/cli/files/guarded.yaml', await run('plan', '-f', `${FILES}/guarded.yaml`)],
      [
        'plan -f test/cli/files/guarded.yaml --replicas 1',
        await run('plan', '-f', `${FILES}/guarded.yaml`, '--replicas', '1'),
      ],
      ['plan -f test/cli/files/none.yaml   # replicas: 0', await runPlugin(['plan', '-f', '-'], { stdin: none })],
      ['plan -f test/cli/files/mistakes.yaml', await run('plan', '-f', `${FILES}/mistakes.yaml`)],
      ['plan -f test/cli/files/argo.yaml', await run('plan', '-f', `${FILES}/argo.yaml`)],
      ['plan', await run('plan')],
    );
  });
});

describe('kubectl tranche convert', () => {
  it('turns Argo Rollouts and Flagger into what our own lint takes, and lists what is lost', async () => {
    const argo = await run('convert', `${FILES}/argo.yaml`);
    const plain = readFileSync(`${FILES}/argo.yaml`, 'utf8')
      .split('---\n')
      .filter((text) => /kind: Rollout\nmetadata: \{ name: plain/.test(text))
      .join('---\n');
    const flagger = await run('convert', `${FILES}/flagger.yaml`);
    goldenExact(
      'convert',
      ['convert test/cli/files/argo.yaml', argo],
      ['convert test/cli/files/flagger.yaml', flagger],
      ['convert --strict test/cli/files/flagger.yaml', await run('convert', '--strict', `${FILES}/flagger.yaml`)],
      ['convert --strict -   # nothing is lost', await runPlugin(['convert', '--strict', '-'], { stdin: plain })],
      ['convert test/cli/files/web.yaml', await run('convert', `${FILES}/web.yaml`)],
    );
    for (const { out } of [argo, flagger]) {
      const { code, err } = await runPlugin(['lint', '-'], { stdin: out });
      assert.equal(code, 0, err);
    }
  });
});

describe('kubectl tranche, on the command line', () => {
  it('shows its help, and refuses what it does not know with exit code 2', async () => {
    goldenExact(
      'usage',
      ['', await run()],
      ['stauts', await run('stauts')],
      ['approve', await run('approve')],
      ['list --al', await run('list', '--al')],
      ['status --timeout 5m', await run('status', '--timeout', '5m')],
      ['status --watch --timeout soon', await run('status', '--watch', '--timeout', 'soon')],
      ['pause web --dry-run=maybe', await run('pause', 'web', '--dry-run=maybe')],
      ['list --kubeconfig not-there', await run('list', '--kubeconfig', 'not-there')],
      ['help jump', await run('help', 'jump')],
    );
    const { code, out } = await run('version');
    assert.equal(code, 0);
    assert.match(out, /^kubectl-tranche \d+\.\d+\.\d+\n$/);
  });

  it('prints its version for --version, too', async () => {
    assert.deepEqual(await run('--version'), await run('version'));
    assert.deepEqual(await run('lint', '--version'), await run('version'));
  });

  it('ends without a word if nobody reads what it says', async () => {
    const ends = (closed: 'stdout' | 'stderr', ...args: readonly string[]): Promise<[number | null, string]> =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
        let said = '';
        child[closed].destroy();
        child[closed === 'stdout' ? 'stderr' : 'stdout'].on('data', (chunk) => (said += String(chunk)));
        child.on('close', (code) => resolve([code, said]));
      });
    assert.deepEqual(await ends('stdout', '--help'), [0, '']);
    assert.deepEqual(await ends('stdout', 'plan', '-f', `${FILES}/web.yaml`), [0, '']);
    assert.deepEqual(await ends('stderr', 'stauts'), [2, ''], 'the exit code is the command’s');
    const [code, out] = await ends('stderr', 'lint', `${FILES}/web.yaml`);
    assert.equal(code, 0);
    assert.match(out, /warning/);
  }).timeout(20_000);

  it('completes commands, flags and their values', async () => {
    const complete = async (...words: readonly string[]): Promise<string[]> =>
      (await run('__complete', '--', ...words)).out.trimEnd().split('\n');
    assert.deepEqual(await complete('re'), ['resume', 'retry', 'restart']);
    assert.deepEqual(await complete('approve', '--dry'), ['--dry-run']);
    assert.deepEqual(await complete('approve', '--dry-run', ''), ['client', 'server']);
    assert.deepEqual(await complete('-n', 'shop', 'list', '-o', 'j'), ['json', 'jsonpath=']);
    assert.deepEqual(await complete('completion', ''), ['bash', 'zsh', 'fish', 'kubectl']);
    assert.deepEqual(await complete('status', '--name'), ['--namespace']);
    // As one word, and as bash takes it apart.
    assert.deepEqual(await complete('approve', '--dry-run=c'), ['--dry-run=client']);
    assert.deepEqual(await complete('approve', '--dry-run', '=', 's'), ['server']);
    assert.deepEqual(await complete('approve', '--dry-run', '='), ['client', 'server']);
    assert.deepEqual(await complete('approve', '--message=x'), ['']);
  });

  it('prints completion scripts that their shells can read', async () => {
    const { out } = await run('completion', 'bash');
    await promisify(execFile)('bash', ['-n', '-c', out]);
    for (const shell of ['zsh', 'fish', 'kubectl']) assert.match((await run('completion', shell)).out, /__complete/);
    assert.equal((await run('completion', 'tcsh')).code, 2);
    // What bash itself offers for `kubectl-tranche appr<Tab>`.
    const script = `kubectl-tranche() { "${process.execPath}" "${MAIN}" "$@"; }\n${out}\nCOMP_WORDS=(kubectl-tranche appr); COMP_CWORD=1; _kubectl_tranche; echo "\${COMPREPLY[@]}"`;
    const { stdout } = await promisify(execFile)('bash', ['-c', script]);
    assert.equal(stdout, 'approve\n');
  });

  it('is found by kubectl, which hands its completion on', async () => {
    const folder = temporaryFolder('plugin');
    const script = `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`;
    await writeFile(path.join(folder, 'kubectl-tranche'), script, { mode: 0o755 });
    await writeFile(path.join(folder, 'kubectl_complete-tranche'), (await run('completion', 'kubectl')).out, {
      mode: 0o755,
    });
    const kubectl = await findTool('kubectl');
    const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder };
    const { stdout } = await promisify(execFile)(kubectl, ['tranche', 'version'], { env });
    assert.match(stdout, /^kubectl-tranche /);
    const completed = await promisify(execFile)(kubectl, ['__complete', 'tranche', 'appr'], { env });
    assert.match(completed.stdout, /^approve\n:4\n/);
  }).timeout(20_000);

  it('is in the package of npm under the names that kubectl looks for, and in the image as tranche', async () => {
    const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    const { bin, files } = JSON.parse(read('package.json')) as { bin: Record<string, string>; files: string[] };
    assert.deepEqual(Object.keys(bin), ['kubectl-tranche', 'kubectl_complete-tranche']);
    assert.deepEqual(files, ['dist', '!dist/release', '!dist/site']);
    for (const file of [...Object.values(bin), 'dist/main.js'])
      assert.match(read(file.replace('dist/', 'src/').replace('.js', '.ts')), /^#!\/usr\/bin\/env node\n/);
    const { stdout } = await promisify(execFile)(process.execPath, [IMAGE, 'version']);
    assert.match(stdout, /^kubectl-tranche /);
    const completed = await promisify(execFile)(process.execPath, [
      MAIN.replace('plugin.ts', 'plugin-complete.ts'),
      'appr',
    ]);
    assert.equal(completed.stdout, 'approve\n:4\n');
  }).timeout(20_000);

  it('loads the Kubernetes client only for commands that need it', async () => {
    const traced = async (...args: readonly string[]): Promise<string> => {
      const hook = `import { registerHooks } from 'node:module'; registerHooks({ load(url, context, next) { process.stderr.write(url + '\\n'); return next(url, context); } });`;
      const { stderr } = await promisify(execFile)(process.execPath, [
        '--import',
        `data:text/javascript,${encodeURIComponent(hook)}`,
        MAIN,
        ...args,
      ]);
      return stderr;
    };
    // The list of commands loads none of them.
    assert.doesNotMatch(await traced('--help'), /src\/cli\/commands\//);
    for (const args of [['--help'], ['version'], ['approve', '--help'], ['completion', 'bash']]) {
      const loaded = await traced(...args);
      assert.match(loaded, /commander/);
      assert.doesNotMatch(loaded, /client-node|src\/kube\/|node_modules\/(ajv|yaml)\//, args.join(' '));
      // Nor what decides about releases: only what words and numbers of the help and of flags need.
      assert.doesNotMatch(loaded, /src\/engine\/(admit|policy|steps|workload)\//, args.join(' '));
    }
  }).timeout(20_000);

  it('has a golden file for nothing that no test asks for', () => {
    const sources = readdirSync(fileURLToPath(new URL('.', import.meta.url)))
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => readFileSync(new URL(name, import.meta.url), 'utf8'))
      .join('\n');
    const asked = readdirSync(fileURLToPath(new URL('golden', import.meta.url))).map((name) =>
      name.replace('.txt', ''),
    );
    for (const name of asked)
      assert.ok(sources.includes(`'${name}'`), `test/cli/golden/${name}.txt belongs to no test`);
  });
});
