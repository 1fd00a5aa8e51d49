// What the demo promises about the processes it starts: none is left, whatever happens.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { run, start, type ServiceError } from './processes.ts';

const module = fileURLToPath(new URL('processes.ts', import.meta.url));
const node = process.execPath;

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('processes of tests and demo', () => {
  it('give their output and exit code', async () => {
    const result = await run('/bin/sh', ['-c', 'cat; echo oops >&2; exit 3'], { input: 'hello' });
    assert.deepEqual(result, { code: 3, stdout: 'hello', stderr: 'oops\n' });
  });

  it('are ended when they take too long', async () => {
    await assert.rejects(run('/bin/sh', ['-c', 'echo so far; exec sleep 60'], { timeoutSeconds: 0.5 }), /so far/);
  });

  it('are ready when they say so, and stop when told to', async () => {
    const args = ['-e', 'console.log("ready", process.pid); setInterval(() => {}, 1000)'];
    const service = await start('a service', node, args, { ready: (output) => output.includes('ready') });
    const pid = Number(service.output().split(' ')[1]);
    assert.equal(isAlive(pid), true);
    await service.stop();
    assert.equal(isAlive(pid), false);
  });

  it('report what a service said when it ends before it is ready', async () => {
    const args = ['-e', 'console.error("port 1 is in use"); process.exit(2)'];
    await assert.rejects(start('a service', node, args, { ready: () => false }), (error: ServiceError) => {
      assert.deepEqual([error.message, error.code], ['port 1 is in use', 2]);
      return true;
    });
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    it(`end with us on ${signal}, and so do temporary folders`, async () => {
      const script = `
        import { endAllOnSignals, start, temporaryFolder } from ${JSON.stringify(module)};
        endAllOnSignals();
        const folder = temporaryFolder('test');
        const args = ['-e', 'console.log(process.pid); setInterval(() => {}, 1000)'];
        const service = await start('child', process.execPath, args, { ready: (output) => output.includes('\\n') });
        console.log(JSON.stringify({ folder, pid: Number(service.output()) }));
        setInterval(() => {}, 1000);`;
      const parent = spawn(node, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
      const line = await new Promise<Buffer>((resolve) => parent.stdout.once('data', resolve));
      const { folder, pid } = JSON.parse(line.toString()) as { folder: string; pid: number };
      assert.deepEqual([isAlive(pid), existsSync(folder)], [true, true]);
      const closed = new Promise<number | null>((resolve) => parent.once('close', resolve));
      parent.kill(signal);
      assert.equal(await closed, { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal]);
      assert.deepEqual([isAlive(pid), existsSync(folder)], [false, false]);
    });
  }
});
