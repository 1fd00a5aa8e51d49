// The rules about changes, plans and releases in flight.
import assert from 'node:assert/strict';
import type { ReleasePolicySpec, StepRules } from '../../../src/api/policy.ts';
import type { CanaryStep, Deployment } from '../../../src/api/types.ts';
import { judge } from '../../../src/engine/policy/policy.ts';
import {
  judgeChange,
  judgePlan,
  judgeProtection,
  judgeScaleToZero,
  type Change,
} from '../../../src/engine/policy/rules.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { createCalendar } from '../../../src/schedule/calendar.ts';
import { person, policy, rolloutOf } from './support.ts';

const calendar = createCalendar();
const MONDAY = Date.parse('2026-01-05T10:00:00Z');
const FROZEN: ReleasePolicySpec = {
  windows: { deny: [{ schedule: '0 9 * * MON', durationSeconds: 7200, reason: 'board meeting' }] },
};

describe('a template that changes', () => {
  const change = (spec: ReleasePolicySpec, more: Partial<Change> = {}): string[] =>
    judgeChange({
      policies: [policy('p', spec)],
      rollout: rolloutOf([{ replicas: 1 }, { replicas: '100%' }]),
      workload: 'web',
      replicas: 10,
      inFlight: 0,
      superseding: false,
      now: MONDAY,
      calendar,
      ...more,
    }).map(sentence);

  it('needs a Rollout where one is required', () => {
    const spec = { requireRollout: true };
    assert.deepEqual(change(spec), []);
    assert.deepEqual(change(spec, { rollout: undefined }), [
      'spec.template: Forbidden: policy p requires a Rollout, and this change would be rolled out without steps; ' +
        'create a Rollout whose workloadRef names Deployment web first',
    ]);
    assert.match(change(spec, { rollout: undefined, bypass: 'it is disabled' }).join(), /\(it is disabled\)/);
    assert.deepEqual(change({}, { rollout: undefined }), []);
  });

  it('waits for a window, with a Rollout and without', () => {
    const refusal =
      'spec.template: Forbidden: policy p is closed until 2026-01-05T11:00:00Z (board meeting); ' +
      'try again after 2026-01-05T11:00:00Z';
    assert.deepEqual(change(FROZEN), [refusal]);
    assert.deepEqual(change(FROZEN, { rollout: undefined }), [refusal]);
    assert.deepEqual(change(FROZEN, { now: MONDAY + 3_600_000 }), []);
  });

  it('is not one release too many', () => {
    const spec = { maxConcurrentReleases: 2 };
    assert.deepEqual(change(spec, { inFlight: 1 }), []);
    assert.match(
      change(spec, { inFlight: 2 }).join(),
      /policy p allows 2 releases at a time in this namespace \(running: 2\)/,
    );
    assert.deepEqual(
      change(spec, { inFlight: 2, superseding: true }),
      [],
      'a newer version takes the place of the one before',
    );
  });

  it('is judged by its steps at the size there is, whenever the Rollout was made', () => {
    assert.match(change({ steps: { maxFirstStep: '10%' } }, { replicas: 5 }).join(), /^$/, 'one Pod is always allowed');
    const rollout = rolloutOf([{ replicas: 2 }]);
    assert.match(
      change({ steps: { maxFirstStep: '10%' } }, { rollout }).join(),
      /steps\[0\]\.replicas: Invalid value: 2: must be at most 10% in the first step/,
    );
  });
});

