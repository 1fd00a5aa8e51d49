import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Rollout } from '../../src/api/types.ts';
import {
  createAdmissionServer,
  type AdmissionDeps,
  type AdmissionServer,
  type KeyPair,
} from '../../src/admission/index.ts';
import type { Fields } from '../../src/kube/log.ts';
import { silent } from '../../src/kube/log.ts';
import { issueCa, issueLeaf } from '../../src/tls/issue.ts';
import { aDeployment, aReview, aRollout, aV1alpha1Rollout, someDeps, type Json } from './support.ts';

interface Reply {
  readonly status: number;
  readonly body: Json;
  readonly headers: Readonly<Record<string, unknown>>;
}

describe('the webhook server', function () {
  let ca: KeyPair;
  let pair: KeyPair;
  let server: AdmissionServer;
  let port: number;
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const errors: Fields[] = [];
  const counted: string[] = [];
  let fail: Error | undefined;

  const deps = (): AdmissionDeps => ({
    ...someDeps({ rollouts: [aRollout(1, '100%')] }),
    tls: pair,
    onDecision: () => {
      if (fail) throw fail;
    },
    metrics: { admission: (webhook, verdict) => counted.push(`${webhook} ${verdict}`) },
    logger: { ...silent, error: (_message, fields) => errors.push(fields ?? {}) },
  });

  const send = (path: string, body: string | Uint8Array | Json, options: RequestOptions = {}): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const call = httpsRequest(
        {
          host: '127.0.0.1',
          port,
          path,
          method: 'POST',
          ca: ca.cert,
          agent,
          ...options,
          headers: { 'content-type': 'application/json', ...options.headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const parsed = text === '' ? {} : (JSON.parse(text) as Json);
            resolve({ status: response.statusCode ?? 0, body: parsed, headers: response.headers });
          });
          response.on('error', reject);
        },
      );
      call.on('error', reject);
      call.end(typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body));
    });
  const responseOf = ({ body }: Reply): Json => body['response'] as Json;

  before(async () => {
    ca = await issueCa(Date.now(), 1);
    pair = await issueLeaf(ca, ['127.0.0.1'], Date.now(), 1);
    server = createAdmissionServer(deps());
    port = await server.listen(0, '127.0.0.1');
  });
  afterEach(() => {
    fail = undefined;
    errors.length = 0;
    counted.length = 0;
  });
  after(async () => {
    agent.destroy();
    await server.close(0);
  });

  it('holds a release: the patch in base64, the warning, the uid of the review', async () => {
    const reply = await send('/mutate', aReview(aDeployment('v2'), aDeployment()));
    assert.equal(reply.status, 200);
    const { uid, allowed, patchType, patch, warnings } = responseOf(reply);
    assert.deepEqual({ uid, allowed, patchType }, { uid: 'review-1', allowed: true, patchType: 'JSONPatch' });
    const ops = JSON.parse(Buffer.from(patch as string, 'base64').toString()) as { path: string }[];
    assert.ok(ops.some(({ path }) => path === '/spec/paused'));
    assert.match((warnings as string[]).join(), /^tranche: Rollout demo releases this in 2 steps: 1 → 10 of 10 Pods/);
    assert.deepEqual(counted, ['mutate Held']);
  });

  it('refuses a Rollout in words', async () => {
    const { allowed, status } = responseOf(await send('/validate', aReview(aRollout('50%', '40%'))));
    assert.equal(allowed, false);
    const { code, reason, message } = status as Json;
    assert.deepEqual({ code, reason }, { code: 422, reason: 'Invalid' });
    assert.match(message as string, /must not be less than step 1/);
  });

  describe('answers alike what an API server sends and what it could send as well', () => {
    const ways: Readonly<Record<string, readonly [path: string, headers?: RequestOptions['headers']]>> = {
      'a query': ['/mutate?timeout=5s'],
      'a slash at the end': ['/mutate/'],
      'capital letters': ['/MUTATE'],
      'a charset': ['/mutate', { 'content-type': 'application/json; charset=utf-8' }],
    };
    const told = ({ status, body, headers: { date: _, ...headers } }: Reply): object => ({ status, body, headers });
    for (const [what, [path, headers = {}]] of Object.entries(ways)) {
      it(what, async () => {
        for (const body of [aReview(aDeployment('v2'), aDeployment()), 'no JSON', { kind: 'AdmissionReview' }])
          assert.deepEqual(told(await send(path, body, { headers })), told(await send('/mutate', body)));
        assert.deepEqual(
          counted,
          ['Held', 'Held', ...Array<string>(4).fill('BadRequest')].map((one) => `mutate ${one}`),
        );
      });
    }
  });

  it('answers what is not ours with nothing', async () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } };
    const namesake = {
      apiVersion: 'example.com/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: 'what you like',
    };
    for (const object of [pod, namesake]) {
      assert.deepEqual(responseOf(await send('/mutate', aReview(object))), { uid: 'review-1', allowed: true });
    }
  });

  describe('converts', () => {
    const convert = async (
      objects: unknown,
      desiredAPIVersion: unknown = 'rollouts.kruise.io/v1beta1',
    ): Promise<Reply> =>
      send('/convert', {
        kind: 'ConversionReview',
        apiVersion: 'apiextensions.k8s.io/v1',
        request: { uid: 'c-1', desiredAPIVersion, objects },
      });
    const partition = { 'rollouts.kruise.io/rolling-style': 'partition' };

    it('every object, in order', async () => {
      const objects = ['a', 'b'].map((name) => ({
        ...aV1alpha1Rollout(partition, 1),
        metadata: { name, annotations: partition },
      }));
      const { uid, result, convertedObjects } = responseOf(await convert(objects));
      assert.deepEqual({ uid, result }, { uid: 'c-1', result: { status: 'Success' } });
      const converted = convertedObjects as Rollout[];
      assert.deepEqual(
        converted.map(({ metadata }) => metadata.name),
        ['a', 'b'],
      );
      assert.deepEqual(converted[0]?.spec, aRollout(1).spec);
    });

    for (const [what, objects, version] of [
      ['to a version there is not', [aV1alpha1Rollout(partition, 1)], 'rollouts.kruise.io/v2'],
      ['to another group', [aV1alpha1Rollout(partition, 1)], 'example.com/v1beta1'],
      ['another kind', [aDeployment()], undefined],
      ['no object', [null], undefined],
    ] as const) {
      it(`nothing: ${what}`, async () => {
        const { result, convertedObjects } = responseOf(await convert(objects, version));
        assert.equal((result as Json)['status'], 'Failed');
        assert.match((result as Json)['message'] as string, /^cannot convert /);
        assert.deepEqual(convertedObjects, []);
      });
    }

    it('what is no list of objects: with its uid', async () => {
      const { uid, result } = responseOf(await convert('none'));
      assert.deepEqual([uid, (result as Json)['status']], ['c-1', 'Failed']);
    });

    it('no review: a bad request', async () => {
      assert.equal((await send('/convert', aReview(aDeployment()))).status, 400);
      assert.equal(
        (await send('/convert', { kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1', request: {} }))
          .status,
        400,
      );
    });
  });

  describe('turns away with a 4xx', () => {
    const good = JSON.stringify(aReview(aDeployment('v2'), aDeployment()));
    const request = aReview(aDeployment())['request'] as Json;
    const { uid: _, ...withoutUid } = request;
    const cases: Readonly<Record<string, readonly [string, string | Uint8Array | Json, number, RequestOptions?]>> = {
      nothing: ['/mutate', '', 400],
      'what is no JSON': ['/mutate', 'apiVersion: v1', 400],
      'what is no UTF-8': ['/mutate', Buffer.from([0x22, 0xff, 0x22]), 400],
      'deeply nested JSON': ['/mutate', `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, 400],
      'deeply nested JSON that is small': ['/mutate', `{"a":${'['.repeat(128)}${']'.repeat(128)}}`, 400],
      'more than 32 MiB that is no review': ['/mutate', `"${'x'.repeat(32 * 1024 * 1024)}"`, 413],
      'another content type': ['/mutate', good, 415, { headers: { 'content-type': 'application/yaml' } }],
      'a compressed body': ['/mutate', good, 415, { headers: { 'content-encoding': 'gzip' } }],
      'a review without uid': ['/mutate', { ...aReview(aDeployment()), request: withoutUid }, 400],
      'a review without request': ['/mutate', { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1' }, 400],
      'a review of a version we do not speak': [
        '/mutate',
        { ...aReview(aDeployment()), apiVersion: 'admission.k8s.io/v2' },
        400,
      ],
      'another kind of review': ['/validate', { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1' }, 400],
      'a list': ['/mutate', '[]', 400],
      'a GET': ['/mutate', '', 405, { method: 'GET' }],
      'another path': ['/', good, 404],
    };
    for (const [what, [path, body, status, options]] of Object.entries(cases)) {
      it(`${what}: ${status}`, async () => {
        const reply = await send(path, body, options);
        assert.equal(reply.status, status);
        assert.equal(typeof reply.body['message'], 'string');
        assert.deepEqual(errors, [], 'it is no error of ours');
        assert.equal((await send('/mutate', good)).status, 200, 'the next request is answered');
      });
    }
  });

  it('refuses, for a bug of ours, what a Rollout may be about, and logs the bug once', async () => {
    fail = new Error('a bug');
    const { uid, allowed, status } = responseOf(await send('/mutate', aReview(aDeployment('v2'), aDeployment())));
    assert.deepEqual({ uid, allowed }, { uid: 'review-1', allowed: false });
    assert.deepEqual(status, {
      status: 'Failure',
      code: 500,
      reason: 'InternalError',
      message: 'tranche cannot judge this request: internal error; see the log of tranche',
    });
    assert.deepEqual(errors, [{ request: 'review-1', webhook: 'mutate', error: fail }]);
    assert.deepEqual(counted, ['mutate Error']);
  });

  it('refuses half of a review', async () => {
    const half = JSON.stringify(aReview(aDeployment('v2'), aDeployment())).slice(0, 500);
    assert.equal(responseOf(await send('/mutate', half))['allowed'], false);
    assert.deepEqual(counted, ['mutate BadRequest']);
  });

  it('keeps connections open between requests', async () => {
    const { headers } = await send('/mutate', aReview(aDeployment()));
    assert.equal(headers['connection'], 'keep-alive');
  });

  const serialOf = async (options: { maxVersion?: 'TLSv1.1' | 'TLSv1.2' } = {}): Promise<string> => {
    const socket: TLSSocket = connectTls({ host: '127.0.0.1', port, ca: ca.cert, minVersion: 'TLSv1', ...options });
    try {
      await once(socket, 'secureConnect');
      return socket.getPeerCertificate().serialNumber;
    } finally {
      socket.destroy();
    }
  };

  it('speaks TLS 1.2 and not less', async () => {
    assert.ok(await serialOf({ maxVersion: 'TLSv1.2' }));
    await assert.rejects(serialOf({ maxVersion: 'TLSv1.1' }));
  });

  it('shows a new certificate without a restart, and keeps the old one when the new is none', async () => {
    const before = await serialOf();
    const next = await issueLeaf(ca, ['127.0.0.1'], Date.now(), 1);
    server.reload(next);
    const after = await serialOf();
    assert.notEqual(after, before);
    assert.throws(() => server.reload({ key: next.key, cert: 'no certificate' }));
    assert.throws(() => server.reload({ key: pair.key, cert: next.cert }), 'a key that is not its own');
    assert.equal(await serialOf(), after);
    assert.equal((await send('/mutate', aReview(aDeployment()))).status, 200);
  });

  it('does not wait for a client that does not finish its request', async () => {
    const impatient = createAdmissionServer(deps(), { requestTimeoutMs: 50 });
    const socket = connectTls({ host: '127.0.0.1', port: await impatient.listen(0, '127.0.0.1'), ca: ca.cert });
    try {
      await once(socket, 'secureConnect');
      socket.write(
        'POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
      );
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 408 /);
    } finally {
      socket.destroy();
      await impatient.close(0);
    }
  });

  it('says when its port is taken', async () => {
    await assert.rejects(createAdmissionServer(deps()).listen(port, '127.0.0.1'), { code: 'EADDRINUSE' });
  });

  it('answers what was asked before it closes, and takes nothing more', async () => {
    let answerApproval = (): void => {};
    const asked = new Promise<void>((resolve) => {
      closing = createAdmissionServer({
        ...deps(),
        authorize: () =>
          new Promise((done) => {
            answerApproval = () => done([]);
            resolve();
          }),
      });
    });
    const otherPort = await closing.listen(0, '127.0.0.1');
    const state = (currentStepState: string): Json => ({
      ...aRollout(1, '100%'),
      status: { canaryStatus: { currentStepIndex: 1, nextStepIndex: 2, currentStepState } },
    });
    const review = aReview(state('StepReady'), state('StepPaused'), { subResource: 'status' });
    const reply = send('/validate', review, { port: otherPort });
    await asked;
    const closed = closing.close();
    await assert.rejects(send('/mutate', aReview(aDeployment()), { port: otherPort, agent: false }), {
      code: 'ECONNREFUSED',
    });
    answerApproval();
    assert.equal(responseOf(await reply)['allowed'], true);
    await closed;
  });
  let closing: AdmissionServer;

  it('cuts off what is still open after the grace', async () => {
    const stuck = createAdmissionServer({ ...deps(), authorize: () => new Promise(() => {}) });
    const otherPort = await stuck.listen(0, '127.0.0.1');
    const socket = connectTls({ host: '127.0.0.1', port: otherPort, ca: ca.cert });
    await once(socket, 'secureConnect');
    socket.write('POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n');
    // As its end or as an error, whichever the other side sees first.
    const ended = new Promise((resolve) => socket.on('error', resolve).on('close', resolve));
    await stuck.close(1);
    await ended;
  });
});
