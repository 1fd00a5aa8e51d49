// The client of Prometheus, against servers that answer as told.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Prometheus, readAnswer, type PrometheusOptions } from '../../src/metric-sources/prometheus.ts';
import type { Query, Series, Unknown } from '../../src/metric-sources/source.ts';
import { rows } from '../engine/build.ts';

const UP: Query = { kind: 'Counters', namespace: 'shop', workload: 'web', selector: 'up' };

const brief = (answer: readonly Series[] | Unknown): unknown =>
  'unknown' in answer ? answer.unknown : answer.map(({ pod, samples }) => [pod, [...samples]]);

const matrix = (...result: unknown[]): string =>
  JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } });
const strange = 'the answer is not that of Prometheus';

describe('an answer', () => {
  rows(
    [
      [
        'with series',
        200,
        matrix({
          metric: { pod: 'a' },
          values: [
            [1.5, '3'],
            [2.5, '4.5'],
          ],
        }),
        [
          [
            'a',
            [
              [1500, 3],
              [2500, 4.5],
            ],
          ],
        ],
      ],
      ['with a series without a Pod', 200, matrix({ metric: {}, values: [[1, '3']] }), [[undefined, [[1000, 3]]]]],
      [
        'with numbers that are none',
        200,
        matrix({
          metric: {},
          values: [
            [1, 'NaN'],
            [2, '+Inf'],
            [3, '-Inf'],
            [4, ''],
          ],
        }),
        [
          [
            undefined,
            [
              [1000, NaN],
              [2000, Infinity],
              [3000, -Infinity],
              [4000, NaN],
            ],
          ],
        ],
      ],
      ['that is empty', 200, matrix(), []],
      [
        'with warnings',
        200,
        JSON.stringify({
          status: 'success',
          warnings: ['store a is down'],
          data: { resultType: 'matrix', result: [] },
        }),
        'the answer has warnings and may be incomplete',
      ],
      [
        'with infos, which say nothing about the numbers',
        200,
        JSON.stringify({ status: 'success', infos: ['x'], data: { resultType: 'matrix', result: [] } }),
        [],
      ],
      [
        'with an error',
        422,
        JSON.stringify({ status: 'error', errorType: 'execution', error: 'secret' }),
        'the source answered 422 with execution',
      ],
      [
        'with an error of another type, which is not shown',
        400,
        JSON.stringify({ status: 'error', errorType: 'secret' }),
        'the source answered 400 with an error',
      ],
      ['of a proxy', 502, '<html>', 'the source answered 502'],
      ['of a redirect, which is not followed', 302, '', 'the source answered 302'],
      ['of another program', 200, '<html>', strange],
      ['that is null', 200, 'null', strange],
      [
        'of another type',
        200,
        JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [] } }),
        strange,
      ],
      ['with a series that is none', 200, matrix(null), strange],
      ['with values that are none', 200, matrix({ metric: {}, values: [[1, 3]] }), strange],
      [
        'with two series for one Pod',
        200,
        matrix({ metric: { pod: 'a' }, values: [] }, { metric: { pod: 'a' }, values: [] }),
        'the answer has two series for one Pod',
      ],
    ],
    (status: number, body: string, expected: unknown) => assert.deepEqual(brief(readAnswer(status, body)), expected),
  );
});

