// Which requests the server of the dashboard answers: one table.
import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { HEADERS, hostsOf, refusalOf } from '../../../src/cli/dashboard/guard.ts';

const TOKEN = 'a'.repeat(43);
const guard = { hosts: hostsOf(4000), token: TOKEN };
const HOST = '127.0.0.1:4000';
const ORIGIN = `http://${HOST}`;
const authorization = `Bearer ${TOKEN}`;
const post: IncomingHttpHeaders = {
  ...{ host: HOST, origin: ORIGIN, authorization, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' },
};
const without = (name: string): IncomingHttpHeaders => {
  const { [name]: _, ...rest } = post;
  return rest;
};

const status = (method: string, path: string, headers: IncomingHttpHeaders): number | undefined =>
  refusalOf({ method, path, headers }, guard)?.status;

describe('the guard of the dashboard', () => {
  const CASES: readonly (readonly [
    what: string,
    method: string,
    path: string,
    headers: IncomingHttpHeaders,
    number?,
  ])[] = [
    ['the page, as a browser opens it', 'GET', '/', { host: HOST, 'sec-fetch-site': 'none' }],
    [
      'the page, from a link elsewhere: it contains no secret',
      'GET',
      '/',
      { host: HOST, 'sec-fetch-site': 'cross-site' },
    ],
    ['the page by other names of the loopback interface', 'GET', '/', { host: 'localhost:4000' }],
    ['the page over IPv6', 'GET', '/', { host: '[::1]:4000' }],
    ['the stream', 'GET', '/api/stream', { host: HOST, authorization, 'sec-fetch-site': 'same-origin' }],
    ['the stream for a program that is no browser', 'GET', '/api/stream', { host: HOST, authorization }],
    ['an action', 'POST', '/api/act', post],
    ['an action with a charset', 'POST', '/api/act', { ...post, 'content-type': 'application/json; charset=utf-8' }],
    ['a name that an attacker points to us', 'GET', '/', { host: 'evil.example:4000' }, 403],
    ['another port in Host', 'GET', '/', { host: '127.0.0.1:4001' }, 403],
    ['Host without a port', 'GET', '/', { host: '127.0.0.1' }, 403],
    ['no Host', 'GET', '/', {}, 403],
    ['a Host that only begins with ours', 'GET', '/', { host: `${HOST}.evil.example` }, 403],
    ['a page of another origin', 'GET', '/', { host: HOST, origin: 'https://evil.example' }, 403],
    ['a page of another port of this machine', 'POST', '/api/act', { ...post, origin: 'http://127.0.0.1:4001' }, 403],
    ['a sandboxed frame', 'POST', '/api/act', { ...post, origin: 'null' }, 403],
    [
      'Origin and Host that differ, though both are ours',
      'POST',
      '/api/act',
      { ...post, origin: 'http://localhost:4000' },
      403,
    ],
    ['an action without Origin', 'POST', '/api/act', without('origin'), 403],
    ['an action without Sec-Fetch-Site', 'POST', '/api/act', without('sec-fetch-site'), 403],
    ['an action from the same site, another port', 'POST', '/api/act', { ...post, 'sec-fetch-site': 'same-site' }, 403],
    [
      'the stream from another site',
      'GET',
      '/api/stream',
      { host: HOST, authorization, 'sec-fetch-site': 'cross-site' },
      403,
    ],
    ['the stream without the token', 'GET', '/api/stream', { host: HOST }, 401],
    [
      'the stream with a wrong token',
      'GET',
      '/api/stream',
      { host: HOST, authorization: `Bearer ${'b'.repeat(43)}` },
      401,
    ],
    ['the token without its scheme', 'GET', '/api/stream', { host: HOST, authorization: TOKEN }, 401],
    ['a token that only begins right', 'GET', '/api/stream', { host: HOST, authorization: `${authorization}x` }, 401],
    ['an action without the token', 'POST', '/api/act', without('authorization'), 401],
    ['an action as a form sends it', 'POST', '/api/act', { ...post, 'content-type': 'text/plain' }, 415],
    ['an action without a type', 'POST', '/api/act', without('content-type'), 415],
    ['another method, which the guard of a page stops like a POST', 'DELETE', '/', { host: HOST }, 403],
    [
      'OPTIONS, which asks whether another origin may',
      'OPTIONS',
      '/api/act',
      { host: HOST, origin: 'https://evil.example' },
      403,
    ],
  ];
  for (const [what, method, path, headers, expected] of CASES)
    it(`${expected === undefined ? 'answers' : `refuses with ${expected}`}: ${what}`, () => {
      assert.equal(status(method, path, headers), expected);
    });

  it('lets no other origin read or show anything', () => {
    assert.ok(!Object.keys(HEADERS).some((name) => name.startsWith('access-control')));
    const policy = HEADERS['content-security-policy']!;
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      'trusted-types lit-html',
    ])
      assert.ok(policy.split('; ').includes(part), part);
    assert.ok(!policy.includes('unsafe'));
    assert.equal(HEADERS['cache-control'], 'no-store');
    assert.equal(HEADERS['x-content-type-options'], 'nosniff');
    assert.equal(HEADERS['referrer-policy'], 'no-referrer');
  });
});
