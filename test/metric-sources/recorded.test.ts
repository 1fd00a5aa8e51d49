// Answers of a real Prometheus 2.42, recorded: a machine without one tests the client, too.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { readAnswer } from '../../src/metric-sources/prometheus.ts';
import type { Series } from '../../src/metric-sources/source.ts';

const folder = new URL('recorded/', import.meta.url);
const recorded = (name: string): { status: number; body: string } =>
  JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as { status: number; body: string };

const START = 1_700_000_000_000;
/** By the name of the Pod: the values every 30 seconds. */
function read(name: string): unknown {
  const { status, body } = recorded(name);
  const answer = readAnswer(status, body);
  if ('unknown' in answer) return answer.unknown;
  return (answer as readonly Series[]).map(({ pod, samples }) => [
    pod ?? '-',
    ...Array.from({ length: 6 }, (_, index) => samples.get(START + 30_000 * index)),
  ]);
}

describe('a recorded answer', () => {
  const none = undefined;
  const cases: Readonly<Record<string, unknown>> = {
    counters: [
      ['web-v1-b', 0, 50, 100, 150, 0, 250],
      ['web-v2-a', 0, 100, 200, 303, 404, 505],
    ],
    // The counter of errors begins with 3.
    'bad-counters': [['web-v2-a', none, none, none, 3, 4, 5]],
    'one-number': [['-', 0, 150, 300, 453, 404, 755]],
    'several-series': 'the answer has two series for one Pod',
    nothing: [],
    'not-a-number': [['-', NaN, NaN, NaN, NaN, NaN, NaN]],
    infinite: [['-', NaN, Infinity, Infinity, Infinity, Infinity, Infinity]],
    'bad-query': 'the source answered 400 with bad_data',
    'bad-range': 'the source answered 400 with bad_data',
  };
  for (const [name, expected] of Object.entries(cases))
    it(`of ${name} is read`, () => assert.deepEqual(read(name), expected));

  it('has a case each', () =>
    assert.deepEqual(
      readdirSync(folder).sort(),
      Object.keys(cases)
        .map((name) => `${name}.json`)
        .sort(),
    ));
});