describe('the client', () => {
  let server: Server;
  let sources: Prometheus[];
  let handle: (request: IncomingMessage, response: ServerResponse, body: string) => void;

  beforeEach(async () => {
    sources = [];
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => handle(request, response, body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    for (const source of sources) source.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const address = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  function ask(options: Partial<PrometheusOptions> = {}, signal = new AbortController().signal) {
    const source = new Prometheus({ url: options.url ?? new URL(address()), guarded: false, ...options });
    sources.push(source);
    return source.range(UP, 60_000, 120_000, 30_000, signal);
  }

  it('asks for the range, with the parameters of the source and fresh headers', async () => {
    const seen: string[] = [];
    handle = (request, response, body) => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`);
      for (const [key, value] of new URLSearchParams(body)) seen.push(`${key}=${value}`);
      response.end(matrix({ metric: { pod: 'a' }, values: [[60, '1']] }));
    };
    const answer = await ask({
      url: new URL(`${address()}/prometheus/`),
      parameters: { partial_response: 'false' },
      credentials: async () => ({ headers: { authorization: 'Bearer t' } }),
    });
    assert.deepEqual(brief(answer), [['a', [[60_000, 1]]]]);
    assert.deepEqual(seen, [
      'POST /prometheus/api/v1/query_range Bearer t',
      'partial_response=false',
      'query=sum by (pod) (up{namespace="shop",pod=~"web-.+"})',
      'start=60',
      'end=120',
      'step=30',
      'timeout=10000ms',
    ]);
  });

  it('does not follow a redirect', async () => {
    let requests = 0;
    handle = (_, response) => {
      requests += 1;
      response.writeHead(307, { location: `${address()}/elsewhere` }).end();
    };
    assert.equal(brief(await ask()), 'the source answered 307');
    assert.equal(requests, 1);
  });

  it('takes no answer of more than 1 MiB', async () => {
    handle = (_, response) => response.end('x'.repeat(2 ** 20 + 1));
    assert.equal(brief(await ask()), 'the answer has more than 1048576 bytes');
  });

  it('waits no longer than it may', async () => {
    handle = () => {};
    assert.equal(brief(await ask({ timeoutMs: 50 })), 'no answer within 0.05 seconds');
  });

  it('says that the connection was closed', async () => {
    handle = (request) => request.socket.destroy();
    assert.equal(brief(await ask()), 'the connection was closed');
  });

  it('says that nobody listens', async () => {
    const url = new URL(address());
    await new Promise((resolve) => server.close(resolve));
    assert.equal(brief(await ask({ url })), 'connection refused');
  });

  it('rejects if it is told to stop', async () => {
    handle = () => {};
    const stop = new AbortController();
    const asked = ask({}, stop.signal);
    stop.abort();
    await assert.rejects(asked);
  });

  it('asks no source on this machine, by address or by name', async () => {
    let requests = 0;
    handle = (_, response) => void ((requests += 1), response.end(matrix()));
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]']) {
      const url = new URL(address().replace('127.0.0.1', host));
      assert.equal(brief(await ask({ url, guarded: true })), 'the address of the source is not allowed');
    }
    assert.equal(requests, 0);
  });

  it('reads no more of an expression than one series can have', async () => {
    const series = Array.from({ length: 5_000 }, (_, index) => ({ metric: { a: `${index}` }, values: [[0, '1']] }));
    const body = JSON.stringify({ status: 'success', data: { resultType: 'matrix', result: series } });
    handle = (_, response) => void response.end(body);
    const source = new Prometheus({ url: new URL(address()), guarded: false });
    sources.push(source);
    const { signal } = new AbortController();
    const expression = { kind: 'Expression', namespace: 'shop', expression: '{a!=""}' } as const;
    assert.deepEqual(await source.range(expression, 0, 1_000, 1_000, signal), {
      unknown: 'the answer has more than 131072 bytes',
    });
    assert.ok(!('unknown' in (await source.range(UP, 0, 1_000, 1_000, signal))));
  });

  it('sends at most four requests at once', async () => {
    let [now, most] = [0, 0];
    handle = (_, response) => {
      most = Math.max(most, (now += 1));
      setTimeout(() => {
        now -= 1;
        response.end(matrix());
      }, 20);
    };
    const source = new Prometheus({ url: new URL(address()), guarded: false });
    sources.push(source);
    const { signal } = new AbortController();
    const namespaces = Array.from({ length: 12 }, (_, index) => `team-${index % 3}`);
    await Promise.all(namespaces.map((namespace) => source.range({ ...UP, namespace }, 0, 1, 1, signal)));
    assert.equal(most, 4);
  });
});
