// The sandbox over HTTPS: certificates, identities, watches on the wire, and its command line.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';
import type { KubeObject, Status } from '../../src/core/types.ts';
import { startSandbox, type Sandbox } from '../../src/index.ts';
import { createAuthority } from '../../src/server/certificates.ts';
import { answers, readKubeconfig, writeKubeconfig, type Server } from '../../src/server/kubeconfig.ts';
import { call, credentials, open, type Credentials } from './support.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

interface SelfSubjectReview {
  status: { userInfo: { username: string; groups: string[]; extra: Record<string, string[]> } };
}

describe('The sandbox over HTTPS', () => {
  let sandbox: Sandbox;
  let server: string;
  let admin: Credentials;
  let nobody: Credentials;

  before(async () => {
    sandbox = await startSandbox();
    ({ server, admin, nobody } = credentials(sandbox.kubeconfig));
  });
  after(() => sandbox.close());

  it('listens on loopback, and a client that trusts its CA reaches it', async () => {
    assert.match(server, /^https:\/\/127\.0\.0\.1:\d+$/);
    assert.equal((await call<{ gitVersion: string }>(`${server}/version`, admin)).body.gitVersion, 'v1.36.2');
    await assert.rejects(call(`${server}/version`, { ca: [] }), /self-signed certificate|unable to/);
  });

  it('accepts the administrator by certificate, and nobody else', async () => {
    const path = `${server}/apis/authentication.k8s.io/v1/selfsubjectreviews`;
    const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const body = JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' });
    const { userInfo } = (await call<SelfSubjectReview>(path, { ...admin, ...post }, body)).body.status;
    assert.equal(userInfo.username, 'admin');
    assert.deepEqual(userInfo.groups, ['system:masters', 'system:authenticated']);
    assert.match(userInfo.extra['authentication.kubernetes.io/credential-id']![0]!, /^X509SHA256=[0-9a-f]{64}$/);
    const anonymous = await call<Status>(`${server}/api/v1/namespaces/default/pods`, nobody);
    assert.equal(anonymous.status, 403);
    assert.match(anonymous.body.message!, /User "system:anonymous" cannot list resource "pods"/);
    const token = await call(`${server}/api`, { ...nobody, headers: { authorization: 'Bearer nonsense' } });
    assert.equal(token.status, 401);
  });

  it('streams a watch, a line for each event', async () => {
    const response = await open(
      `${server}/api/v1/namespaces/default/configmaps?watch=1&fieldSelector=metadata.name%3Dw`,
      admin,
    );
    assert.equal(response.headers['transfer-encoding'], 'chunked');
    const lines = (async () => {
      let text = '';
      for await (const part of response) {
        text += String(part);
        if (text.split('\n').length > 2) break;
      }
      return text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { type: string; object: KubeObject });
    })();
    const path = `${server}/api/v1/namespaces/default/configmaps`;
    const created = await call(path, { ...admin, method: 'POST' }, JSON.stringify({ metadata: { name: 'w' } }));
    assert.equal(created.status, 201);
    await call(`${path}/w`, { ...admin, method: 'DELETE' });
    assert.deepEqual(
      (await lines).map(({ type, object }) => `${type} ${object.metadata.name}`),
      ['ADDED w', 'DELETED w'],
    );
  });

  it('refuses an endless body', async () => {
    const body = Buffer.alloc(4 * 1024 * 1024, ' ');
    const answer = await call<Status>(
      `${server}/api/v1/namespaces/default/configmaps`,
      { ...admin, method: 'POST' },
      body,
    ).catch((error: NodeJS.ErrnoException) => error);
    // The answer may be lost when the connection is cut while we still send.
    if (answer instanceof Error) assert.match(String(answer.code), /ECONNRESET|EPIPE/);
    else assert.deepEqual([answer.status, answer.body.reason], [413, 'RequestEntityTooLarge']);
  });

  it('sends warnings in a header', async () => {
    const path = `${server}/api/v1/namespaces/default/configmaps?fieldValidation=Warn`;
    const body = JSON.stringify({ metadata: { name: 'warned' }, größe: 1 });
    const { status, headers } = await call(path, { ...admin, method: 'POST' }, body);
    assert.equal(status, 201);
    assert.equal(Buffer.from(headers.warning!, 'latin1').toString(), '299 - "unknown field \\"größe\\""');
  });
});

interface Ended {
  code: number;
  stderr: string;
}

