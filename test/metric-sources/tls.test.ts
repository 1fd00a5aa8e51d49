// Sources over HTTPS: whom they trust, and the certificate that they show.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Credentials } from '../../src/metric-sources/http.ts';
import { Web } from '../../src/metric-sources/web.ts';
import { issueCa, issueLeaf, type KeyPair } from '../../src/tls/issue.ts';
import { ask, assertUnknown, type Answer } from './contract.ts';

describe('a source over HTTPS', () => {
  let ca: KeyPair;
  let client: KeyPair;
  let server: Server;
  const seen: string[] = [];

  before(async () => {
    ca = await issueCa(Date.now(), 2);
    const own = await issueLeaf(ca, ['127.0.0.1'], Date.now(), 1);
    client = await issueLeaf(ca, ['operator'], Date.now(), 1);
    const options = { cert: own.cert, key: own.key, ca: ca.cert, requestCert: true, rejectUnauthorized: false };
    server = createServer(options, ({ socket }, response) => {
      const { subjectaltname = 'nobody' } = (socket as TLSSocket).getPeerCertificate() as { subjectaltname?: string };
      seen.push(subjectaltname);
      response.end('{"score":1}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  beforeEach(() => void seen.splice(0));
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  async function answer(tls: Credentials['tls'], host = '127.0.0.1'): Promise<Answer> {
    const url = new URL(`https://${host}:${(server.address() as AddressInfo).port}`);
    const source = new Web({ url, guarded: false, credentials: async () => (tls ? { tls } : {}) });
    try {
      return await ask(source, { kind: 'Web', namespace: 'shop', path: '/', jsonPath: '.score' });
    } finally {
      source.close();
    }
  }

  it('trusts the CA of its Secret', async () => {
    assert.ok(!('unknown' in (await answer({ ca: ca.cert }))));
    assert.deepEqual(seen, ['nobody']);
  });

  it('shows the certificate of its Secret', async () => {
    assert.ok(!('unknown' in (await answer({ ca: ca.cert, ...client }))));
    assert.deepEqual(seen, ['DNS:operator']);
  });

  for (const [what, tls, host, expected] of [
    ['a CA that it does not know', () => undefined, '127.0.0.1', /^the certificate of the source is not accepted: /],
    [
      'a certificate for another name',
      () => ({ ca: ca.cert }),
      'localhost',
      /not accepted: ERR_TLS_CERT_ALTNAME_INVALID$/,
    ],
    ['a CA that cannot be read', () => ({ ca: 'hidden' }), '127.0.0.1', /^the /],
    [
      'a key that cannot be read',
      () => ({ ca: ca.cert, cert: client.cert, key: 'hidden' }),
      '127.0.0.1',
      /^the request failed/,
    ],
    [
      'a key of another certificate',
      () => ({ ca: ca.cert, cert: client.cert, key: ca.key }),
      '127.0.0.1',
      /^the request failed/,
    ],
  ] as const)
    it(`is Unknown with ${what}, and sends nothing`, async () => {
      const found = await answer(tls(), host);
      assertUnknown(found);
      assert.match((found as { unknown: string }).unknown, expected);
      assert.doesNotMatch(JSON.stringify(found), /hidden|BEGIN/);
      assert.deepEqual(seen, []);
    });
});
