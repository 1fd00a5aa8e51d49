// The trace of a release: its ids, whether it is recorded, and what is read from a record that anybody may have edited.
import assert from 'node:assert/strict';
import { newTrace, parseTraceparent, readTrace, spanIdOf } from '../../../src/engine/trace/trace.ts';
import { rows, sha256 } from '../build.ts';

const A = 'a'.repeat(32);
const B = 'b'.repeat(16);

describe('a traceparent', () => {
  const table: readonly (readonly [what: string, text: string | undefined, sampled: boolean | undefined])[] = [
    ['is recorded', `00-${A}-${B}-01`, true],
    ['is not', `00-${A}-${B}-00`, false],
    ['is recorded by its lowest bit', `00-${A}-${B}-03`, true],
    ['is not by another', `00-${A}-${B}-02`, false],
    ['is none when absent', undefined, undefined],
    ['is none of another version', `01-${A}-${B}-01`, undefined],
    ['is none without a trace', `00-${'0'.repeat(32)}-${B}-01`, undefined],
    ['is none without a span', `00-${A}-${'0'.repeat(16)}-01`, undefined],
    ['is none in capitals', `00-${A.toUpperCase()}-${B}-01`, undefined],
    ['is none with more behind it', `00-${A}-${B}-01-x`, undefined],
    ['is none that is short', `00-${A}-bbbb-01`, undefined],
  ];
  rows(table, (text, sampled) => {
    assert.deepEqual(parseTraceparent(text), sampled === undefined ? undefined : { traceId: A, spanId: B, sampled });
  });
});

describe('a new trace', () => {
  const made = (ratio: number, parentBased = true, parent?: boolean, facts = ['uid', 'r2']) =>
    newTrace(
      facts,
      { ratio, parentBased, admitted: 'now' },
      parent === undefined ? undefined : { traceId: A, spanId: B, sampled: parent },
      sha256,
    );
  const sampled = (...args: Parameters<typeof made>): boolean | undefined =>
    parseTraceparent(made(...args).traceparent)?.sampled;

  it('has the same ids for the same facts, and others for others', () => {
    assert.deepEqual(made(1), made(1));
    assert.notEqual(made(1).traceparent, made(1, true, undefined, ['uid', 'r3']).traceparent);
    assert.ok(parseTraceparent(made(1).traceparent));
    assert.deepEqual([made(1).admitted, made(1).parent], ['now', undefined]);
  });

  it('is in the trace of whoever asked for it', () => {
    const { traceparent, parent } = made(1, true, true);
    assert.deepEqual([parseTraceparent(traceparent)?.traceId, parent], [A, B]);
    assert.equal(parseTraceparent(traceparent)?.spanId, spanIdOf(sha256, 'release', A, 'uid', 'r2'));
  });

  it('is recorded as the ratio says, or as whoever asked for it', () => {
    assert.deepEqual([sampled(1), sampled(0)], [true, false]);
    assert.deepEqual([sampled(0, true, true), sampled(1, true, false)], [true, false], 'they say so');
    assert.deepEqual([sampled(0, false, true), sampled(1, false, false)], [false, true], 'they are not asked');
  });

  it('is recorded by the id alone, as OpenTelemetry does', () => {
    const of = (last: string, ratio: number): boolean | undefined => {
      const parent = { traceId: `${A.slice(0, 19)}${last}`, spanId: B, sampled: false };
      return parseTraceparent(newTrace([], { ratio, parentBased: false, admitted: '' }, parent, sha256).traceparent)
        ?.sampled;
    };
    assert.deepEqual([of('7ffffffffffff', 0.5), of('8000000000000', 0.5)], [true, false]);
    const share = Array.from({ length: 1_000 }, (_, i) => sampled(0.25, true, undefined, [`${i}`])).filter(
      Boolean,
    ).length;
    assert.ok(share > 200 && share < 300, `${share}`);
  });
});

describe('the trace in a record', () => {
  const good = { traceparent: `00-${A}-${B}-01`, admitted: '2026-01-01T12:00:00.000Z' };
  const table: readonly (readonly [what: string, value: unknown, read: object | undefined])[] = [
    ['is read', good, good],
    ['is read with its parent', { ...good, parent: B }, { ...good, parent: B }],
    ['is read without what is no parent', { ...good, parent: 'x' }, good],
    ['is read without anything else', { ...good, more: 1 }, good],
    ['is none without ids', { ...good, traceparent: 'x' }, undefined],
    ['is none with ids of another kind', { ...good, traceparent: 7 }, undefined],
    ['is none without a time', { ...good, admitted: undefined }, undefined],
    ['is none with a time of another form', { ...good, admitted: '2026-01-01T12:00:00Z' }, undefined],
    ['is none when absent', undefined, undefined],
    ['is none when null', null, undefined],
    ['is none when it is a text', 'x', undefined],
  ];
  rows(table, (value, read) => assert.deepEqual(readTrace(value), read));
});
