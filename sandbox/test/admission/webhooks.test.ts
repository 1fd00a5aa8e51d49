// Webhooks over TLS: requests, effects of answers, and errors for clients.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import { resource } from '../../src/core/resources.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { aDeployment, aRequest, aWebhook, aWorld, patchOf, refusal, widgets, type Stub } from './support.ts';

const stubs: Stub[] = [];
const webhook = async (...args: Parameters<typeof aWebhook>): Promise<Stub> => {
  const stub = await aWebhook(...args);
  stubs.push(stub);
  return stub;
};
afterEach(() => {
  for (const stub of stubs.splice(0)) stub.close();
});

describe('A webhook call', () => {
  it('sends an AdmissionReview with everything about the request', async () => {
    const stub = await webhook(() => ({}));
    const { admission, register } = aWorld();
    register('validating', { name: 'a.test', clientConfig: stub.clientConfig });
    const object = aDeployment((d) => (d.spec.replicas = 4));
    await admission.validate(
      aRequest({ object, dryRun: true, options: { kind: 'UpdateOptions', fieldManager: 'me' } }),
    );
    const [seen] = stub.seen;
    assert.match(seen!.uid, /^[0-9a-f]{8}-/);
    assert.deepEqual(
      { ...seen, uid: '' },
      {
        uid: '',
        kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
        resource: { group: 'apps', version: 'v1', resource: 'deployments' },
        requestKind: { group: 'apps', version: 'v1', kind: 'Deployment' },
        requestResource: { group: 'apps', version: 'v1', resource: 'deployments' },
        name: 'web',
        namespace: 'shop',
        operation: 'UPDATE',
        userInfo: { username: 'eve', groups: ['system:authenticated'] },
        object,
        oldObject: aDeployment(),
        dryRun: true,
        options: { kind: 'UpdateOptions', fieldManager: 'me' },
      },
    );
    assert.equal(stub.headers[0]!['path'], '/hook?timeout=5s');
    assert.equal(stub.headers[0]!['content-type'], 'application/json');
  });

  it('contains the subresource twice', async () => {
    const stub = await webhook(() => ({}));
    const { admission, register } = aWorld();
    const rules = [{ operations: ['*'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments/scale'] }];
    register('validating', { name: 'a.test', clientConfig: stub.clientConfig, rules });
    const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'web' } };
    await admission.validate(
      aRequest({
        subresource: 'scale',
        kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
        object: scale,
        oldObject: scale,
      }),
    );
    const { kind, resource, subResource, requestSubResource } = stub.seen[0]!;
    assert.deepEqual(
      [kind.kind, resource.resource, subResource, requestSubResource],
      ['Scale', 'deployments', 'scale', 'scale'],
    );
  });

  it('treats a Namespace as part of itself', async () => {
    const stub = await webhook(() => ({}));
    const { admission, register } = aWorld();
    register('validating', { name: 'a.test', clientConfig: stub.clientConfig });
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'new' } };
    const request = aRequest({
      type: resource('', 'v1', 'Namespace', 'namespaces'),
      object,
      oldObject: null,
      operation: 'CREATE',
    });
    Object.assign(request.attributes, { namespace: '', name: 'new' });
    await admission.validate(request);
    assert.deepEqual([stub.seen[0]!.name, stub.seen[0]!.namespace], ['new', 'new']);
  });

  it('keeps its connection open', async () => {
    const stub = await webhook(() => ({}));
    const { admission, register } = aWorld();
    register('validating', { name: 'a.test', clientConfig: stub.clientConfig });
    for (let i = 0; i < 3; i++) await admission.validate(aRequest());
    assert.equal(stub.seen.length, 3);
    assert.equal(stub.connections(), 1);
    assert.equal(new Set(stub.seen.map(({ uid }) => uid)).size, 3);
  });

  it('reaches a service at the address of the resolver, with its own name', async () => {
    const stub = await webhook(() => ({}), ['hooks.tools.svc']);
    const { admission, register, put } = aWorld({
      resolveService: (namespace, name, port) =>
        namespace === 'tools' && name === 'hooks' && port === 8443 ? { host: '127.0.0.1', port: stub.port } : undefined,
    });
    put('/services', { metadata: { name: 'hooks', namespace: 'tools' }, spec: { clusterIP: '10.0.0.9' } });
    const service = { namespace: 'tools', name: 'hooks', port: 8443, path: '/check' };
    register('validating', { name: 'a.test', clientConfig: { service, caBundle: stub.clientConfig.caBundle } });
    await admission.validate(aRequest());
    assert.equal(stub.headers[0]!['host'], 'hooks.tools.svc:8443');
    assert.equal(stub.headers[0]!['path'], '/check?timeout=5s');
  });
});