describe('the steps of a Rollout', () => {
  const steps = (...list: (number | string | CanaryStep)[]): CanaryStep[] =>
    list.map((one) => (typeof one === 'object' ? one : { replicas: one }));
  const timed = (replicas: number | string, duration: number): CanaryStep => ({ replicas, pause: { duration } });
  const table: readonly (readonly [StepRules, CanaryStep[], number | undefined, RegExp | undefined])[] = [
    [{ maxFirstStep: '10%' }, steps('10%', '100%'), undefined, undefined],
    [
      { maxFirstStep: '10%' },
      steps('11%', '100%'),
      undefined,
      /^spec.strategy.canary.steps\[0\].replicas: Invalid value: "11%": must be at most 10% in the first step \(policy p\); write 10% or less$/,
    ],
    [{ maxFirstStep: '10%' }, steps(2, '100%'), undefined, undefined],
    [{ maxFirstStep: '10%' }, steps(2, '100%'), 10, /steps\[0\]/],
    [{ maxFirstStep: '10%' }, steps(1, '100%'), 3, undefined],
    [{ maxFirstStep: 1 }, steps('50%', '100%'), 10, /steps\[0\]/],
    [{ maxFirstStep: 1 }, steps(2, '100%'), undefined, /steps\[0\]/],
    [{ maxIncrement: '34%' }, steps('33%', '66%', '100%'), undefined, undefined],
    [
      { maxIncrement: '34%' },
      steps('33%', '68%', '100%'),
      undefined,
      /steps\[1\].replicas: Invalid value: "68%": must be at most 34% more than the step before/,
    ],
    [{ maxIncrement: '34%' }, steps('35%', '66%', '100%'), undefined, /steps\[0\]/],
    [
      { maxIncrement: '34%' },
      steps('33%', '60%'),
      undefined,
      /steps\[1\].replicas: Invalid value: "60%": must leave at most 34% of the Pods after the last step/,
    ],
    [{ maxIncrement: '50%' }, steps(5, '100%'), 10, undefined],
    [{ maxIncrement: '40%' }, steps(5, '100%'), 10, /steps\[0\]/],
    [
      { minSteps: 3 },
      steps(1, '100%'),
      undefined,
      /steps: Invalid value: 2: must have at least 3 steps \(policy p\); add steps/,
    ],
    [{ minSteps: 2 }, steps(1, '100%'), undefined, undefined],
    [
      { minPauseSeconds: 600 },
      [timed('10%', 599), timed('100%', 0)],
      undefined,
      /steps\[0\].pause.duration: Invalid value: 599: must be at least 600 seconds/,
    ],
    [{ minPauseSeconds: 600 }, [timed('10%', 600), timed('100%', 0)], undefined, undefined],
    [{ minPauseSeconds: 600 }, steps('10%', '100%'), undefined, undefined],
    [
      { manual: 'First' },
      [timed('10%', 5), { replicas: '50%' }, { replicas: '100%' }],
      undefined,
      /steps\[0\].pause.duration: Invalid value: 5: must not be set: this step must wait for approval/,
    ],
    [{ manual: 'First' }, [{ replicas: '10%' }, timed('50%', 5), { replicas: '100%' }], undefined, undefined],
    [{ manual: 'Last' }, [timed('10%', 5), timed('50%', 5), { replicas: '100%' }], undefined, /steps\[1\]/],
    [{ manual: 'Last' }, [timed('10%', 5), { replicas: '50%' }, { replicas: '100%' }], undefined, undefined],
    [{ manual: 'Last' }, [timed('10%', 5), timed('50%', 5)], undefined, /steps\[1\]/],
    [
      { manual: 'FirstAndLast' },
      [{ replicas: '10%' }, timed('20%', 5), { replicas: '50%' }, { replicas: '100%' }],
      undefined,
      undefined,
    ],
    [{ manual: 'All' }, [{ replicas: '10%' }, timed('20%', 5), { replicas: '100%' }], undefined, /steps\[1\]/],
    [{ manual: 'All' }, steps('100%'), undefined, /updates all Pods in one step/],
    [{ manual: 'None' }, steps('100%'), undefined, undefined],
  ];
  for (const [rules, list, replicas, expected] of table) {
    const size = replicas === undefined ? 'at an unknown size' : `of ${replicas} Pods`;
    it(`${JSON.stringify(list)} ${size}: ${expected ? 'not allowed' : 'allowed'} by ${JSON.stringify(rules)}`, () => {
      const found = judgePlan([policy('p', { steps: rules })], rolloutOf(list), replicas).map(sentence);
      if (expected === undefined) assert.deepEqual(found, []);
      else assert.match(found.join('\n'), expected);
    });
  }

  it('are judged by the strictest of several policies', () => {
    const policies = [policy('a', { steps: { maxFirstStep: '20%' } }), policy('b', { steps: { maxFirstStep: '10%' } })];
    const { denied } = judge(judgePlan(policies, rolloutOf(steps('30%', '100%')), undefined), person());
    assert.deepEqual(
      denied.map(({ remedy }) => remedy),
      ['write 10% or less'],
    );
  });
});

