// The path of a Service behind the API server: no name of a MetricSource leads elsewhere.
import assert from 'node:assert/strict';
import { PathError, proxyPathOf, type ProxiedService } from '../../src/kube/path.ts';
import { rows } from '../engine/build.ts';

const SERVICE: ProxiedService = { namespace: 'monitoring', name: 'prometheus', port: 9090 };

describe('the path of a Service behind the API server', () => {
  rows(
    [
      ['with http', SERVICE, '/services/http:prometheus:9090/proxy/api/v1/query'],
      ['with https', { ...SERVICE, scheme: 'https' }, '/services/https:prometheus:9090/proxy/api/v1/query'],
    ] as const,
    (service: ProxiedService, expected: string) =>
      assert.equal(proxyPathOf(service, '/api/v1/query'), `/api/v1/namespaces/monitoring${expected}`),
  );

  rows(
    [
      ['a namespace with a slash', { ...SERVICE, namespace: 'a/b' }, '/x'],
      ['a parent as the namespace', { ...SERVICE, namespace: '..' }, '/x'],
      ['a name with a slash', { ...SERVICE, name: 'a/../../secrets' }, '/x'],
      ['a name with an encoded slash', { ...SERVICE, name: 'a%2fb' }, '/x'],
      ['a name with a port', { ...SERVICE, name: 'a:1' }, '/x'],
      ['a port that is text', { ...SERVICE, port: '1/../x' as unknown as number }, '/x'],
      ['a path that leads up', SERVICE, '/../../../secrets'],
      ['a path with an encoded parent', SERVICE, '/%2e%2e/x'],
      ['a path with a query', SERVICE, '/x?y'],
      ['a path without its first slash', SERVICE, 'x'],
      ['a scheme with a slash', { ...SERVICE, scheme: 'http/x' as 'http' }, '/x'],
    ] as const,
    (service: ProxiedService, path: string) => assert.throws(() => proxyPathOf(service, path), PathError),
  );
});