describe('A mutating webhook', () => {
  it('changes the object, which is decoded again', async () => {
    const stub = await webhook(() =>
      patchOf({ op: 'add', path: '/spec/paused', value: true }, { op: 'add', path: '/spec/nonsense', value: 1 }),
    );
    const { admission, register } = aWorld();
    register('mutating', { name: 'a.test', clientConfig: stub.clientConfig });
    const request = aRequest();
    await admission.mutate(request);
    assert.equal(request.object!.spec.paused, true);
    assert.equal(request.object!.spec.nonsense, undefined);
    assert.equal(request.object!.metadata.name, 'web');
  });

  it('receives the result of earlier ones, in the order of their configurations', async () => {
    const seen: unknown[] = [];
    const label = (name: string) => (request: { object: KubeObject | null }) => {
      seen.push(request.object!.metadata.labels);
      return patchOf({ op: 'add', path: `/metadata/labels/${name}`, value: 'x' });
    };
    const [b, a] = [await webhook(label('b')), await webhook(label('a'))];
    const { admission, register } = aWorld();
    register('mutating', { name: 'b.test', clientConfig: b.clientConfig });
    register('mutating', { name: 'a.test', clientConfig: a.clientConfig });
    const request = aRequest();
    await admission.mutate(request);
    assert.deepEqual(seen, [{ app: 'web' }, { app: 'web', a: 'x' }]);
    assert.deepEqual(request.object!.metadata.labels, { app: 'web', a: 'x', b: 'x' });
  });

  it('is called once more if a later one changes the object and its reinvocationPolicy is IfNeeded', async () => {
    const first = await webhook(() => ({}));
    const never = await webhook(() => ({}));
    const last = await webhook(() => patchOf({ op: 'add', path: '/spec/paused', value: true }));
    const { admission, register } = aWorld();
    register('mutating', { name: 'a.test', clientConfig: first.clientConfig, reinvocationPolicy: 'IfNeeded' });
    register('mutating', { name: 'b.test', clientConfig: never.clientConfig, reinvocationPolicy: 'Never' });
    register('mutating', { name: 'c.test', clientConfig: last.clientConfig, reinvocationPolicy: 'IfNeeded' });
    await admission.mutate(aRequest());
    assert.deepEqual([first.seen.length, never.seen.length, last.seen.length], [2, 1, 1]);
    assert.equal(first.seen[1]!.object!.spec.paused, true);
    await admission.mutate(aRequest({ object: aDeployment((d) => (d.spec.paused = true)) }));
    assert.deepEqual([first.seen.length, never.seen.length, last.seen.length], [3, 2, 2]);
  });

  it('causes an internal error if its patch fails', async () => {
    let operation: object = {};
    const stub = await webhook(() => patchOf(operation));
    const { admission, register } = aWorld();
    register('mutating', { name: 'a.test', clientConfig: stub.clientConfig });
    for (const [bad, message] of [
      [
        { op: 'replace', path: '/spec/none', value: 1 },
        'Internal error occurred: replace operation does not apply: doc is missing key: /spec/none: missing value',
      ],
      [
        { op: 'add', path: '/spec/a/b', value: 1 },
        'Internal error occurred: add operation does not apply: doc is missing path: "/spec/a/b": missing value',
      ],
      [
        { op: 'test', path: '/spec/replicas', value: 1 },
        'Internal error occurred: testing value /spec/replicas failed: test failed',
      ],
    ] as const) {
      operation = bad;
      const status = await refusal(admission.mutate(aRequest()));
      assert.deepEqual([status.code, status.message], [500, message]);
    }
  });

  it('cannot change a deleted object', async () => {
    const stub = await webhook(() => patchOf({ op: 'add', path: '/spec/paused', value: true }));
    const { admission, register } = aWorld();
    register('mutating', { name: 'a.test', clientConfig: stub.clientConfig });
    const status = await refusal(admission.mutate(aRequest({ operation: 'DELETE', object: null })));
    assert.equal(
      status.message,
      'Internal error occurred: admission webhook "a.test" attempted to modify the object, which is not supported for this operation',
    );
  });
});

