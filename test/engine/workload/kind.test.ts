// Moves: what one is as effects, and as a decision.
import assert from 'node:assert/strict';
import { act, decisionOf, effectsOf, wait, type Move } from '../../../src/engine/workload/kind.ts';
import { labelPod } from '../../../src/engine/workload/effects.ts';
import { brief, pod, rows } from '../build.ts';

const effect = labelPod(pod('v2-1'), { a: 'b' });

describe('a move', () => {
  const table: readonly (readonly [what: string, move: Move | undefined, decision: string])[] = [
    ['that writes is told', act([effect, labelPod(pod('v2-2'), {})]), 'label v2-1 | - | HoldReleased | children'],
    ['that waits is not', wait('Pods'), '- | - | - | children'],
    ['of nothing is not', act([]), '- | - | - | children'],
    ['that is done is not', { kind: 'Done' }, '- | - | - | children'],
  ];
  rows(table, (move, decision) => {
    assert.equal(brief(decisionOf(move, 'HoldReleased', 'because')), decision);
    assert.deepEqual(effectsOf(move), decisionOf(move, 'HoldReleased', 'because').effects);
  });

  it('that waits may be looked at again', () => {
    assert.deepEqual(wait('Pods', 7), { kind: 'Wait', waitsFor: 'Pods', againAtMs: 7 });
  });
});
