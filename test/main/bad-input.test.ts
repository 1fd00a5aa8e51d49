import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, type Result } from '../support/processes.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

describe('the program refuses in one line, with exit code 2', () => {
  let folder: string;
  let server: Server;
  let port: number;
  /** How the API server answers. */
  let answer: { code: number; body: object };

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'tranche-main-'));
    answer = { code: 201, body: { status: { userInfo: { username: 'admin' } } } };
    server = createServer((_, response) => response.writeHead(answer.code).end(JSON.stringify(answer.body)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });

  const kubeconfig = async (apiPort: number): Promise<string> => {
    const file = path.join(folder, 'config');
    const cluster = { server: `http://127.0.0.1:${apiPort}`, 'insecure-skip-tls-verify': true };
    const config = {
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user: { token: 'abc' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    await writeFile(file, JSON.stringify(config));
    return file;
  };

  /** The process has ended: nothing of it is left running. */
  const start = (...args: string[]): Promise<Result> =>
    run(process.execPath, [MAIN, ...args], { env: { PATH: process.env.PATH }, timeoutSeconds: 35 });
  const refused = ({ code, stderr }: Result, line: RegExp): void => {
    assert.match(stderr, line);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    assert.equal(code, 2);
  };

  it('a flag that it does not know', async () => {
    refused(
      await start('--webhook-ulr', 'https://127.0.0.1:9443'),
      /^tranche: Unknown option '--webhook-ulr': see --help\n$/,
    );
  });

  it('no kubeconfig at all', async () => {
    refused(await start(), /^tranche: no cluster is configured: pass --kubeconfig FILE, or set KUBECONFIG\n$/);
  });

  it('a kubeconfig that is not there', async () => {
    const args = [
      '--kubeconfig',
      path.join(folder, 'gone'),
      '--webhook-url',
      'https://127.0.0.1:9443',
      '--metrics-port',
      '0',
    ];
    refused(
      await start(...args),
      /^tranche: kubeconfig .*\/gone: file not found; pass --kubeconfig FILE with a file that kubectl can use\n$/,
    );
  });

  it('an API server that does not answer', async () => {
    const file = await kubeconfig(port);
    await new Promise((resolve) => server.close(resolve));
    const args = ['--kubeconfig', file, '--webhook-url', 'https://127.0.0.1:9443', '--metrics-port', '0'];
    refused(
      await start(...args),
      /^tranche: cannot connect to the API server at http:\/\/127\.0\.0\.1:\d+ \(.*ECONNREFUSED.*\): start the cluster, or pass --kubeconfig FILE for another one\n$/,
    );
  });

  it('credentials that the API server does not accept', async () => {
    answer = { code: 401, body: { code: 401, reason: 'Unauthorized', message: 'Unauthorized' } };
    const args = [
      '--kubeconfig',
      await kubeconfig(port),
      '--webhook-url',
      'https://127.0.0.1:9443',
      '--metrics-port',
      '0',
    ];
    refused(
      await start(...args),
      /responds with 401 \(Unauthorized\): log in again, or pass --kubeconfig FILE with credentials/,
    );
  });

  it('a port for the metrics that is in use', async () => {
    const args = [
      '--kubeconfig',
      await kubeconfig(port),
      '--webhook-url',
      'https://127.0.0.1:9443',
      '--metrics-port',
      `${port}`,
    ];
    refused(
      await start(...args),
      new RegExp(`^tranche: port ${port} is in use: stop the other program, or pass --metrics-port PORT\n$`),
    );
  });

  it('a port for the webhooks that is in use', async () => {
    const args = [
      '--kubeconfig',
      await kubeconfig(port),
      '--webhook-url',
      `https://127.0.0.1:${port}`,
      '--metrics-port',
      '0',
    ];
    const { code, stderr } = await start(...args, '--log-level', 'error');
    assert.match(
      stderr,
      new RegExp(`^tranche: port ${port} is in use: stop the other program, or pass --webhook-port PORT\n$`),
    );
    assert.equal(code, 2);
  });
}).timeout(40_000);

describe('the program', () => {
  it('shows its flags when it is asked to', async () => {
    const { code, stdout } = await run(process.execPath, [MAIN, '--help'], { timeoutSeconds: 35 });
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: tranche \[flags\] /);
  });
}).timeout(40_000);