const run = (...args: string[]): Promise<Ended> => runWith({}, ...args);

const runWith = (env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const options = { timeout: 20_000, env: { PATH: process.env.PATH, ...env } };
    execFile(process.execPath, [MAIN, ...args], options, (error, _stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stderr });
    });
  });

describe('npm run sandbox', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sandbox-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('writes a kubeconfig for its owner only, says where it is, keeps it to itself, and ends at a signal', async function () {
    const file = join(folder, "somebody's config");
    const args = ['--port', '0', '--kubeconfig', relative(process.cwd(), file), '--ready-ms', '10'];
    const child = spawn(process.execPath, [MAIN, ...args]);
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const [, url, word] = /^sandbox ready at (https:\/\/127\.0\.0\.1:\d+) .*: export KUBECONFIG=(.*)\n$/.exec(
        String(line),
      )!;
      assert.equal(word, `'${folder}/somebody'\\''s config'`);
      assert.equal(statSync(file).mode & 0o777, 0o600);
      const { server, admin } = credentials(readFileSync(file, 'utf8'));
      assert.equal((await call(`${server}/readyz`, admin)).body, 'ok');
      const before = readFileSync(file, 'utf8');
      const second = await runWith({ STARTED_BY: 'make' }, ...args);
      assert.equal(second.code, 2);
      assert.equal(
        second.stderr,
        `sandbox: the cluster of this kubeconfig is running at ${url}: export KUBECONFIG=${word}\n` +
          'For a second cluster, write another file: make sandbox PORT=0 SANDBOX_KUBECONFIG=FILE\n',
      );
      assert.equal(readFileSync(file, 'utf8'), before);
      child.kill('SIGTERM');
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('narrows the rights of a kubeconfig that was there before', () => {
    const file = join(folder, 'old');
    writeKubeconfig(file, 'a');
    writeKubeconfig(file, 'b');
    assert.equal(readFileSync(file, 'utf8'), 'b');
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it('overwrites the kubeconfig of a cluster that has ended, and no other file', async () => {
    const ended = join(folder, 'ended');
    const sandbox = await startSandbox();
    writeKubeconfig(ended, sandbox.kubeconfig);
    const { url, authority } = readKubeconfig(ended) as Server;
    assert.equal(url, sandbox.url);
    assert.equal(await answers({ url, authority }), true);
    const stranger = await createAuthority();
    assert.equal(await answers({ url, authority: stranger.certificate }), false);
    await sandbox.close();
    assert.equal(await answers({ url, authority }), false);
    const other = join(folder, 'other');
    for (const text of ['clusters: [{name: mine, cluster: {server: "https://1.2.3.4"}}]', 'clusters: {', 'hello']) {
      writeFileSync(other, text);
      assert.equal(readKubeconfig(other), 'other', text);
    }
    const { code, stderr } = await run('--port', '0', '--kubeconfig', other);
    assert.equal(code, 2);
    assert.equal(
      stderr,
      `sandbox: ${other} exists and is not from this program: write another file with --kubeconfig FILE\n`,
    );
    assert.equal(readFileSync(other, 'utf8'), 'hello');
  });

  it('says what to do when the port is in use', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as AddressInfo;
    try {
      const { code, stderr } = await run('--port', String(port), '--kubeconfig', join(folder, 'x'));
      assert.equal(code, 2);
      assert.equal(
        stderr,
        `sandbox: port ${port} is in use: stop the program that uses it, or choose another port with --port (--port 0 picks a free one)\n`,
      );
      const byMake = await runWith({ STARTED_BY: 'make' }, '--port', String(port), '--kubeconfig', join(folder, 'x'));
      assert.match(byMake.stderr, / with PORT \(PORT=0 picks a free one\)\n$/);
    } finally {
      blocker.close();
    }
  });

  it('explains errors of arguments and files', async () => {
    const missing = await run();
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /^sandbox: --kubeconfig FILE is required\./);
    const number = await run('--kubeconfig', 'x', '--port', 'many');
    assert.equal(number.code, 2);
    assert.match(number.stderr, /^sandbox: invalid --port "many": must be a whole number from 0 to 65535\n$/);
    const unwritable = await run('--port', '0', '--kubeconfig', join(folder, 'no', 'such', 'folder'));
    assert.equal(unwritable.code, 2);
    assert.match(
      unwritable.stderr,
      /cannot write .*: use a file in an existing, writable folder, with --kubeconfig FILE\n$/,
    );
  });
});
