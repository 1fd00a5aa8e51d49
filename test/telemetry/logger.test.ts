import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { ApiError, NetworkError } from '../../src/kube/errors.ts';
import { createLogger, type LogLevel } from '../../src/telemetry/logger.ts';
import { BatchedWrites } from '../../src/telemetry/batched-writes.ts';

function setUp(level: LogLevel = 'info') {
  const lines: Record<string, unknown>[] = [];
  const raw: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      raw.push(chunk.toString());
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  return { log: createLogger(level, stream), lines, raw };
}

describe('the log', () => {
  it('writes one line of JSON per event: time, level, message, fields', () => {
    const { log, lines, raw } = setUp();
    log.info('ready', { port: 9443, since: new Date(0) });
    assert.match(
      raw[0]!,
      /^\{"time":"\d{4}-[^"]+Z","level":"info","message":"ready","port":9443,"since":"1970-01-01T00:00:00.000Z"\}\n$/,
    );
    log.info('two\nlines');
    assert.equal(raw[1]!.split('\n').length, 2);
    assert.equal(lines[1]!['message'], 'two\nlines');
  });

  it('keeps to its level, and adds the fields of a child', () => {
    const { log, lines } = setUp('warn');
    const child = log.child({ rollout: 'shop/web' }).child({ step: 2 });
    child.debug('no');
    child.info('no');
    child.warn('yes', { step: 3 });
    child.error('yes');
    assert.deepEqual(
      lines.map(({ level, rollout, step }) => [level, rollout, step]),
      [
        ['warn', 'shop/web', 3],
        ['error', 'shop/web', 2],
      ],
    );
  });

  it('prints errors with code and causes; a stack only where the error may be a bug', () => {
    const { log, lines } = setUp();
    const refused = new NetworkError('GET https://x: connect ECONNREFUSED', 'ECONNREFUSED', {
      cause: new TypeError('a bug'),
    });
    log.error('failed', { error: refused });
    const first = lines[0]!['error'] as Record<string, unknown>;
    assert.equal(first['code'], 'ECONNREFUSED');
    assert.equal(first['stack'], undefined);
    const cause = first['cause'] as Record<string, unknown>;
    assert.equal(cause['message'], 'a bug');
    assert.match(String(cause['stack']), /logger\.test\.ts/);
    log.error('failed', { error: new ApiError(409, { reason: 'Conflict', message: 'modified' }) });
    assert.deepEqual(lines[1]!['error'], { name: 'ApiError', message: 'modified', code: 409, reason: 'Conflict' });
    log.error('failed', { error: new AggregateError([refused, refused], 'all failed') });
    assert.equal((lines[2]!['error'] as { errors: unknown[] }).errors.length, 2);
  });

  it('names an object of the cluster and prints nothing of it', () => {
    const { log, raw } = setUp();
    const secret = { kind: 'Secret', metadata: { name: 's', namespace: 'n' }, data: { password: 'aHVudGVyMg==' } };
    log.warn('saw', { object: secret, list: [secret] });
    assert.match(raw[0]!, /"object":"Secret n\/s","list":\["Secret n\/s"\]/);
  });

  it('leaves out what is secret by its name or by its looks', () => {
    const { log, raw } = setUp();
    log.warn('saw', {
      token: 'abc123',
      headers: { Authorization: 'Bearer abc123', accept: '*/*' },
      error: new Error('refused with Bearer abc123 in it'),
      pem: '-----BEGIN RSA PRIVATE KEY-----\nabc123\n-----END RSA PRIVATE KEY-----\nafter',
      cut: 'x -----BEGIN PRIVATE KEY-----\nabc123',
    });
    assert.equal(raw[0]!.includes('abc123'), false);
    assert.equal(raw[0]!.includes('after'), true);
  });

  it('is bounded and survives anything: loops, depth, length, odd values', () => {
    const { log, raw, lines } = setUp();
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    const error = new Error('again');
    error.cause = error;
    log.warn('odd', {
      loop,
      error,
      big: 10n,
      nan: NaN,
      fn: () => 1,
      many: Array.from({ length: 1_000 }, (_, i) => i),
      long: 'x'.repeat(1e6),
    });
    assert.ok(raw[0]!.length < 40_000);
    assert.equal((lines[0]!['many'] as unknown[]).at(-1), '… 980 more');
    assert.equal(lines[0]!['big'], '10');
  });

  it('goes to a pipe once a turn, in order, and at once where the process may end', async () => {
    const written: string[] = [];
    const target = new Writable({
      write(chunk: Buffer, _, done) {
        written.push(chunk.toString().replaceAll(/.*"message":"(\w+)".*\n/g, '$1 '));
        done();
      },
    });
    const log = createLogger('info', new BatchedWrites(target));
    log.info('one');
    log.info('two');
    assert.deepEqual(written, []);
    log.error('three');
    assert.deepEqual(written, ['one two three ']);
    log.info('four');
    log.info('five');
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(written, ['one two three ', 'four five ']);
  });
});
