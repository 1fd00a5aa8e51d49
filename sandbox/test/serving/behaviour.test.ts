// What a tag makes of a container that serves, and what a container counts.
import assert from 'node:assert/strict';
import { behaviourOf, usageOf } from '../../src/serving/behaviour.ts';
import { Requests } from '../../src/serving/requests.ts';

const USUAL = { errors: 0, delay: 0, leak: 0, hungry: 1 };
const MIB = 2 ** 20;

describe('the tag of an image', () => {
  for (const [image, expected] of [
    ['web', USUAL],
    ['web:1.2.3', USUAL],
    ['web:2026-11-29', USUAL],
    ['web:errors', { ...USUAL, problem: 'errors' }],
    ['web:errors-20', { ...USUAL, errors: 20 }],
    ['web:v2-errors-20-delay-50', { ...USUAL, errors: 20, delay: 50 }],
    ['registry:5000/web:v2-rc-1-leak-5-hungry-3@sha256:0f', { ...USUAL, leak: 5, hungry: 3 }],
    ['web:errors-100-v2', { ...USUAL, problem: 'errors' }],
    ['web:errors-101', { ...USUAL, problem: 'errors-101' }],
    ['web:delay-60001', { ...USUAL, problem: 'delay-60001' }],
    ['web:delay-050', { ...USUAL, problem: 'delay-050' }],
    ['web:delay-1e3', { ...USUAL, problem: 'delay-1e3' }],
    ['web:hungry-0', { ...USUAL, problem: 'hungry-0' }],
    ['web:errors-20-errors-0', { ...USUAL, problem: 'errors is given twice' }],
    ['web:errors-20-delay-x', { ...USUAL, problem: 'delay-x' }],
    ['web:constructor-1', USUAL],
  ] as const)
    it(`${image}: ${JSON.stringify(expected)}`, () => {
      const { behaviour, problem } = behaviourOf(image);
      const { problem: part, ...wanted } = { problem: undefined as string | undefined, ...expected };
      assert.deepEqual(behaviour, wanted);
      assert.equal(problem === undefined, part === undefined, problem);
      assert.ok(part === undefined || problem!.startsWith(`tag ${part}`), problem);
    });
});

describe('the usage of a container', () => {
  const of = (tag: string, minutes: number, requestsPerSecond = 0) =>
    usageOf(behaviourOf(`web:${tag}`).behaviour, { pod: 'web-1', runningMs: minutes * 60_000, requestsPerSecond });

  it('grows with the requests, with the time of a leak, and with the appetite', () => {
    assert.equal(of('1', 5).memoryBytes, of('1', 60).memoryBytes);
    assert.equal(of('leak-7', 5).memoryBytes - of('leak-7', 0).memoryBytes, 35 * MIB);
    assert.ok(Math.abs(of('hungry-3', 1).memoryBytes / of('1', 1).memoryBytes - 3) < 0.01);
    assert.ok(of('1', 1, 50).cpuNanocores > of('1', 1).cpuNanocores);
  });

  it('differs between Pods by 5 % at most', () => {
    const memory = ['web-1', 'web-2', 'web-x7'].map(
      (pod) => usageOf(USUAL, { pod, runningMs: 0, requestsPerSecond: 0 }).memoryBytes / MIB,
    );
    assert.equal(new Set(memory).size, 3);
    for (const value of memory) assert.ok(value >= 64 && value <= 64 * 1.05, `${value}`);
  });
});

describe('the requests of a container', () => {
  it('are written in Prometheus’ text format', () => {
    const requests = new Requests();
    requests.add(200, 3, 0);
    requests.add(200, 40, 0);
    requests.add(500, 20_000, 0);
    const text = requests.text(5 * MIB);
    for (const line of [
      'http_requests_total{code="200"} 2',
      'http_requests_total{code="500"} 1',
      'http_request_duration_seconds_bucket{le="0.005"} 1',
      'http_request_duration_seconds_bucket{le="0.025"} 1',
      'http_request_duration_seconds_bucket{le="0.05"} 2',
      'http_request_duration_seconds_bucket{le="10"} 2',
      'http_request_duration_seconds_bucket{le="+Inf"} 3',
      'http_request_duration_seconds_sum 20.043',
      'http_request_duration_seconds_count 3',
      'process_resident_memory_bytes 5242880',
    ])
      assert.ok(text.split('\n').includes(line), `${line} in\n${text}`);
    assert.ok(text.endsWith('\n'));
  });

  it('have the rate of the last full window', () => {
    const requests = new Requests();
    for (let i = 0; i < 30; i++) requests.add(200, 1, 15_000);
    assert.equal(requests.perSecond(29_999), 0);
    assert.equal(requests.perSecond(30_000), 2);
    assert.equal(requests.perSecond(45_000), 0);
  });
});
