// What every source must hold against a server that lies, hangs or breaks: it never rejects, never returns text of the server, and says no more
// than Unknown.
import assert from 'node:assert/strict';
import type { MetricSource, Query, Series, Unknown } from '../../src/metric-sources/source.ts';
import { TestServer, type Handler } from './server.ts';

export type Answer = readonly Series[] | Unknown;

export const NOW = 1_800_000_000_000;

export interface Subject {
  readonly name: string;
  /** A source of this server, that gives up after so long. */
  readonly make: (url: URL, timeoutMs: number) => MetricSource;
  readonly query: Query;
  /** A good answer of the server, and the value in it. */
  readonly good: { readonly body: unknown; readonly value: number };
  /** Answers with the right form, of which nothing can be believed. */
  readonly bad: Readonly<Record<string, unknown>>;
}

/** For answers that come, on any machine. */
const PATIENT_MS = 30_000;
/** For answers that never come, or may as well not. */
const IMPATIENT_MS = 150;

/** Text that must not be seen. */
const TEXT = 'text-of-the-server';
const json =
  (body: string, status = 200): Handler =>
  (_, response) =>
    void response.writeHead(status, { 'content-type': 'application/json', 'x-text': TEXT }).end(body);
const status = (code: number): Handler =>
  json(
    JSON.stringify({ status: 'error', kind: 'Status', errorType: TEXT, error: TEXT, message: TEXT, reason: TEXT }),
    code,
  );

const LIES: Readonly<Record<string, Handler>> = {
  'hangs before it answers': () => {},
  'hangs in its answer': (_, response) => void response.writeHead(200).write(`{"${TEXT}`),
  'closes the connection': (request) => void request.socket.destroy(),
  'closes the connection in its answer': (request, response) => {
    response.writeHead(200, { 'content-length': '1000' }).write(`{"${TEXT}`);
    setImmediate(() => request.socket.destroy());
  },
  'does not speak HTTP': (request) => void request.socket.end(`${TEXT}\r\n\r\n`),
  'answers with a header of 64 KiB': (_, response) =>
    void response.writeHead(200, { 'x-long': TEXT.repeat(3_700) }).end('{}'),
  'switches the protocol': (request) =>
    void request.socket.end(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${TEXT}\r\nConnection: Upgrade\r\n\r\n`),
  'redirects to itself': (request, response) =>
    void response.writeHead(302, { location: `${request.url}?${TEXT}` }).end(),
  'redirects to the metadata service': (_, response) =>
    void response.writeHead(307, { location: 'http://169.254.169.254/' }).end(TEXT),
  'answers 200 without a body': json(''),
  'answers 204': (_, response) => void response.writeHead(204).end(),
  'answers with HTML': json(`<html>${TEXT}</html>`),
  'answers with text that is nearly JSON': json(`{"${TEXT}": NaN}`),
  'answers with null': json('null'),
  'answers with a number': json('5'),
  'answers with a list': json(`["${TEXT}"]`),
  'answers with an empty object': json('{}'),
  'answers with other fields': json(JSON.stringify({ data: TEXT, items: TEXT, status: TEXT, resources: TEXT })),
  'answers with a million brackets': json('['.repeat(1_000_000)),
  'answers with compressed bytes': (_, response) =>
    void response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.from([0x1f, 0x8b, 8, 0, 255])),
  'answers 1 MiB and a byte': json('x'.repeat(2 ** 20 + 1)),
  ...Object.fromEntries([400, 401, 403, 404, 422, 429, 500, 503].map((code) => [`answers ${code}`, status(code)])),
};

/** Fails if the answer has text that is not ours. */
export function assertUnknown(answer: unknown): void {
  assert.ok(typeof answer === 'object' && answer !== null && 'unknown' in answer, JSON.stringify(answer));
  const { unknown } = answer as Unknown;
  assert.deepEqual(Object.keys(answer), ['unknown']);
  assert.doesNotMatch(JSON.stringify(answer), new RegExp(TEXT));
  assert.match(unknown, /^[ -~]{5,200}$/);
}

export const ask = (source: MetricSource, query: Query, signal = new AbortController().signal): Promise<Answer> =>
  source.range(query, NOW - 60_000, NOW, 30_000, signal);

/** Defines the tests. */
export function describeSource({ name, make, query, good, bad }: Subject): void {
  describe(`the source ${name}`, () => {
    let server: TestServer;
    let source: MetricSource;
    let impatient: MetricSource;
    beforeEach(async () => {
      server = await TestServer.start();
      source = make(server.url, PATIENT_MS);
      impatient = make(server.url, IMPATIENT_MS);
    });
    afterEach(async () => {
      source.close();
      impatient.close();
      await server.close();
    });

    it('answers', async () => {
      server.answer(good.body);
      const answer = await ask(source, query);
      assert.ok(!('unknown' in answer), JSON.stringify(answer));
      assert.deepEqual(
        answer.flatMap(({ samples }) => [...samples]),
        [[NOW, good.value]],
      );
    });

    for (const [what, handle] of Object.entries(LIES))
      it(`is Unknown if the server ${what}`, async () => {
        server.handle = handle;
        assertUnknown(await ask(impatient, query));
        assert.ok(server.requests.length <= 2, 'no redirect is followed');
      });

    for (const [what, body] of Object.entries(bad))
      it(`is Unknown if the answer has ${what}`, async () => {
        server.answer(body);
        assertUnknown(await ask(source, query));
      });

    it('is Unknown only as long as the server fails', async () => {
      for (const fails of [true, false, true, false]) {
        if (fails) server.handle = LIES['closes the connection']!;
        else server.answer(good.body);
        assert.equal('unknown' in (await ask(source, query)), fails);
      }
    });

    it('is Unknown if nobody listens', async () => {
      await server.close();
      assertUnknown(await ask(source, query));
      server = await TestServer.start();
    });

    it('rejects if it is told to stop, before and while it asks', async () => {
      server.handle = () => {};
      await assert.rejects(ask(source, query, AbortSignal.abort()));
      const stop = new AbortController();
      const asked = ask(source, query, stop.signal);
      stop.abort();
      await assert.rejects(asked);
    });

    it('is Unknown for queries of other kinds', async () => {
      server.answer(good.body);
      const { namespace } = query;
      const others: Query[] = [
        { kind: 'Counters', namespace, workload: 'web', selector: 'up' },
        { kind: 'Expression', namespace, expression: 'up' },
        { kind: 'PodResource', namespace, pods: 'app=web', resource: 'cpu' },
        { kind: 'Web', namespace, path: '/', jsonPath: '.score' },
      ];
      const answers = await Promise.all(others.map((other) => ask(source, other)));
      const unknown = answers.filter((answer) => 'unknown' in answer);
      assert.ok(unknown.length >= 2);
      unknown.forEach(assertUnknown);
    });

    it('asks three times at once for a namespace, and answers all who wait', async () => {
      let [now, most] = [0, 0];
      server.handle = (_, response) => {
        most = Math.max(most, (now += 1));
        setImmediate(() => {
          now -= 1;
          response.end(JSON.stringify(good.body));
        });
      };
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(source, query)));
      assert.ok(answers.every((answer) => !('unknown' in answer)));
      assert.ok(most >= 1 && most <= 3, `${most}`);
    });

    it('lets five thousand wait, and no more', async () => {
      server.handle = () => {};
      const answers = await Promise.all(Array.from({ length: 5_005 }, () => ask(impatient, query)));
      answers.forEach(assertUnknown);
      const refused = answers.filter((answer) => JSON.stringify(answer).includes('too many queries wait'));
      assert.equal(refused.length, 2);
    });
  });
}
