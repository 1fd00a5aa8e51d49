// Checks of writes to a Rollout's status: the fields that each user may change.
import assert from 'node:assert/strict';
import type { Rollout, RolloutStatus } from '../../../src/api/types.ts';
import { isApproval, restoreDropped, validateStatusWrite } from '../../../src/engine/validate/status.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { steps } from './support.ts';

describe('the status of a Rollout, written by somebody else than the operator', () => {
  const status: RolloutStatus = {
    observedGeneration: 1,
    phase: 'Progressing',
    currentStepIndex: 1,
    currentStepState: 'StepPaused',
    conditions: [{ type: 'Progressing', status: 'True', lastUpdateTime: '2026-11-23T12:00:00Z' }],
    canaryStatus: {
      podTemplateHash: 'abc',
      canaryReplicas: 1,
      canaryReadyReplicas: 0,
      currentStepIndex: 1,
      nextStepIndex: 2,
      currentStepState: 'StepPaused',
      finalisingStep: '',
      approvals: [{ step: 1, rolloutID: 'r', revision: 'abc', user: 'alice', time: '2026-11-23T12:00:00Z' }],
    },
    history: [{ rolloutID: 'q', revision: 'x', startTime: '2026-11-22T12:00:00Z' }],
  };
  const waiting: Rollout = { ...steps(1, '50%', '100%'), status };
  const write = (next: unknown): string[] =>
    validateStatusWrite(waiting, { ...waiting, status: next as RolloutStatus }).map(sentence);
  const inCanary = (fields: object): unknown => ({ ...status, canaryStatus: { ...status.canaryStatus, ...fields } });

  it('may approve a step that waits, with or without the mirror, and may jump', () => {
    assert.deepEqual(write(status), []);
    assert.deepEqual(write(inCanary({ currentStepState: 'StepReady' })), []);
    assert.deepEqual(
      write({ ...(inCanary({ currentStepState: 'StepReady' }) as object), currentStepState: 'StepReady' }),
      [],
    );
    assert.deepEqual(write(inCanary({ nextStepIndex: 3 })), []);
  });

  it('may say nothing in the ways that typed clients say nothing', () => {
    assert.deepEqual(
      write({ ...(inCanary({ message: '', lastUpdateTime: null, finalisingStep: undefined }) as object), message: '' }),
      [],
    );
  });

  it('may change nothing else', () => {
    const remedy = 'keep it; to approve a step, set only status.canaryStatus.currentStepState to StepReady';
    const only = 'Forbidden: only the operator writes this field';
    assert.deepEqual(write({ ...status, phase: 'Healthy' }), [`status.phase: ${only}; ${remedy}`]);
    assert.deepEqual(write(inCanary({ canaryReplicas: 9 })), [
      `status.canaryStatus.canaryReplicas: ${only}; ${remedy}`,
    ]);
    assert.deepEqual(write({ ...status, history: [] }), [`status.history: ${only}; ${remedy}`]);
    assert.match(
      write(inCanary({ approvals: [{ step: 2 }] })).join(),
      /^status\.canaryStatus\.approvals: Forbidden: only the operator writes this field/,
    );
    assert.deepEqual(write({ ...status, currentStepState: 'StepReady' }), [
      `status.currentStepState: ${only}; ${remedy}`,
    ]);
    assert.deepEqual(write(undefined).length > 3, true);
  });

  it('may not approve what does not wait, nor jump to a step that is not there', () => {
    const upgrading: Rollout = { ...waiting, status: inCanary({ currentStepState: 'StepUpgrade' }) as RolloutStatus };
    const approve = { ...upgrading, status: inCanary({ currentStepState: 'StepReady' }) as RolloutStatus };
    assert.deepEqual(validateStatusWrite(upgrading, approve).map(sentence), [
      'status.canaryStatus.currentStepState: Invalid value: "StepReady": step 1 of 3 is in state StepUpgrade; write StepReady when the state is StepPaused or StepMetricsAnalysis',
    ]);
    const idle = steps(1);
    const early = { ...idle, status: { canaryStatus: { currentStepState: 'StepReady' } } as unknown as RolloutStatus };
    assert.match(
      validateStatusWrite(idle, early).map(sentence).join('\n'),
      /Invalid value: "StepReady": no release is in progress/,
    );
    assert.deepEqual(write(inCanary({ currentStepState: 'Completed' })), [
      'status.canaryStatus.currentStepState: Invalid value: "Completed": only the operator writes this state; write StepReady when the state is StepPaused or StepMetricsAnalysis',
    ]);
    for (const jump of [0, 4, -1, 1.5]) {
      assert.deepEqual(write(inCanary({ nextStepIndex: jump })), [
        `status.canaryStatus.nextStepIndex: Invalid value: ${jump}: must be the number of a step; write 1 to 3`,
      ]);
    }
  });

  it('gets back what a client that does not know our fields has dropped', () => {
    const { history: _, canaryStatus, ...known } = status;
    const { approvals: __, ...canaryKnown } = canaryStatus ?? {};
    const sent = { ...known, canaryStatus: { ...canaryKnown, currentStepState: 'StepReady' } };
    assert.deepEqual(restoreDropped(status, sent), inCanary({ currentStepState: 'StepReady' }));
    assert.deepEqual(restoreDropped(undefined, sent), sent);
  });

  it('keeps what the checks say, whatever it writes', () => {
    const analysis = [
      { name: 'errors', verdict: 'Worse', since: '2026-11-23T12:00:00Z', total: 100, bad: 9 },
      { name: 'queue', verdict: 'Open', since: '2026-11-23T12:00:00Z' },
    ] as const;
    const judged = inCanary({ analysis }) as RolloutStatus;
    const after = (next: unknown): string[] =>
      validateStatusWrite({ ...waiting, status: judged }, { ...waiting, status: next as RolloutStatus }).map(sentence);
    assert.deepEqual(restoreDropped(judged, inCanary({ currentStepState: 'StepReady' })), {
      ...judged,
      canaryStatus: { ...judged.canaryStatus, currentStepState: 'StepReady' },
    });
    const refusal =
      'status.canaryStatus.analysis: Forbidden: only the operator writes this field; ' +
      'keep it; to approve a step, set only status.canaryStatus.currentStepState to StepReady';
    const [errors, queue] = analysis;
    for (const changed of [
      [queue],
      [queue, errors],
      [{ ...errors, verdict: 'Fine' }, queue],
      [{ ...errors, acceptedBy: ['alice'] }, queue],
      [errors, queue, { ...queue, name: 'x' }],
    ]) {
      // A list is not merged: what is missing in it is a change.
      const mended = restoreDropped(judged, inCanary({ analysis: changed, currentStepState: 'StepReady' }));
      assert.deepEqual(after(mended), [refusal]);
    }
    assert.deepEqual(after(inCanary({ analysis: [] })), [refusal]);
    assert.deepEqual(write(inCanary({ analysis })), [refusal], 'there was none');
  });

  it('does not get zero values in fields that it has not', () => {
    const [first, ...others] = status.history ?? [];
    const sent = {
      ...(inCanary({ currentStepState: 'StepReady', restores: '' }) as object),
      history: [{ ...first, endTime: '', bypassed: '' }, ...others],
    };
    assert.deepEqual(restoreDropped(status, sent), inCanary({ currentStepState: 'StepReady' }));
  });

  it('lets a step go on by its state, or by the step that follows, and by nothing else', () => {
    const approves = (canary: object): boolean =>
      isApproval(waiting, { ...waiting, status: inCanary(canary) as RolloutStatus });
    assert.deepEqual(
      [{ currentStepState: 'StepReady' }, { nextStepIndex: 3 }, { canaryReplicas: 5 }, {}].map(approves),
      [true, true, false, false],
    );
  });
});
