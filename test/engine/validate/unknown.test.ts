import assert from 'node:assert/strict';
import { rolloutV1beta1 } from '../../../src/api/schema/rollout.ts';
import { unknownFields } from '../../../src/engine/validate/unknown.ts';

const unknown = (spec: unknown): string[] => unknownFields({ spec }, rolloutV1beta1);

describe('unknown fields of a Rollout', () => {
  for (const [spec, text] of [
    [{ startegy: {} }, 'unknown field "spec.startegy": did you mean "strategy"?'],
    [{ strategy: { Canary: {} } }, 'unknown field "spec.strategy.Canary": did you mean "canary"?'],
    [{ strategy: { canary: { setps: [] } } }, 'unknown field "spec.strategy.canary.setps": did you mean "steps"?'],
    [
      { strategy: { canary: { steps: [{ replica: 1 }] } } },
      'unknown field "spec.strategy.canary.steps[0].replica": did you mean "replicas"?',
    ],
    [
      { strategy: { canary: { analyse: {} } } },
      'unknown field "spec.strategy.canary.analyse": did you mean "analysis"?',
    ],
  ] as const) {
    it(text, () => assert.deepEqual(unknown(spec), [text]));
  }

  it('are none among those of OpenKruise and ours, nor below maps', () => {
    const canary = { steps: [{ replicas: 1, matches: [{ headers: [{ name: 'a', value: 'b' }] }] }], onFailure: 'Hold' };
    assert.deepEqual(unknown({ strategy: { canary } }), []);
    assert.deepEqual(unknown({ strategy: { canary: { patchPodTemplateMetadata: { labels: { x: 'y' } } } } }), []);
  });

  it('are told a few at a time, whatever comes', () => {
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`field${i}`, 1]));
    assert.equal(unknown(many).length, 10);
    assert.deepEqual(unknown({ ['x'.repeat(1e5)]: 1 }).length, 1);
    assert.deepEqual(unknownFields('text', rolloutV1beta1), []);
  });
});
