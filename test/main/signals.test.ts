import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { startSandbox, type Sandbox } from '@tranche/sandbox';
import { run, temporaryFolder, type Result } from '../support/processes.ts';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

describe('the process', () => {
  let sandbox: Sandbox;
  let kubeconfig: string;

  before(async () => {
    sandbox = await startSandbox();
    kubeconfig = path.join(temporaryFolder('signals'), 'kubeconfig');
    await writeFile(kubeconfig, sandbox.kubeconfig, { mode: 0o600 });
  });
  after(() => sandbox.close());

  /** Sends SIGTERM as soon as it has printed this. The chart is not installed: the program waits for it. */
  const endAt = (text: string): Promise<Result> => {
    const ending = new AbortController();
    let output = '';
    return run(
      process.execPath,
      [
        MAIN,
        '--kubeconfig',
        kubeconfig,
        '--webhook-url',
        'https://127.0.0.1:9443',
        '--webhook-port',
        '0',
        '--metrics-port',
        '0',
      ],
      {
        env: { PATH: process.env.PATH },
        signal: ending.signal,
        timeoutSeconds: 30,
        onOutput(piece) {
          output += piece;
          if (output.includes(text)) ending.abort();
        },
      },
    );
  };

  for (const [when, text] of [
    ['while it waits for the chart', '"message":"using a new certificate"'],
    ['while it is still starting', '"message":"certificates: rotation step done"'],
  ] as const) {
    it(`ends in order on SIGTERM, ${when}`, async () => {
      const { code, stdout, stderr } = await endAt(text);
      assert.equal(stderr, '');
      assert.match(stdout.trimEnd().split('\n').at(-1)!, /"message":"stopped"/);
      assert.equal(code, 0);
    });
  }
}).timeout(40_000);
