import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Span } from '../../src/engine/trace/spans.ts';
import { silent } from '../../src/kube/log.ts';
import { startSpanSender, type SpanSender } from '../../src/telemetry/tracing.ts';
import { startCollector } from '../main/collector.ts';

const spans = (count: number): Span[] =>
  Array.from({ length: count }, (_, index) => ({
    traceId: 'a'.repeat(32),
    spanId: index.toString(16).padStart(16, '0'),
    parentId: 'f'.repeat(16),
    name: `span ${index}`,
    startMs: 1_700_000_000_250,
    endMs: 1_700_000_060_000,
    attributes: { 'tranche.step': 1, 'tranche.rollout': 'web' },
    events: [{ name: 'approved', atMs: 1_700_000_030_000, attributes: { user: 'ann' } }],
  }));

interface Sending {
  readonly sender: SpanSender;
  readonly dropped: Record<string, number>;
  readonly warnings: { message: string; fields: unknown }[];
}

async function sending(url: string): Promise<Sending> {
  const dropped: Record<string, number> = {};
  const warnings: Sending['warnings'] = [];
  const sender = await startSpanSender(
    { url: new URL(`${url}/v1/traces`), headers: { authorization: 's3cret' }, resource: { 'service.name': 'tranche' } },
    {
      version: '1.2.3',
      logger: { ...silent, warn: (message, fields) => void warnings.push({ message, fields }) },
      onDropped: (why, count) => (dropped[why] = (dropped[why] ?? 0) + count),
    },
  );
  return { sender, dropped, warnings };
}

const listen = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });

const end = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    // In this order: what is tried again must find nobody.
    server.close(() => resolve());
    server.closeAllConnections();
  });

describe('the sender of spans', () => {
  it('sends them to the nanosecond that OTLP wants, with its name and version', async () => {
    const collector = await startCollector();
    const { sender, dropped } = await sending(collector.url);
    sender.emit(spans(2));
    await sender.stop();
    await collector.close();
    const [first] = collector.spans;
    assert.deepEqual(
      collector.spans.map(({ name }) => name),
      ['span 0', 'span 1'],
    );
    assert.equal(first?.parentSpanId, 'f'.repeat(16));
    assert.equal(first.startTimeUnixNano, '1700000000250000000');
    assert.equal(first.endTimeUnixNano, '1700000060000000000');
    assert.deepEqual(first.attributes, { 'tranche.step': 1, 'tranche.rollout': 'web' });
    assert.deepEqual(first.resource, { 'service.name': 'tranche', 'service.version': '1.2.3' });
    assert.equal(collector.headers[0]?.authorization, 's3cret');
    assert.deepEqual(dropped, {});
  });

  it('drops what does not fit, and ends though a collector takes it and never answers', async () => {
    const server = createServer(() => undefined);
    const url = await listen(server);
    const { sender, dropped } = await sending(url);
    sender.emit(spans(3_000));
    assert.equal(dropped['full'], 3_000 - 2_048);
    await sender.stop();
    assert.equal(dropped['failed'], 2_048);
    await end(server);
  });

  it('says once that a collector turns it away, without what it was told', async () => {
    const server = createServer((_request, response) => response.writeHead(401).end('s3cret is not known here'));
    const url = await listen(server);
    const { sender, dropped, warnings } = await sending(url);
    sender.emit(spans(300));
    await sender.stop();
    assert.equal(dropped['failed'], 300);
    assert.deepEqual(
      warnings.map(({ message }) => message),
      ['cannot send traces; they are dropped'],
    );
    await end(server);
  });
});