describe('a release in flight', () => {
  const policies = [policy('p', { protectInFlight: true })];
  const plan: CanaryStep[] = [{ replicas: 1 }, { replicas: '50%', pause: { duration: 60 } }, { replicas: '100%' }];
  const old = rolloutOf(plan, { currentStepIndex: 2, currentStepState: 'StepUpgrade' });
  const edited = (steps: CanaryStep[], spec: object = {}) => ({ ...old, spec: { ...rolloutOf(steps).spec, ...spec } });
  const fields = (next: typeof old | undefined, from = old): string[] =>
    judgeProtection(policies, from, next, undefined).map(({ field }) => field);

  it('may not lose its Rollout', () => {
    assert.match(
      judgeProtection(policies, old, undefined, undefined).map(sentence).join(),
      /metadata.name: Forbidden: Rollout demo cannot be deleted during its release \(policy p protects releases in progress\); wait/,
    );
    assert.deepEqual(fields(edited(plan, { disabled: true })), ['spec.disabled']);
  });

  for (const [what, steps, expected] of [
    [
      'a shorter wait',
      [plan[0]!, { replicas: '50%', pause: { duration: 59 } }, plan[2]!],
      ['spec.strategy.canary.steps[1].pause.duration'],
    ],
    [
      'a wait of 0 instead of approval',
      [plan[0]!, plan[1]!, { replicas: '100%', pause: { duration: 0 } }],
      ['spec.strategy.canary.steps[2].pause.duration'],
    ],
    ['more Pods', [plan[0]!, { ...plan[1]!, replicas: '60%' }, plan[2]!], ['spec.strategy.canary.steps[1].replicas']],
    [
      'a number for a percent',
      [plan[0]!, { ...plan[1]!, replicas: 9 }, plan[2]!],
      ['spec.strategy.canary.steps[1].replicas'],
    ],
    ['fewer steps', [plan[0]!, plan[1]!], ['spec.strategy.canary.steps']],
    ['a longer wait', [plan[0]!, { replicas: '50%', pause: { duration: 61 } }, plan[2]!], []],
    ['approval instead of time', [plan[0]!, { replicas: '50%' }, plan[2]!], []],
    ['a step that is past', [{ replicas: 1, pause: { duration: 0 } }, plan[1]!, plan[2]!], []],
  ] as const) {
    it(`${expected.length > 0 ? 'may not get' : 'may get'} ${what}`, () => {
      assert.deepEqual(fields(edited([...steps])), expected);
    });
  }

  it('is in flight as soon as the Deployment’s record says so, whatever the status says', () => {
    const held = { metadata: { name: 'web', annotations: { 'tranche.dev/held': '{' } } } as unknown as Deployment;
    const idle = rolloutOf(plan);
    assert.deepEqual(judgeProtection(policies, idle, undefined, undefined), []);
    assert.deepEqual(
      judgeProtection(policies, idle, undefined, held).map(({ field }) => field),
      ['metadata.name'],
    );
    assert.deepEqual(judgeScaleToZero(policies, idle, held).length, 1);
  });

  it('may not lose its finalizer, nor get an owner that could take it along', () => {
    const finalizers = ['rollouts.kruise.io/rollout'];
    const hooked = { ...old, metadata: { ...old.metadata, finalizers } };
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'x' };
    assert.deepEqual(fields({ ...hooked, metadata: { ...old.metadata, finalizers: [] } }, hooked), [
      'metadata.finalizers',
    ]);
    const owned = { ...hooked, metadata: { ...hooked.metadata, ownerReferences: [ref] } };
    assert.deepEqual(fields(owned, hooked), ['metadata.ownerReferences']);
    assert.deepEqual(fields({ ...hooked, metadata: { ...hooked.metadata, labels: { a: 'b' } } }, hooked), []);
  });

  it('may get a shorter wait in the step that waits: that is an approval', () => {
    const waiting = rolloutOf(plan, { currentStepIndex: 2, currentStepState: 'StepPaused' });
    assert.deepEqual(fields(edited([plan[0]!, { replicas: '50%', pause: { duration: 0 } }, plan[2]!]), waiting), []);
  });

  it('is not protected without the rule, nor when there is none', () => {
    assert.deepEqual(judgeProtection([policy('p', {})], old, undefined, undefined), []);
    assert.deepEqual(fields(undefined, rolloutOf(plan)), []);
  });

  it('may not be scaled to nothing', () => {
    assert.match(
      judgeScaleToZero(policies, old, undefined).map(sentence).join(),
      /spec.replicas: Invalid value: 0: must be at least 1 during a release/,
    );
    assert.deepEqual(judgeScaleToZero(policies, rolloutOf(plan), undefined), []);
    assert.deepEqual(judgeScaleToZero(policies, undefined, undefined), []);
  });
});
