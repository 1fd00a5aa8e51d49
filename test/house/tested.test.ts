// Every file of the engine that does something has a test of its own, where one looks for it.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '../..');
const engine = path.join(root, 'src/engine');
const tests = path.join(root, 'test/engine');

/** Files that are tested elsewhere, and why. */
const exceptions: Readonly<Record<string, string>> = {
  'decision.ts': 'shapes, and a decision that does nothing',
  'workload/partition/kind.ts':
    'tested with its kinds: workload/cloneset/kind.test.ts, workload/statefulset/kind.test.ts',
  'workload/partition/edits.ts': 'the contract of workload kinds holds it: workload/statefulset/contract.test.ts',
  'workload/partition/hold.ts': 'tested with a kind: workload/statefulset/kind.test.ts',
  'workload/partition/progress.ts': 'tested with a kind: workload/statefulset/kind.test.ts',
  'workload/field-owners.ts': 'tested with the fields of a Deployment: workload/deployment/field-owners.test.ts',
};

/** Files whose tests are being written. */
const inWork: readonly string[] = ['workload/deployment/edits.ts'];

/** A file of types only has nothing to test. */
const isCode = (text: string): boolean => /^(export )?(const|function|class|let)\b/m.test(text);

const files = globSync('**/*.ts', { cwd: engine })
  .filter((file) => isCode(readFileSync(path.join(engine, file), 'utf8')))
  .toSorted();
const testOf = (file: string): string => file.replace(/\.ts$/, '.test.ts');
const isTested = (file: string): boolean => existsSync(path.join(tests, testOf(file)));
const isExcused = (file: string): boolean => Object.hasOwn(exceptions, file) || inWork.includes(file);

describe('the engine', () => {
  it('has files', () => assert.ok(files.length > 50));

  it('has a test for each file that does something', () => {
    const untested = files.filter((file) => !isTested(file) && !isExcused(file));
    assert.deepEqual(untested, [], 'add test/engine/<the same path>.test.ts');
  });

  it('has no exception that is not needed', () => {
    const idle = [...Object.keys(exceptions), ...inWork].filter((file) => isTested(file) || !files.includes(file));
    assert.deepEqual(idle, [], 'take it off the list');
  });

  it('has no test of a file that is gone', () => {
    const orphans = globSync('**/*.test.ts', { cwd: tests })
      .map((file) => file.replace(/\.test\.ts$/, '.ts'))
      .filter((file) => !existsSync(path.join(engine, file)));
    // Of more than one file.
    const known = [
      'admit/kinds.ts',
      'admit/restore.ts',
      'admit/routed.ts',
      'workload/daemonset/contract.ts',
      ...['contract', 'notice-edits', 'protocol'].map((name) => `workload/deployment/${name}.ts`),
      'workload/partition/contract.ts',
      'workload/statefulset/contract.ts',
    ];
    assert.deepEqual(orphans.toSorted(), known, 'a file was moved, and its test was not');
  });

  it('is told apart from types', () => {
    assert.equal(
      isCode("// What for.\nimport type { A } from './a.ts';\nexport interface B {\n  readonly const: A;\n}\n"),
      false,
    );
    assert.equal(isCode('export const a = 1;\n'), true);
    assert.equal(isCode('export function a(): void {}\n'), true);
    assert.equal(isCode('const a = 1;\nexport { a };\n'), true);
  });
});
