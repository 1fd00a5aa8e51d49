import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, connectInCluster, ConnectionError } from '../../src/kube/connection.ts';

describe('a connection', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'tranche-kube-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const kubeconfig = async (content: unknown, name = 'config'): Promise<string> => {
    const file = path.join(folder, name);
    await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
    return file;
  };
  const from = (...files: string[]) => connect({ type: 'kubeconfig', files });
  const config = (user: object, cluster: object = {}) => ({
    clusters: [
      { name: 'c', cluster: { server: 'https://10.0.0.1:6443', 'certificate-authority-data': 'Q0E=', ...cluster } },
    ],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'team' } }],
    'current-context': 'x',
  });

  describe('from a kubeconfig', () => {
    it('has the server, the namespace, the CA and the token', async () => {
      const connection = await from(await kubeconfig(config({ token: 'abc' })));
      assert.equal(connection.server.href, 'https://10.0.0.1:6443/');
      assert.equal(connection.namespace, 'team');
      const { headers, tls } = await connection.credentials();
      assert.deepEqual(headers, { authorization: 'Bearer abc' });
      assert.deepEqual(tls, { ca: Buffer.from('CA') });
    });

    it('has a client certificate from a file beside it, read anew when it changes', async () => {
      await kubeconfig('CERT', 'client.crt');
      const user = { 'client-certificate': 'client.crt', 'client-key-data': 'S0VZ' };
      const connection = await from(await kubeconfig(config(user)));
      assert.equal(String((await connection.credentials()).tls.cert), 'CERT');
      await kubeconfig('CERT 2', 'client.crt');
      const { tls } = await connection.credentials();
      assert.deepEqual([String(tls.cert), String(tls.key)], ['CERT 2', 'KEY']);
    });

    it('runs a credential plugin', async () => {
      const credential = {
        apiVersion: 'client.authentication.k8s.io/v1',
        kind: 'ExecCredential',
        status: { token: 'fresh' },
      };
      const script = `process.stdout.write(${JSON.stringify(JSON.stringify(credential))})`;
      const exec = { apiVersion: credential.apiVersion, command: process.execPath, args: ['-e', script] };
      const connection = await from(await kubeconfig(config({ exec })));
      assert.deepEqual((await connection.credentials()).headers, { authorization: 'Bearer fresh' });
    });

    it('asks the plugin again when the server did not accept what it gave', async () => {
      const counter = path.join(folder, 'counter');
      const script =
        `const fs = require('fs'); fs.appendFileSync(${JSON.stringify(counter)}, 'x');` +
        `const token = 't' + fs.readFileSync(${JSON.stringify(counter)}).length;` +
        `process.stdout.write(JSON.stringify({ kind: 'ExecCredential', status: { token } }))`;
      const connection = await from(
        await kubeconfig(config({ exec: { command: process.execPath, args: ['-e', script] } })),
      );
      const token = async (): Promise<unknown> => (await connection.credentials()).headers['authorization'];
      assert.deepEqual([await token(), await token()], ['Bearer t1', 'Bearer t1']);
      connection.renew!();
      assert.deepEqual([await token(), await token()], ['Bearer t2', 'Bearer t2']);
    });

    describe('with a credential plugin', () => {
      /** A script in a folder of its own, and a kubeconfig beside that folder. */
      const plugin = async (body: string, exec: object = {}, cluster: object = {}): Promise<string> => {
        await mkdir(path.join(folder, 'bin'), { recursive: true });
        const script = path.join(folder, 'bin', 'login');
        // Not Node in the first line: its path may have a space.
        await writeFile(script, `#!/bin/sh\nexec '${process.execPath}' "$0.cjs" "$@"\n`);
        await writeFile(`${script}.cjs`, body);
        await chmod(script, 0o755);
        return kubeconfig(
          config({ exec: { apiVersion: V1, command: './bin/login', interactiveMode: 'Never', ...exec } }, cluster),
        );
      };
      const V1 = 'client.authentication.k8s.io/v1';
      const say = (status: string, more = ''): string =>
        `process.stdout.write(JSON.stringify({ apiVersion: '${V1}', kind: 'ExecCredential', status: ${status} ${more}}))`;

      it('finds a command beside the kubeconfig, from whatever folder, and gives it its environment', async () => {
        const file = await plugin(say('{ token: process.env.MINE + process.argv[2] }'), {
          args: ['b'],
          env: [{ name: 'MINE', value: 'a' }],
        });
        assert.equal((await (await from(file)).credentials()).headers['authorization'], 'Bearer ab');
      });

      it('tells it of the cluster when it asks for that, and not otherwise', async () => {
        await kubeconfig('CA in a file', 'ca.crt');
        const cluster = {
          'certificate-authority-data': undefined,
          'certificate-authority': 'ca.crt',
          'tls-server-name': 'real',
          'proxy-url': 'http://proxy:1',
          extensions: [
            { name: 'other', extension: 1 },
            { name: 'client.authentication.k8s.io/exec', extension: { audience: 'me' } },
          ],
        };
        const body = say('{ token: Buffer.from(process.env.KUBERNETES_EXEC_INFO).toString("base64") }');
        const told = async (exec: object): Promise<unknown> => {
          const connection = await from(await plugin(body, exec, cluster));
          assert.equal(connection.proxy?.href, 'http://proxy:1/');
          const { headers } = await connection.credentials();
          return JSON.parse(Buffer.from(String(headers['authorization']).slice(7), 'base64').toString());
        };
        const common = { kind: 'ExecCredential', apiVersion: V1 };
        assert.deepEqual(await told({}), { ...common, spec: { interactive: false } });
        assert.deepEqual(await told({ provideClusterInfo: true }), {
          ...common,
          spec: {
            interactive: false,
            cluster: {
              server: 'https://10.0.0.1:6443',
              'tls-server-name': 'real',
              'certificate-authority-data': Buffer.from('CA in a file').toString('base64'),
              'proxy-url': 'http://proxy:1',
              config: { audience: 'me' },
            },
          },
        });
      });

      it('takes a client certificate, and asks again when it has expired', async () => {
        const count = path.join(folder, 'count');
        const file = await plugin(
          `const fs = require('fs'); fs.appendFileSync(${JSON.stringify(count)}, 'x');` +
            say('{ clientCertificateData: "CERT", clientKeyData: "KEY", expirationTimestamp: "2020-01-01T00:00:00Z" }'),
        );
        const connection = await from(file);
        const { tls } = await connection.credentials();
        assert.deepEqual([tls.cert, tls.key], ['CERT', 'KEY']);
        assert.equal((await readFile(count, 'utf8')).length, 2);
      });

      it('says that a plugin is not installed, with its name and how to install it', async () => {
        const hint = 'Install it with:\n\n  get \u001b[31mlogin';
        const file = await kubeconfig(
          config({ exec: { apiVersion: V1, command: 'no-such-plugin', installHint: hint } }),
        );
        await assert.rejects(from(file), (error: Error) => {
          assert.match(
            error.message,
            /exec: executable no-such-plugin not found\n\nIt looks like you are trying to use/,
          );
          assert.match(error.message, /Install it with:\n\n  get \^\[\[31mlogin$/);
          return true;
        });
      });

      for (const [what, body, exec, message] of [
        ['that fails', 'process.exit(3)', {}, /exec: executable .*\/bin\/login failed with exit code 3$/],
        ['that prints no JSON', 'console.log("hello")', {}, /its output is not JSON$/],
        ['that prints something else', 'console.log("{}")', {}, /its output is not an ExecCredential$/],
        ['without a status', say('null'), {}, /its output has no status$/],
        ['without a credential', say('{}'), {}, /neither a token nor a certificate with its key$/],
        ['with half a certificate', say('{ clientKeyData: "K" }'), {}, /must have both a certificate and its key$/],
        [
          'of another version',
          say('{ token: "t" }', ', apiVersion: "x"'),
          {},
          /has apiVersion x instead of client.authentication.k8s.io\/v1$/,
        ],
        [
          'of a version that is gone',
          '',
          { apiVersion: 'client.authentication.k8s.io/v1alpha1' },
          /Unsupported value: .*v1alpha1/,
        ],
        ['without a command', '', { command: '' }, /exec: command: Required value/],
      ] as const)
        it(`refuses one ${what} in words`, async () => {
          await assert.rejects(from(await plugin(body, exec)), message);
        });
    });

    it('leads through the proxy of the environment, but for its own', async () => {
      const proxies = { https: 'http://env:1', no: '10.9.0.0/16' };
      const proxyOf = async (cluster: object): Promise<string | undefined> => {
        const files = [await kubeconfig(config({}, cluster))];
        return (await connect({ type: 'kubeconfig', files, proxies })).proxy?.host;
      };
      assert.equal(await proxyOf({}), 'env:1');
      assert.equal(await proxyOf({ server: 'https://10.9.1.1' }), undefined);
      assert.equal(await proxyOf({ server: 'https://10.9.1.1', 'proxy-url': 'socks5://own:2' }), 'own:2');
    });

    it('joins several files, of which the first says what is current', async () => {
      const first = await kubeconfig({ 'current-context': 'x', clusters: [], users: [], contexts: [] }, 'first');
      const second = await kubeconfig({ ...config({ token: 'abc' }), 'current-context': 'other' }, 'second');
      assert.equal((await from(first, second)).server.host, '10.0.0.1:6443');
    });

    it('takes what stands in several files from the first, passes over a file that is not there, and any may say what is current', async () => {
      const none = { ...config({ token: 'first' }), 'current-context': undefined };
      const first = await kubeconfig(none, 'first');
      const second = await kubeconfig({ ...config({ token: 'second' }, { server: 'https://other:1' }) }, 'second');
      const connection = await from(path.join(folder, 'gone'), first, second);
      assert.equal(connection.server.host, '10.0.0.1:6443');
      assert.equal((await connection.credentials()).headers['authorization'], 'Bearer first');
      await assert.rejects(from(path.join(folder, 'gone'), path.join(folder, 'too')), /file not found/);
    });

    describe('with flags', () => {
      const two = {
        ...config({ 'client-certificate-data': 'Q0VSVA==', 'client-key-data': 'S0VZ' }),
        users: [
          ...config({ 'client-certificate-data': 'Q0VSVA==', 'client-key-data': 'S0VZ' }).users,
          { name: 'other', user: { token: 'theirs' } },
        ],
      };
      const withFlags = async (overrides: Parameters<typeof connect>[1]) =>
        connect({ type: 'kubeconfig', files: [await kubeconfig(two)] }, overrides);

      it('takes another user, another server, and keeps the namespace of the context', async () => {
        const connection = await withFlags({ user: 'other', server: 'https://proxy:8443', tlsServerName: 'real' });
        assert.equal(connection.server.href, 'https://proxy:8443/');
        assert.equal(connection.namespace, 'team');
        const { headers, tls } = await connection.credentials();
        assert.deepEqual([headers, tls.servername, String(tls.ca)], [{ authorization: 'Bearer theirs' }, 'real', 'CA']);
      });

      it('sends a token instead of the certificate of the kubeconfig, and whom to act as', async () => {
        const connection = await withFlags({ token: 'mine', as: 'anna', asGroup: ['a', 'b'], asUid: '7' });
        const { headers, tls } = await connection.credentials();
        assert.deepEqual(headers, {
          authorization: 'Bearer mine',
          'impersonate-user': 'anna',
          'impersonate-group': ['a', 'b'],
          'impersonate-uid': '7',
        });
        assert.equal(tls.cert, undefined);
      });

      it('trusts whoever answers, or the CA in a file', async () => {
        assert.equal(
          (await (await withFlags({ insecureSkipTlsVerify: true })).credentials()).tls.rejectUnauthorized,
          false,
        );
        const certificateAuthority = await kubeconfig('CA 2', 'ca.crt');
        assert.equal(String((await (await withFlags({ certificateAuthority })).credentials()).tls.ca), 'CA 2');
      });

      it('needs no kubeconfig where the server is given', async () => {
        const files = [path.join(folder, 'gone')];
        const connection = await connect({ type: 'kubeconfig', files }, { server: 'https://10.0.0.9:1', token: 't' });
        assert.equal(connection.server.host, '10.0.0.9:1');
        assert.equal((await connection.credentials()).headers['authorization'], 'Bearer t');
      });

      it('refuses a user and a cluster that are not in the kubeconfig', async () => {
        await assert.rejects(withFlags({ user: 'nobody' }), /user "nobody" does not exist/);
        await assert.rejects(withFlags({ cluster: 'nowhere' }), /cluster "nowhere" does not exist/);
      });
    });

    for (const [what, content, message] of [
      [
        'is not there',
        undefined,
        /^kubeconfig .*\/config: file not found; pass --kubeconfig FILE with a file that kubectl can use$/,
      ],
      ['is not YAML', '{"a": [', /^kubeconfig .*\/config: .+; pass --kubeconfig FILE/],
      ['is empty', '', /^kubeconfig .*\/config: .+/],
      [
        'has no current context',
        { ...config({}), 'current-context': undefined },
        /current-context is not set; to set it, run: kubectl config use-context NAME$/,
      ],
      [
        'has a current context that is not there',
        { ...config({}), 'current-context': 'y' },
        /the current context "y" or its cluster does not exist/,
      ],
      [
        'has a server that is no URL',
        config({}, { server: 'nonsense' }),
        /server: Invalid value: "nonsense": must be a URL; write https:\/\/HOST:PORT$/,
      ],
      [
        'names a certificate that is not there',
        config({ 'client-certificate': 'gone.crt' }),
        /cannot get credentials: file not found$/,
      ],
      [
        'names a plugin that is not there',
        config({ exec: { command: '/no/such/plugin' } }),
        /cannot get credentials: exec: executable \/no\/such\/plugin not found\n\nIt looks like/,
      ],
      [
        'has a proxy that is no URL',
        config({}, { 'proxy-url': 'x' }),
        /proxy-url: Invalid value: "x": must be a URL; write http:\/\/HOST:PORT$/,
      ],
    ] as const) {
      it(`that ${what} is refused in words`, async () => {
        const file = content === undefined ? path.join(folder, 'config') : await kubeconfig(content);
        await assert.rejects(from(file), (error: unknown) => {
          assert.ok(error instanceof ConnectionError, String(error));
          assert.match(error.message, message);
          return true;
        });
      });
    }
  });

  describe('inside a cluster', () => {
    it("has the service account's token, CA and namespace", async () => {
      await Promise.all([
        kubeconfig('tok\n', 'token'),
        kubeconfig('CA', 'ca.crt'),
        kubeconfig('tranche-system', 'namespace'),
      ]);
      const connection = await connectInCluster('fd00::1', '443', folder);
      assert.equal(connection.server.href, 'https://[fd00::1]/');
      assert.equal(connection.namespace, 'tranche-system');
      assert.deepEqual(await connection.credentials(), { headers: { authorization: 'Bearer tok' }, tls: { ca: 'CA' } });
      await kubeconfig('tok2', 'token');
      assert.equal((await connection.credentials()).headers['authorization'], 'Bearer tok');
      connection.renew!();
      assert.equal((await connection.credentials()).headers['authorization'], 'Bearer tok2');
    });

    it('is refused in words without a token', async () => {
      await kubeconfig('CA', 'ca.crt');
      await assert.rejects(connectInCluster('10.0.0.1', '443', folder), {
        name: 'ConnectionError',
        message: /^cannot read the service account's token: file not found; set automountServiceAccountToken: true/,
      });
    });
  });
});
