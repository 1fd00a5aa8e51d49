import assert from 'node:assert/strict';
import { ConfigError, readConfig, usage, type Config } from '../../src/app/config.ts';

const inCluster = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443', POD_NAME: 'tranche-1' };
const read = (args: string, env: Record<string, string> = inCluster): Config => {
  const config = readConfig(args.split(' ').filter(Boolean), env);
  if (config === 'help') assert.fail('help');
  return config;
};

describe('the configuration', () => {
  it('is complete without a flag inside a cluster, and cannot be changed', () => {
    const { identity, ...config } = read('');
    assert.deepEqual(config, {
      command: 'run',
      labelsPods: false,
      evictsStuckPods: false,
      evictsDaemonSetPods: false,
      held: 'Finish',
      timeoutSeconds: 240,
      cluster: { type: 'inCluster', host: '10.0.0.1', port: '443' },
      namespace: undefined,
      watchNamespaces: [],
      webhookUrl: undefined,
      webhookService: 'tranche-webhook',
      webhookPort: 9443,
      webhookConfiguration: 'tranche',
      metricsPort: 8080,
      tlsDir: undefined,
      tlsSecret: 'tranche-tls',
      injectCa: 'true',
      webhookClientCa: undefined,
      webhookClientNames: [],
      leaderElect: true,
      openkruise: false,
      gatewayApi: false,
      lease: 'tranche',
      logLevel: 'info',
      warnings: true,
      approveVerb: true,
      workers: 4,
      tracing: undefined,
    });
    assert.match(identity, /^tranche-1_[0-9a-f]{8}$/);
    assert.notEqual(identity, read('').identity);
    assert.equal(Object.isFrozen(read('')), true);
  });

  it('takes the cluster as kubectl does: flag, KUBECONFIG, service account, home', () => {
    const url = '--webhook-url https://127.0.0.1:9443';
    const env = { ...inCluster, KUBECONFIG: '/a:/b', HOME: '/home/me' };
    assert.deepEqual(read(`--kubeconfig /x ${url}`, env).cluster, { type: 'kubeconfig', files: ['/x'] });
    assert.deepEqual(read(url, env).cluster, { type: 'kubeconfig', files: ['/a', '/b'] });
    assert.equal(read(url, { ...inCluster, HOME: '/home/me' }).cluster.type, 'inCluster');
    assert.deepEqual(read(url, { HOME: '/home/me' }).cluster, { type: 'kubeconfig', files: ['/home/me/.kube/config'] });
  });

  it('listens on the port of the URL, unless told otherwise', () => {
    assert.equal(read('--kubeconfig /x --webhook-url https://10.1.2.3:7777').webhookPort, 7777);
    assert.equal(read('--kubeconfig /x --webhook-url https://example.org').webhookPort, 443);
    assert.equal(read('--kubeconfig /x --webhook-url https://example.org --webhook-port 9443').webhookPort, 9443);
  });

  it('takes every flag that its help names', () => {
    const flags = [...usage().matchAll(/^ {2}--([a-z-]+) (\S+)/gm)].map(([, flag, value]) => {
      const given = {
        PORT: '1234',
        NAME: 'a-name',
        NAMES: 'a,b,a',
        FILE: '/f',
        FOLDER: '/d',
        URL: 'https://h:1',
        NUMBER: '7',
        SECONDS: '30',
        'true|false': 'false',
        'true|check|false': 'check',
      };
      return `--${flag}=${given[value as keyof typeof given] ?? value!.split('|')[0]}`;
    });
    const config = read(flags.join(' '));
    assert.equal(flags.length, 26);
    assert.deepEqual(config.watchNamespaces, ['a', 'b']);
    assert.deepEqual(
      [config.lease, config.tlsDir, config.warnings, config.logLevel, config.workers, config.metricsPort],
      ['a-name', '/d', false, 'error', 7, 1234],
    );
    assert.equal(readConfig(['--help'], {}), 'help');
    assert.equal(readConfig(['-h'], {}), 'help');
  });

  it('knows the way to see to the certificates', () => {
    assert.equal(read('certificates --timeout 30').command, 'certificates');
  });

  it('knows a drain, which needs no address of ours', () => {
    const config = read('drain --held rollback --timeout 30 --kubeconfig /x', {});
    assert.deepEqual([config.command, config.held, config.timeoutSeconds], ['drain', 'Rollback', 30]);
    assert.match(config.identity, /^drain_/);
  });

  for (const [args, env, message] of [
    ['--inject-ca maybe', inCluster, '--inject-ca: Invalid value: "maybe": must be true, check or false'],
    [
      '--webhook-client-names a',
      inCluster,
      '--webhook-client-names: Invalid value: "a": requires --webhook-client-ca: write --webhook-client-ca FILE too, or remove the flag',
    ],
    ['drain --held never', inCluster, '--held: Invalid value: "never": must be finish or rollback'],
    ['drain --timeout 0', inCluster, '--timeout: Invalid value: "0": must be a number of seconds from 1 to 99999'],
    [
      '--webhook-url http://127.0.0.1:9443',
      inCluster,
      '--webhook-url: Invalid value: "http://127.0.0.1:9443": must use https: write https://HOST:PORT',
    ],
    [
      '--webhook-url 127.0.0.1:9443',
      inCluster,
      '--webhook-url: Invalid value: "127.0.0.1:9443": must be a URL: write https://HOST:PORT',
    ],
    [
      '--webhook-url https://h/path',
      inCluster,
      '--webhook-url: Invalid value: "https://h/path": must not have a user, path, query or fragment: write https://HOST:PORT',
    ],
    ['--webhook-port 70000', inCluster, '--webhook-port: Invalid value: "70000": must be a port from 0 to 65535'],
    ['--metrics-port http', inCluster, '--metrics-port: Invalid value: "http": must be a port from 0 to 65535'],
    ['--log-level loud', inCluster, '--log-level: Invalid value: "loud": must be one of error, warn, info, debug'],
    ['--warnings maybe', inCluster, '--warnings: Invalid value: "maybe": must be true or false'],
    [
      '--namespace Prod',
      inCluster,
      '--namespace: Invalid value: "Prod": must consist of lower-case letters, digits, "-" and "."',
    ],
    [
      '--watch-namespaces a,,b',
      inCluster,
      '--watch-namespaces: Invalid value: "a,,b": must be a comma-separated list of namespaces without spaces, such as a,b',
    ],
    ['--workers 0', inCluster, '--workers: Invalid value: "0": must be a number from 1 to 999'],
    ['--lease=', inCluster, '--lease: Required value: write --lease NAME, or remove the flag'],
    ['--wibble 1', inCluster, "Unknown option '--wibble': see --help"],
    ['extra', inCluster, "Unexpected argument 'extra': see --help"],
    ['', {}, 'no cluster is configured: pass --kubeconfig FILE, or set KUBECONFIG'],
    [
      '--kubeconfig /x',
      {},
      '--webhook-url: Required value: outside a cluster, write --webhook-url https://HOST:PORT with an address of this machine that the API server can reach; use the same URL as webhook.url of the chart',
    ],
  ] as const) {
    it(`refuses ${args || 'nothing at all outside a cluster'}, saying what to write`, () => {
      assert.throws(
        () => read(args, env),
        (error: unknown) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(error.message, message);
          return true;
        },
      );
    });
  }
});
