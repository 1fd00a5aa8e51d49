// The server of the dashboard over real sockets: what it refuses, what it limits, and what every answer says.
import assert from 'node:assert/strict';
import { request as open, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { parseAct } from '../../../src/cli/dashboard/server.ts';
import { linesOf } from '../../../src/dashboard/lines.ts';
import type { ActBody } from '../../../src/dashboard/wire.ts';
import { freePort } from '../../support/ports.ts';
import { stage, type DashboardStage } from '../../dashboard/stage.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Unlike fetch, it sends any Host and Origin. */
const ask = (
  { port }: DashboardStage,
  path: string,
  {
    method = 'GET',
    headers = {},
    body = '',
    host = '127.0.0.1',
  }: { method?: string; headers?: Record<string, string>; body?: string; host?: string } = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const request = open({ host, port, path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }));
    });
    request.on('error', reject);
    request.end(body);
  });

const writing = ({ origin, token }: DashboardStage): Record<string, string> => ({
  origin,
  authorization: `Bearer ${token}`,
  'sec-fetch-site': 'same-origin',
  'content-type': 'application/json',
});
const BODY: ActBody = { namespace: 'shop', rollout: 'web', ask: { name: 'approve', version: 'v1' } };

describe('the server of the dashboard', () => {
  let dashboard: DashboardStage;
  const acts: ActBody[] = [];

  before(async () => {
    dashboard = await stage({
      act: (body) => {
        acts.push(body);
        return Promise.resolve({ done: true, says: 'approved', warnings: [] });
      },
    });
  });
  after(() => dashboard.close());

  it('serves the page and its modules, with the library, and nothing else', async () => {
    for (const [path, type] of [
      ['/', /text\/html/],
      ['/main.js', /javascript/],
      ['/base.css', /css/],
      ['/icon.svg', /svg/],
      ['/lit/lit-html.js', /javascript/],
    ] as const) {
      const { status, headers, body } = await ask(dashboard, path);
      assert.equal(status, 200, path);
      assert.match(headers['content-type']!, type);
      assert.ok(body.length > 100);
    }
    for (const path of [
      '/main.ts',
      '/../package.json',
      '/%2e%2e/package.json',
      '//etc/passwd',
      '/tsconfig.json',
      '/api',
      '/api/',
    ])
      assert.ok([401, 404].includes((await ask(dashboard, path)).status), path);
  });

  it('serves modules that a browser can load: no types, and every import leads to another module', async () => {
    const seen = new Set<string>();
    const follow = async (path: string): Promise<void> => {
      if (seen.has(path)) return;
      seen.add(path);
      const { status, body } = await ask(dashboard, path);
      assert.equal(status, 200, path);
      for (const [, target] of body.matchAll(/(?:from|import) ?["']([./][^"']*)["']/g))
        await follow(new URL(target!, `http://x${path}`).pathname);
    };
    await follow('/main.js');
    assert.ok(seen.size > 10);
    assert.ok(seen.has('/lit/directives/repeat.js'));
  });

  it('says with every answer that nothing may be kept, framed or read elsewhere', async () => {
    for (const answer of [
      await ask(dashboard, '/'),
      await ask(dashboard, '/nothing'),
      await ask(dashboard, '/api/stream'),
      await ask(dashboard, '/', { headers: { host: 'evil.example' } }),
      await ask(dashboard, '/api/act', { method: 'POST', headers: writing(dashboard), body: JSON.stringify(BODY) }),
    ]) {
      const { headers } = answer;
      assert.match(String(headers['content-security-policy']), /^default-src 'none'/);
      assert.equal(headers['cache-control'], 'no-store');
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['set-cookie'], undefined);
      assert.ok(!Object.keys(headers).some((name) => name.startsWith('access-control')));
    }
  });

  it('refuses a foreign Host and Origin, and a wrong token, and does nothing', async () => {
    const send = (headers: Record<string, string>): Promise<Answer> =>
      ask(dashboard, '/api/act', {
        method: 'POST',
        headers: { ...writing(dashboard), ...headers },
        body: JSON.stringify(BODY),
      });
    const before = acts.length;
    assert.equal(
      (await send({ host: `evil.example:${dashboard.port}`, origin: `http://evil.example:${dashboard.port}` })).status,
      403,
    );
    assert.equal((await send({ origin: 'https://evil.example' })).status, 403);
    assert.equal((await send({ 'sec-fetch-site': 'cross-site' })).status, 403);
    assert.equal((await send({ authorization: `Bearer ${'x'.repeat(43)}` })).status, 401);
    assert.equal((await send({ 'content-type': 'text/plain' })).status, 415);
    assert.equal(acts.length, before);
    assert.equal((await send({})).status, 200);
    assert.deepEqual(acts.at(-1), BODY);
  });

  it('limits methods and bodies', async () => {
    const { status, headers } = await ask(dashboard, '/main.js', { method: 'POST', headers: writing(dashboard) });
    assert.deepEqual([status, headers.allow], [405, 'GET']);
    const read = await ask(dashboard, '/api/act', { headers: { authorization: `Bearer ${dashboard.token}` } });
    assert.deepEqual([read.status, read.headers.allow], [405, 'POST']);
    const large = JSON.stringify({ ...BODY, message: 'x'.repeat(9000) });
    const refused = await ask(dashboard, '/api/act', { method: 'POST', headers: writing(dashboard), body: large });
    assert.equal(refused.status, 413);
    assert.match(refused.body, /larger than 8192 bytes/);
  });

  it('goes on when a client goes away in the middle of its request', async () => {
    const { port } = dashboard;
    const headers = { ...writing(dashboard), host: `127.0.0.1:${port}`, 'content-length': '200' };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const before = acts.length;
    const unhandled: unknown[] = [];
    const hear = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', hear);
    try {
      const socket = connect(port, '127.0.0.1');
      socket.write(`POST /api/act HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n{"namespace":`);
      await new Promise((resolve) => setTimeout(resolve, 200));
      socket.resetAndDestroy();
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.deepEqual(unhandled, []);
      assert.equal((await ask(dashboard, '/')).status, 200);
      assert.equal(acts.length, before);
    } finally {
      process.off('unhandledRejection', hear);
    }
  });

  it('reads only the fields that it knows from a body', () => {
    const parse = (value: unknown): ActBody | string => parseAct(Buffer.from(JSON.stringify(value)));
    assert.deepEqual(parse({ ...BODY, path: '/api/v1/secrets', ask: { ...BODY.ask, patch: {}, step: 2 } }), {
      ...BODY,
      ask: { ...BODY.ask, step: 2 },
    });
    for (const [value, why] of [
      [{ ...BODY, namespace: 1 }, /namespace and rollout are required/],
      [{ ...BODY, ask: { ...BODY.ask, name: 'delete' } }, /not an action/],
      [{ ...BODY, ask: { ...BODY.ask, name: 'constructor' } }, /not an action/],
      [{ ...BODY, ask: { name: 'approve' } }, /version is required/],
      [{ ...BODY, ask: { ...BODY.ask, step: 0 } }, /step must be a number from 1/],
      [{ ...BODY, ask: { ...BODY.ask, revision: '3' } }, /revision must be a number from 1/],
      [{ ...BODY, ask: { ...BODY.ask, yes: 'true' } }, /yes must be true or false/],
      [{ ...BODY, typed: [] }, /typed must be a text/],
      [{ ...BODY, message: 'x'.repeat(501) }, /at most 500/],
      [null, /must be an object/],
      ['text', /must be an object/],
    ] as const) {
      const refused = parse(value);
      assert.ok(typeof refused === 'string');
      assert.match(refused, why);
    }
    assert.equal(parseAct(Buffer.from('{')), 'the body is not JSON');
  });

  it('has no route that writes when it is read-only', async () => {
    const reading = await stage({ readOnly: true });
    try {
      const answer = await ask(reading, '/api/act', {
        method: 'POST',
        headers: writing(reading),
        body: JSON.stringify(BODY),
      });
      assert.equal(answer.status, 404);
      const page = await ask(reading, '/');
      assert.equal(page.status, 200);
    } finally {
      await reading.close();
    }
  });

  it('listens on the loopback interface only, and says when the port is in use', async () => {
    const port = await freePort();
    const first = await stage({}, port);
    try {
      await assert.rejects(stage({}, port), /port \d+ is in use on 127\.0\.0\.1: choose another with --port/);
      // A foreign address of this machine, where it has one.
      const { networkInterfaces } = await import('node:os');
      const other = Object.values(networkInterfaces())
        .flat()
        .find((one) => one && !one.internal && one.family === 'IPv4');
      if (other)
        await assert.rejects(
          new Promise((resolve, reject) => connect(port, other.address).once('connect', resolve).once('error', reject)),
          /ECONNREFUSED/,
        );
    } finally {
      await first.close();
    }
  });

  it('ends open streams when it closes', async () => {
    const one = await stage();
    const { body } = await fetch(`${one.origin}/api/stream`, { headers: { authorization: `Bearer ${one.token}` } });
    const lines = linesOf(body as ReadableStream<Uint8Array>);
    assert.ok('beat' in (await lines.next()).value!);
    await one.close();
    await assert.rejects(async () => {
      for await (const _ of lines) continue;
    });
  });
});