describe('A refusal', () => {
  const refused = async (answer: object): Promise<object> => {
    const stub = await webhook(() => ({ allowed: false, ...answer }));
    const { admission, register } = aWorld();
    register('validating', { name: 'a.test', clientConfig: stub.clientConfig });
    const { code, reason, message, details } = await refusal(admission.validate(aRequest()));
    return { code, reason, message, details };
  };

  it('carries the code, reason, message and details of the webhook', async () => {
    assert.deepEqual(
      await refused({ status: { code: 403, reason: 'Forbidden', message: 'not on Fridays', details: { kind: 'x' } } }),
      {
        code: 403,
        reason: 'Forbidden',
        message: 'admission webhook "a.test" denied the request: not on Fridays',
        details: { kind: 'x' },
      },
    );
  });

  it('is a 400 without explanation if the webhook returns none', async () => {
    const nothing = {
      code: 400,
      reason: '',
      message: 'admission webhook "a.test" denied the request without explanation',
      details: undefined,
    };
    assert.deepEqual(await refused({}), nothing);
    assert.deepEqual(await refused({ status: { code: 200 } }), nothing);
  });

  it('of several webhooks is that of the first, and all are called', async () => {
    const no = (message: string) => () => ({ allowed: false, status: { message } });
    const [a, b] = [await webhook(no('first')), await webhook(no('second'))];
    const { admission, register } = aWorld();
    register('validating', { name: 'b.test', clientConfig: b.clientConfig });
    register('validating', { name: 'a.test', clientConfig: a.clientConfig });
    assert.match((await refusal(admission.validate(aRequest()))).message!, /"a\.test" denied the request: first$/);
    assert.equal(b.seen.length, 1);
  });
});

describe('Warnings', () => {
  it('reach the client, from allowing and refusing webhooks', async () => {
    const stub = await webhook(() => ({ warnings: ['one', 'two'], allowed: false }));
    const { admission, register } = aWorld();
    register('validating', { name: 'a.test', clientConfig: stub.clientConfig });
    const request = aRequest();
    await refusal(admission.validate(request));
    assert.deepEqual(request.warnings, ['one', 'two']);
  });
});

