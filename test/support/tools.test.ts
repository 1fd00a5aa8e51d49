// Finding kubectl and helm, with programs on PATH that only say a version.
import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { temporaryFolder } from './processes.ts';
import { findTool, isAtLeast } from './tools.ts';

describe('kubectl and helm for the tests', () => {
  const { PATH } = process.env;
  let folder: string;

  beforeEach(() => {
    folder = temporaryFolder('path');
    process.env.PATH = `${folder}${path.delimiter}${PATH}`;
  });
  afterEach(() => {
    process.env.PATH = PATH;
  });

  const put = async (tool: string, script: string): Promise<string> => {
    const program = path.join(folder, tool);
    await writeFile(program, `#!/bin/sh\n${script}\n`);
    await chmod(program, 0o755);
    return program;
  };

  it('are taken from PATH when they are new enough', async () => {
    const kubectl = await put('kubectl', 'echo "Client Version: v1.28.0"');
    const helm = await put('helm', 'echo v3.14.0');
    assert.equal(await findTool('kubectl'), kubectl);
    assert.equal(await findTool('helm'), helm);
  });

  for (const [what, script] of [
    ['too old', 'echo "Client Version: v1.27.9"'],
    ['broken', 'exit 1'],
    ['something else', 'echo hello'],
  ] as const) {
    it(`are not taken from PATH when what is there is ${what}`, async () => {
      const kubectl = await put('kubectl', script);
      assert.notEqual(await findTool('kubectl'), kubectl);
    }).timeout(300_000);
  }

  it('compare versions as numbers', () => {
    assert.equal(isAtLeast([1, 9], '1.28'), false);
    assert.equal(isAtLeast([1, 28], '1.28'), true);
    assert.equal(isAtLeast([4, 1], '3.14'), true);
    assert.equal(isAtLeast([2, 17], '3.14'), false);
  });
});
