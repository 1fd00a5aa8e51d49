import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { VirtualClock } from '@tranche/sandbox/clock';
import type { Api, ApiCall } from '../../src/kube/api.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { createBundle, parseCertificates, type Bundle } from '../../src/tls/bundle.ts';
import { Certificates } from '../../src/tls/certificates.ts';
import { CertificateFiles } from '../../src/tls/files.ts';
import { memoryStore, secretStore } from '../../src/tls/store.ts';

const NAMES = ['localhost'];
const DAY = 86_400_000;

/** Issuing takes real time; the clock is virtual. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 25_000;
  while (!condition()) {
    if (Date.now() > deadline) assert.fail(`did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const SECRET = { apiVersion: 'v1', kind: 'Secret' };

/** A server with one Secret; each request is answered a little later, so that two clients meet. */
class SecretServer implements Api {
  secret:
    | { metadata: { name: string; namespace: string; resourceVersion: string }; data?: Record<string, string> }
    | undefined;
  version = 0;
  readonly calls: string[] = [];

  async request(call: ApiCall): Promise<unknown> {
    await new Promise((resolve) => setTimeout(resolve, 2));
    this.calls.push(call.method);
    const body = call.body as { metadata: { resourceVersion?: string }; data: Record<string, string> };
    const fail = (code: number, reason: string): never => {
      throw new ApiError(code, { reason, message: reason });
    };
    if (call.method === 'POST') {
      if (this.secret) fail(409, 'AlreadyExists');
    } else {
      if (!this.secret) return fail(404, 'NotFound');
      if (call.method === 'GET') return this.secret;
      if (body.metadata.resourceVersion !== this.secret.metadata.resourceVersion) fail(409, 'Conflict');
    }
    this.version += 1;
    const metadata = { name: 'tls', namespace: 'tranche-system', resourceVersion: String(this.version) };
    this.secret = { ...SECRET, metadata, data: body.data };
    return this.secret;
  }

  watch(): Promise<void> {
    return Promise.reject(new Error('not here'));
  }
}

function replica(server: Api, clock: VirtualClock) {
  const seen: Bundle[] = [];
  const store = secretStore(server, 'tranche-system', 'tls');
  return {
    seen,
    certificates: new Certificates({ store, names: NAMES, clock, onChange: (bundle) => seen.push(bundle) }),
  };
}