describe('A call that fails', () => {
  const failing = async (clientConfig: object, more: object = {}): Promise<string> => {
    const { admission, register, put } = aWorld();
    put('/services', { metadata: { name: 'idle', namespace: 'tools' }, spec: { clusterIP: '10.0.0.9' } });
    register('validating', { name: 'a.test', clientConfig, ...more });
    const status = await refusal(admission.validate(aRequest()));
    assert.equal(status.code, 500);
    assert.equal(status.reason, 'InternalError');
    const prefix = 'Internal error occurred: failed calling webhook "a.test": ';
    assert.equal(status.message!.slice(0, prefix.length), prefix);
    return status.message!.slice(prefix.length);
  };

  it('reports a refused connection', async () => {
    const stub = await aWebhook(() => ({}));
    stub.close();
    const { port } = stub;
    assert.equal(
      await failing(stub.clientConfig),
      `failed to call webhook: Post "https://127.0.0.1:${port}/hook?timeout=5s": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    );
    assert.equal(
      await failing({ service: { namespace: 'tools', name: 'idle', path: '/x' } }),
      'failed to call webhook: Post "https://idle.tools.svc:443/x?timeout=5s": dial tcp 10.0.0.9:443: connect: connection refused',
    );
    assert.equal(
      await failing({ service: { namespace: 'tools', name: 'none' } }),
      'failed to call webhook: Post "https://none.tools.svc:443/?timeout=5s": service "none" not found',
    );
  });

  it('reports the error of the certificate', async () => {
    const [stub, other] = [await webhook(() => ({}), ['elsewhere']), await webhook(() => ({}))];
    const { clientConfig, port } = stub;
    const post = `failed to call webhook: Post "https://127.0.0.1:${port}/hook?timeout=5s": tls: failed to verify certificate: x509: `;
    assert.equal(
      await failing({ ...clientConfig, caBundle: other.clientConfig.caBundle }),
      `${post}certificate signed by unknown authority`,
    );
    assert.equal(
      await failing(clientConfig),
      `${post}cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs`,
    );
    const another = await webhook(() => ({}), ['10.1.2.3', 'elsewhere']);
    assert.match(await failing(another.clientConfig), /x509: certificate is valid for 10\.1\.2\.3, not 127\.0\.0\.1$/);
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`;
    for (const [validity, wrong] of [
      [{ from: new Date('2020-01-01'), to: new Date('2020-02-01') }, 'after 2020-02-01T00:00:00Z'],
      [{ from: new Date('2099-01-01'), to: new Date('2099-02-01') }, 'before 2099-01-01T00:00:00Z'],
    ] as const) {
      const outdated = await webhook(() => ({}), ['127.0.0.1'], validity);
      const said = new RegExp(`x509: certificate has expired or is not yet valid: current time ${time} is ${wrong}$`);
      assert.match(await failing(outdated.clientConfig), said);
    }
  });

  it('reports a timeout', async () => {
    const stub = await webhook(() => new Promise<never>(() => {}));
    assert.equal(
      await failing(stub.clientConfig, { timeoutSeconds: 1 }),
      `failed to call webhook: Post "https://127.0.0.1:${stub.port}/hook?timeout=1s": context deadline exceeded`,
    );
  });

  it('reports the answer of the server', async () => {
    const answers: [answer: object, message: string][] = [
      [
        { code: 500, body: 'boom\n' },
        'failed to call webhook: an error on the server ("boom") has prevented the request from succeeding',
      ],
      [{ code: 404, body: '' }, 'failed to call webhook: the server could not find the requested resource'],
      [{ code: 503, body: '' }, 'failed to call webhook: the server is currently unable to handle the request'],
      [{ code: 200, body: '{}' }, 'received invalid webhook response: webhook response was absent'],
      [
        { code: 200, body: '{"response":{"uid":"x"}}' },
        'received invalid webhook response: expected response.uid="<uid>", got "x"',
      ],
      [
        { patch: 'W10=', patchType: 'JSONPatch' },
        'received invalid webhook response: validating webhook may not return response.patch',
      ],
    ];
    for (const [answer, message] of answers) {
      const stub = await webhook(() => answer);
      assert.equal((await failing(stub.clientConfig)).replace(/[0-9a-f-]{36}/, '<uid>'), message);
    }
  });

  it('is ignored if the failure policy is Ignore', async () => {
    const stub = await aWebhook(() => ({}));
    stub.close();
    const { admission, register } = aWorld();
    register('validating', { name: 'a.test', clientConfig: stub.clientConfig, failurePolicy: 'Ignore' });
    register('mutating', { name: 'a.test', clientConfig: stub.clientConfig, failurePolicy: 'Ignore' });
    await admission.mutate(aRequest());
    await admission.validate(aRequest());
  });

  it('is not a refusal, regardless of the failure policy', async () => {
    const stub = await webhook(() => ({ allowed: false }));
    const { admission, register } = aWorld();
    register('validating', { name: 'a.test', clientConfig: stub.clientConfig, failurePolicy: 'Ignore' });
    assert.equal((await refusal(admission.validate(aRequest()))).code, 400);
  });
});

describe('A dry run', () => {
  it('is refused if a webhook has side effects, and marked otherwise', async () => {
    const stub = await webhook(() => ({}));
    const { admission, register } = aWorld();
    register('validating', { name: 'a.test', clientConfig: stub.clientConfig, sideEffects: 'NoneOnDryRun' });
    await admission.validate(aRequest({ dryRun: true }));
    assert.equal(stub.seen[0]!.dryRun, true);
    register('validating', { name: 'a.test', clientConfig: stub.clientConfig, sideEffects: 'Some' });
    const { code, message } = await refusal(admission.validate(aRequest({ dryRun: true })));
    assert.deepEqual([code, message], [400, 'admission webhook "a.test" does not support dry run']);
    await admission.validate(aRequest());
    assert.equal(stub.seen.length, 2);
  });
});

describe('A rule that names another version', () => {
  const request = (size: number): Parameters<typeof aRequest>[0] => ({
    type: widgets.v1,
    object: { apiVersion: 'acme.com/v1', kind: 'Widget', metadata: { name: 'w' }, size },
    oldObject: null,
    operation: 'CREATE',
  });
  const rules = [{ operations: ['*'], apiGroups: ['acme.com'], apiVersions: ['v2'], resources: ['widgets'] }];

  it('gets the object in that version and the original request; its patch is converted back', async () => {
    const stub = await webhook(() => patchOf({ op: 'replace', path: '/spec/size', value: 7 }));
    const { admission, register } = aWorld();
    register('mutating', { name: 'a.test', clientConfig: stub.clientConfig, rules });
    const asked = aRequest(request(5));
    await admission.mutate(asked);
    const { kind, resource, requestKind, requestResource, object } = stub.seen[0]!;
    assert.deepEqual(
      [kind.version, resource.version, requestKind.version, requestResource.version],
      ['v2', 'v2', 'v1', 'v1'],
    );
    assert.deepEqual([object!.apiVersion, object!.spec], ['acme.com/v2', { size: 5 }]);
    assert.deepEqual([asked.object!.apiVersion, asked.object!.size, asked.object!.spec], ['acme.com/v1', 7, undefined]);
  });

  it('does not match with matchPolicy Exact', async () => {
    const stub = await webhook(() => ({}));
    const { admission, register } = aWorld();
    register('mutating', { name: 'a.test', clientConfig: stub.clientConfig, rules, matchPolicy: 'Exact' });
    await admission.mutate(aRequest(request(5)));
    assert.equal(stub.seen.length, 0);
  });
});
