// How a step starts, what it waits for before, and how the steps end.
import assert from 'node:assert/strict';
import { enterNext, finish, jumpOf, setState, startStep } from '../../../src/engine/steps/enter.ts';
import type { Run } from '../../../src/engine/steps/run.ts';
import { openGate, type Gate } from '../../../src/engine/policy/gate.ts';
import { formatTime } from '../../../src/engine/lib/time.ts';
import { atStep, condition, NOW, rollout, runOf, stage, type StatusSketch } from '../build.ts';

const OPENS = NOW + 3_600_000;
const closed: Gate = {
  ...openGate,
  blocked: { reason: 'WindowClosed', message: 'policy p is closed', opensAt: OPENS },
};

const run = (
  index: number,
  status: StatusSketch = {},
  gate: Gate | undefined = undefined,
  state: Parameters<typeof atStep>[1] = 'StepReady',
): Run =>
  runOf({
    rollout: rollout({ status: atStep(index, state, status) }),
    ...stage({ updated: 2 }),
    ...(gate && { gate }),
  });
const told = ({ events }: Run): string[] => events.map(({ reason, message }) => `${reason} ${message}`);
const where = ({ draft }: Run): string => `${draft.canary?.currentStepIndex} ${draft.canary?.currentStepState}`;

describe('a step that waits to start', () => {
  it('starts, and is noted with its time', () => {
    const started = run(1, {}, undefined, 'BeforeStepUpgrade');
    assert.deepEqual(startStep(started), {});
    assert.equal(where(started), '1 StepUpgrade');
    assert.equal(started.draft.canary?.lastUpdateTime, formatTime(NOW));
    assert.deepEqual(told(started), ['StepStarted step 1/3: updating 2 of 10 Pods']);
    assert.deepEqual(started.draft.history[0]?.steps, [{ step: 1, time: formatTime(NOW) }]);
  });

  it('waits until its policy opens, says so once, and knows when to look again', () => {
    const first = run(1, {}, closed, 'BeforeStepUpgrade');
    assert.deepEqual(startStep(first), { againAtMs: OPENS });
    assert.equal(where(first), '1 BeforeStepUpgrade');
    assert.deepEqual(told(first), ['PolicyBlocked step 1/3 waits: policy p is closed']);
    const known = { conditions: [condition('PolicyBlocked', 'True', 'WindowClosed')] };
    const again = run(1, known, closed, 'BeforeStepUpgrade');
    startStep(again);
    assert.deepEqual(told(again), []);
  });

  it('drops the condition when its policy is open', () => {
    const open = run(1, { conditions: [condition('PolicyBlocked', 'True', 'WindowClosed')] });
    startStep(open);
    assert.deepEqual(
      open.draft.conditions.filter(({ type }) => type === 'PolicyBlocked'),
      [],
    );
  });
});

describe('the step after this one', () => {
  it('is reported in one event with the end of the step before', () => {
    const done = run(1);
    done.events.push({ reason: 'StepCompleted', message: 'step 1/3: 2 Pods updated and available' });
    enterNext(done);
    assert.deepEqual(told(done), [
      'StepStarted step 1/3: 2 Pods updated and available; step 2/3: updating 5 of 10 Pods',
    ]);
  });

  for (const [what, status, expected] of [
    ['is the next', {}, '2 StepUpgrade'],
    ['is the one that somebody chose', { canary: { nextStepIndex: 3 } }, '3 StepUpgrade'],
    ['is the same one again, if that was chosen', { canary: { nextStepIndex: 1 } }, '1 StepUpgrade'],
    ['is the next, where the chosen one does not exist', { canary: { nextStepIndex: 9 } }, '2 StepUpgrade'],
    ['is this one, which was approved before its start', { canary: { grantedReplicas: 0 } }, '1 StepUpgrade'],
  ] as const)
    it(what, () => {
      const next = run(1, status);
      assert.deepEqual(enterNext(next), {});
      assert.equal(where(next), expected);
    });

  it('is none after the last: the workload is given back', () => {
    const last = run(3, { canary: { nextStepIndex: -1 } });
    enterNext(last);
    assert.equal(where(last), '3 Completed');
  });

  it('waits for its policy, and the approval is not lost', () => {
    const blocked = run(1, {}, closed);
    assert.deepEqual(enterNext(blocked), { againAtMs: OPENS });
    assert.equal(where(blocked), '1 StepReady');
  });

  it('keeps the updated Pods beyond its size after a jump back', () => {
    const back = run(2, { canary: { nextStepIndex: 1 } });
    enterNext(back);
    assert.deepEqual([where(back), back.draft.canary?.keepsReplicas], ['1 StepUpgrade', true]);
  });
});

describe('a step that is not the usual next one', () => {
  for (const [next, expected] of [
    [2, 0],
    [3, 3],
    [1, 1],
    [0, 0],
    [-1, 0],
    [4, 0],
  ] as const)
    it(`is ${expected} where nextStepIndex is ${next}`, () =>
      assert.equal(jumpOf(run(1, { canary: { nextStepIndex: next } })), expected));
});

describe('the end of the steps', () => {
  it('is a state, a condition and a message', () => {
    const done = run(3);
    finish(done);
    assert.equal(where(done), '3 Completed');
    assert.match(done.draft.message, /^finishing natively/);
    const progressing = done.draft.conditions.find(({ type }) => type === 'Progressing');
    assert.deepEqual(
      [progressing?.reason, progressing?.message],
      ['Finalising', 'the steps are done, the Deployment is given back'],
    );
  });

  it('sets the time of a state', () => {
    const { draft } = run(1);
    setState(draft, 'StepPaused', NOW + 5_000);
    assert.deepEqual(
      [draft.canary?.currentStepState, draft.canary?.lastUpdateTime],
      ['StepPaused', formatTime(NOW + 5_000)],
    );
  });
});