describe('the certificates of the replicas', () => {
  it('end with one CA when two replicas start at the same instant', async () => {
    const server = new SecretServer();
    const clock = new VirtualClock(1, Date.now());
    const [a, b] = [replica(server, clock), replica(server, clock)];
    a.certificates.start();
    b.certificates.start();
    await until(() => a.seen.length > 0 && b.seen.length > 0, 'both have a certificate');
    assert.deepEqual(a.seen, b.seen);
    assert.equal(a.seen.length, 1);
    assert.equal(server.calls.filter((method) => method === 'POST').length, 2);
    await Promise.all([a.certificates.stop(), b.certificates.stop()]);
  });

  it('fill a Secret that is there but empty or broken', async () => {
    const contents: (Record<string, string> | undefined)[] = [
      undefined,
      { 'tls.crt': 'bm9uc2Vuc2U=' },
      { 'tls.crt': 'YQ==', 'tls.key': 'YQ==', 'ca.crt': 'YQ==', 'ca.key': 'YQ==' },
    ];
    for (const data of contents) {
      const server = new SecretServer();
      server.version = 7;
      const metadata = { name: 'tls', namespace: 'tranche-system', resourceVersion: '7' };
      server.secret = { ...SECRET, metadata, ...(data ? { data } : {}) };
      const { seen, certificates } = replica(server, new VirtualClock(1, Date.now()));
      certificates.start();
      await until(() => seen.length > 0, 'a certificate');
      assert.equal(server.calls.includes('POST'), false);
      assert.equal(Buffer.from(server.secret!.data!['tls.crt']!, 'base64').toString(), seen[0]!.cert);
      await certificates.stop();
    }
  });

  it('take up what another replica has written when told to look', async () => {
    const server = new SecretServer();
    const { seen, certificates } = replica(server, new VirtualClock(1, Date.now()));
    certificates.start();
    await until(() => seen.length === 1, 'a certificate');
    const other = await createBundle(NAMES, Date.now());
    await secretStore(server, 'tranche-system', 'tls').write(other, server.secret!.metadata.resourceVersion);
    certificates.check();
    await until(() => seen.length === 2, 'the other certificate');
    assert.deepEqual(certificates.current, other);
    await certificates.stop();
  });

  it('are made again when the Secret is deleted', async () => {
    const server = new SecretServer();
    const { seen, certificates } = replica(server, new VirtualClock(1, Date.now()));
    certificates.start();
    await until(() => seen.length === 1, 'a certificate');
    server.secret = undefined;
    certificates.check();
    await until(() => seen.length === 2, 'another certificate');
    assert.notEqual(seen[1]!.ca, seen[0]!.ca);
    await certificates.stop();
  });

  it('say what is in the way, and try again', async () => {
    const clock = new VirtualClock(1, Date.now());
    const server = new SecretServer();
    const request = server.request.bind(server);
    server.request = () =>
      Promise.reject(new ApiError(403, { reason: 'Forbidden', message: 'secrets "tls" is forbidden' }));
    const { seen, certificates } = replica(server, clock);
    certificates.start();
    await until(() => certificates.problem !== undefined, 'a problem');
    assert.equal(certificates.problem, 'secrets "tls" is forbidden');
    server.request = request;
    await clock.run(1_000);
    await until(() => seen.length === 1, 'a certificate');
    assert.equal(certificates.problem, undefined);
    await certificates.stop();
  });

  it('are renewed by themselves, before they end', async () => {
    const clock = new VirtualClock(1, Date.now());
    const seen: Bundle[] = [];
    const certificates = new Certificates({
      store: memoryStore(),
      names: NAMES,
      clock,
      onChange: (bundle) => seen.push(bundle),
    });
    certificates.start();
    await until(() => seen.length === 1, 'a certificate');
    await clock.run(59 * DAY);
    assert.equal(seen.length, 1);
    await clock.run(2 * DAY);
    await until(() => seen.length === 2, 'a renewed certificate');
    assert.equal(seen[1]!.ca, seen[0]!.ca);
    assert.equal(parseCertificates(seen[1]!.cert)[0]!.validToDate.getTime() > clock.now() + 85 * DAY, true);
    await certificates.stop();
  });
}).timeout(40_000);

describe('certificate files', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'tranche-tls-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const put = async ({ cert, key, ca }: Bundle, only?: string): Promise<void> => {
    const files = { 'tls.crt': cert, 'tls.key': key, 'ca.crt': ca };
    for (const [name, text] of Object.entries(files))
      if (!only || only === name) await writeFile(path.join(folder, name), text);
  };

  it('are used when they are complete and good, and again when they change; half a change is not used', async () => {
    const clock = new VirtualClock(1, Date.now());
    const seen: Bundle[] = [];
    const files = new CertificateFiles({ folder, names: NAMES, clock, onChange: (bundle) => seen.push(bundle) });
    files.start();
    try {
      await until(() => files.problem !== undefined, 'a problem');
      assert.match(files.problem!, /no such file/);
      const first = await createBundle(NAMES, Date.now());
      await put(first);
      // Whether the file system tells or not.
      await clock.run(11_000);
      await until(() => seen.length === 1, 'the first pair');
      assert.equal(files.problem, undefined);
      const second = await createBundle(NAMES, Date.now());
      await put(second, 'tls.crt');
      files.check();
      await until(() => files.problem === 'the private key does not match the certificate', 'a half change');
      assert.equal(files.current, seen[0]);
      await put(second);
      files.check();
      await until(() => seen.length === 2, 'the second pair');
      assert.equal(seen[1]!.cert, second.cert);
      assert.equal(files.problem, undefined);
    } finally {
      await files.stop();
    }
  });
}).timeout(40_000);
