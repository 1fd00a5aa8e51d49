// Which proxy leads to a server: the rules of Go's net/http, on which kubectl stands.
import assert from 'node:assert/strict';
import { findSource } from '../../src/kube/connection.ts';
import { proxyFor, proxySettings, readProxyUrl } from '../../src/kube/proxy.ts';

type Env = Readonly<Record<string, string>>;
const through = (server: string, env: Env): string | undefined => proxyFor(new URL(server), proxySettings(env))?.href;

describe('the proxy to a server', () => {
  const P = 'http://proxy:3128';
  const HTTPS = 'https://api.example.com:6443';
  const cases: readonly [what: string, server: string, env: Env, expected: string | undefined][] = [
    ['none without a setting', HTTPS, {}, undefined],
    ['HTTPS_PROXY for https', HTTPS, { HTTPS_PROXY: P, HTTP_PROXY: 'http://other' }, `${P}/`],
    ['in lower case', HTTPS, { https_proxy: P }, `${P}/`],
    ['upper case goes first', HTTPS, { HTTPS_PROXY: P, https_proxy: 'http://other' }, `${P}/`],
    ['an empty one is none', HTTPS, { HTTPS_PROXY: '', https_proxy: P }, `${P}/`],
    ['HTTP_PROXY is not for https', HTTPS, { HTTP_PROXY: P }, undefined],
    ['HTTP_PROXY for http', 'http://api.example.com', { HTTP_PROXY: P }, `${P}/`],
    ['but not in a CGI program', 'http://api.example.com', { HTTP_PROXY: P, REQUEST_METHOD: 'GET' }, undefined],
    ['ALL_PROXY is not read', HTTPS, { ALL_PROXY: P }, undefined],
    ['without a scheme it is http', HTTPS, { HTTPS_PROXY: 'proxy:3128' }, `${P}/`],
    ['with a password', HTTPS, { HTTPS_PROXY: 'http://u:p@proxy:3128' }, 'http://u:p@proxy:3128/'],
    ['socks5', HTTPS, { HTTPS_PROXY: 'socks5://proxy:1080' }, 'socks5://proxy:1080'],
    ['nonsense is none', HTTPS, { HTTPS_PROXY: 'http://[' }, undefined],
    ['another scheme is none', HTTPS, { HTTPS_PROXY: 'ftp://proxy' }, undefined],
    ['never to localhost', 'https://localhost:6443', { HTTPS_PROXY: P }, undefined],
    ['never to a loopback address', 'https://127.1.2.3:6443', { HTTPS_PROXY: P }, undefined],
    ['never to ::1', 'https://[::1]:6443', { HTTPS_PROXY: P }, undefined],
    ['to a name like localhost', 'https://localhost.example:6443', { HTTPS_PROXY: P }, `${P}/`],
  ];
  for (const [what, server, env, expected] of cases)
    it(`${what}: ${server}`, () => assert.equal(through(server, env), expected));

  const excluded: readonly [no: string, server: string, isExcluded: boolean][] = [
    ['*', HTTPS, true],
    ['a, * ,b', HTTPS, true],
    ['example.com', HTTPS, true],
    ['EXAMPLE.com', HTTPS, true],
    ['example.com', 'https://example.com', true],
    ['.example.com', HTTPS, true],
    ['.example.com', 'https://example.com', false],
    ['*.example.com', HTTPS, true],
    ['*.example.com', 'https://example.com', false],
    ['ample.com', HTTPS, false],
    ['api.example.com.evil', HTTPS, false],
    ['example.com:6443', HTTPS, true],
    ['example.com:443', HTTPS, false],
    ['example.com:443', 'https://example.com', true],
    ['10.0.0.1', 'https://10.0.0.1', true],
    ['10.0.0.1', 'https://10.0.0.10', false],
    ['10.0.0.1:6443', 'https://10.0.0.1:6443', true],
    ['10.0.0.1:443', 'https://10.0.0.1:6443', false],
    ['10.96.0.0/12', 'https://10.96.0.1', true],
    ['10.96.0.0/12', 'https://10.111.255.255', true],
    ['10.96.0.0/12', 'https://10.112.0.1', false],
    ['10.96.0.0/33', 'https://10.96.0.1', false],
    ['0.0.0.0/0', 'https://10.96.0.1', true],
    ['0.0.0.0/0', HTTPS, false],
    ['fd00::/8', 'https://[fd12::1]:6443', true],
    ['fd00::/8', 'https://[fe80::1]:6443', false],
    ['fd12::1', 'https://[fd12:0::1]', true],
    ['[fd12::1]:6443', 'https://[fd12::1]:6443', true],
    ['[fd12::1]:443', 'https://[fd12::1]:6443', false],
    [' , ,:80,', HTTPS, false],
    ['localhost,.svc,10.0.0.0/8', 'https://kubernetes.default.svc', true],
  ];
  for (const [no, server, isExcluded] of excluded)
    it(`NO_PROXY=${no} ${isExcluded ? 'excludes' : 'does not exclude'} ${server}`, () =>
      assert.equal(through(server, { HTTPS_PROXY: P, no_proxy: no }), isExcluded ? undefined : `${P}/`));

  it('is read with the place of the cluster, and left out where nothing is set', () => {
    assert.deepEqual(findSource('f', { HTTPS_PROXY: P, NO_PROXY: 'a' }), {
      type: 'kubeconfig',
      files: ['f'],
      proxies: { https: P, no: 'a' },
    });
    assert.deepEqual(findSource(undefined, { KUBERNETES_SERVICE_HOST: '10.0.0.1', https_proxy: P }), {
      type: 'inCluster',
      host: '10.0.0.1',
      port: '443',
      proxies: { https: P },
    });
    assert.deepEqual(findSource('f', { NO_PROXY: 'a' }), { type: 'kubeconfig', files: ['f'] });
  });

  it('of a kubeconfig is refused in words', () => {
    assert.equal(readProxyUrl('https://u:p@proxy:1').host, 'proxy:1');
    assert.throws(
      () => readProxyUrl('nonsense'),
      /^Error: proxy-url: Invalid value: "nonsense": must be a URL; write http:\/\/HOST:PORT$/,
    );
    assert.throws(() => readProxyUrl('ftp://proxy'), /Unsupported scheme: "ftp"; write http, https or socks5$/);
  });
});
