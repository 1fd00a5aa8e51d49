// How a source authenticates, and that no error shows with what.
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import type { Endpoint } from '../../src/api/analysis.ts';
import { TOKEN_FOLDER } from '../../src/api/keys.ts';
import type { Api } from '../../src/kube/api.ts';
import { ApiError, NetworkError } from '../../src/kube/errors.ts';
import { createCredentials } from '../../src/metric-sources/credentials.ts';
import { temporaryFolder } from '../support/processes.ts';

const HIDDEN = 'hidden-word';
const MISSING = new ApiError(404, { reason: 'NotFound', message: HIDDEN });

describe('credentials', () => {
  let now = 0;
  let data: Record<string, string> | Error;
  let reads: string[];
  const clock = { now: () => now, after: () => () => undefined, random: () => 0 };
  const api: Api = {
    async request({ path }) {
      reads.push(path);
      if (data instanceof Error) throw data;
      const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
      const metadata = { name: 'tests', namespace: 'tranche' };
      return { apiVersion: 'v1', kind: 'Secret', metadata, data: Object.fromEntries(encoded) };
    },
    watch: () => Promise.reject(new Error('not used')),
  };
  let folder: string;
  // Not earlier: other tests of the process remove all temporary folders when they end.
  before(() => void (folder = `${temporaryFolder('tokens')}/`));
  beforeEach(() => {
    [now, reads, data] = [0, [], {}];
  });
  const of = (endpoint: Endpoint) =>
    createCredentials(endpoint, { api, clock, namespace: 'tranche', tokenFolder: folder });
  const secret = { secretName: 'tests' };

  for (const [what, content, expected] of [
    ['a token', { token: 'abc\n' }, { headers: { authorization: 'Bearer abc' }, tls: {} }],
    [
      'a user name and a password',
      { username: 'jane', password: 'a:b ü' },
      { headers: { authorization: `Basic ${Buffer.from('jane:a:b ü').toString('base64')}` }, tls: {} },
    ],
    [
      'a client certificate',
      { 'tls.crt': 'C', 'tls.key': 'K', 'ca.crt': 'A' },
      { headers: {}, tls: { cert: 'C', key: 'K', ca: 'A' } },
    ],
    ['a CA and a token', { 'ca.crt': 'A', token: 't' }, { headers: { authorization: 'Bearer t' }, tls: { ca: 'A' } }],
  ] as const)
    it(`come from a Secret with ${what}`, async () => {
      data = content;
      assert.deepEqual(await of(secret)('shop'), expected);
    });

  for (const [what, content, expected] of [
    ['nothing', {}, /^Secret tests has none of token, username/],
    ['an empty token', { token: ' ' }, /^the token in Secret tests is empty, or has characters/],
    ['a token of two lines', { token: `${HIDDEN}\r\nx: y` }, /^the token in Secret tests is empty, or has characters/],
    ['a token and a user', { token: HIDDEN, username: HIDDEN, password: HIDDEN }, /has token and username: keep one/],
    ['no password', { username: HIDDEN }, /needs both username and password/],
    ['no key', { 'tls.crt': HIDDEN }, /needs both tls.crt and tls.key/],
    ['a colon in the user name', { username: `${HIDDEN}:`, password: HIDDEN }, /a username with a colon/],
    ['a missing object', MISSING, /^there is no Secret tests in namespace tranche$/],
    ['no permission', new ApiError(403, { message: HIDDEN }), /^forbidden: Tranche may not read Secret tests; add it/],
    ['no answer', new NetworkError(HIDDEN, 'ECONNRESET'), /^Secret tests cannot be read$/],
  ] as const)
    it(`are Unknown for a Secret with ${what}`, async () => {
      data = content;
      const found = await of(secret)('shop');
      assert.match('unknown' in found ? found.unknown : '', expected);
      assert.doesNotMatch(JSON.stringify(found), new RegExp(HIDDEN));
    });

  it('are read once for all who ask, and again after a minute', async () => {
    data = { token: 'one' };
    const credentials = of(secret);
    await Promise.all([credentials('a'), credentials('b'), credentials('c')]);
    data = { token: 'two' };
    now = 59_999;
    assert.match(JSON.stringify(await credentials('a')), /one/);
    now = 60_000;
    assert.match(JSON.stringify(await credentials('a')), /two/);
    assert.deepEqual(reads, Array(2).fill('/api/v1/namespaces/tranche/secrets/tests'));
  });

  it('are read again soon after a failure, and not at once', async () => {
    data = MISSING;
    const credentials = of(secret);
    await credentials('a');
    data = { token: 'one' };
    now = 9_999;
    assert.ok('unknown' in (await credentials('a')));
    now = 10_000;
    assert.match(JSON.stringify(await credentials('a')), /one/);
  });

  it('have headers with the namespace of the query, which cannot replace those of the Secret', async () => {
    data = { token: 't' };
    const headers = { 'X-Scope-OrgID': '{{namespace}}|{{namespace}}', Authorization: 'mine' };
    const credentials = of({ ...secret, headers });
    assert.deepEqual(await credentials('shop'), {
      headers: { 'x-scope-orgid': 'shop|shop', authorization: 'Bearer t' },
      tls: {},
    });
    assert.match(JSON.stringify(await credentials('pay')), /"pay\|pay"/);
  });

  it('come from a file, which is read before each request', async () => {
    const credentials = of({ bearerTokenFile: `${TOKEN_FOLDER}mimir` });
    await writeFile(`${folder}mimir`, 'one\n');
    assert.deepEqual(await credentials('shop'), { headers: { authorization: 'Bearer one' } });
    await writeFile(`${folder}mimir`, 'two');
    assert.deepEqual(await credentials('shop'), { headers: { authorization: 'Bearer two' } });
    await rm(`${folder}mimir`);
    assert.deepEqual(await credentials('shop'), { unknown: 'bearerTokenFile cannot be read: file not found' });
  });

  for (const file of [
    '/var/run/secrets/kubernetes.io/serviceaccount/token',
    `${TOKEN_FOLDER}../kubernetes.io/serviceaccount/token`,
    `${TOKEN_FOLDER}..`,
    `${TOKEN_FOLDER}a/b`,
    TOKEN_FOLDER,
    '/tls/tls.key',
    'token',
    '',
  ])
    it(`never come from ${file || 'a file without a name'}`, async () => {
      const found = await of({ bearerTokenFile: file })('shop');
      assert.deepEqual(found, { unknown: `bearerTokenFile must be a file in ${TOKEN_FOLDER}` });
    });

  it('are Unknown if a Secret and a file both authenticate', async () => {
    data = { token: HIDDEN };
    await writeFile(`${folder}both`, HIDDEN);
    const found = await of({ ...secret, bearerTokenFile: `${TOKEN_FOLDER}both` })('shop');
    assert.deepEqual(found, { unknown: 'Secret tests and bearerTokenFile both authenticate: keep one' });
  });
});
