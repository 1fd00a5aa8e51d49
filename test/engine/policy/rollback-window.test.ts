// The rule about rollbackWindow: the limits of several policies, and the findings about a Rollout.
import assert from 'node:assert/strict';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { RollbackWindow, Rollout } from '../../../src/api/types.ts';
import { isWider, judgeWindow, windowLimits } from '../../../src/engine/policy/rollback-window.ts';
import { judgeProtection } from '../../../src/engine/policy/rules.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { rows } from '../build.ts';
import { policy, rolloutOf } from './support.ts';

const withWindow = (rollbackWindow: RollbackWindow | undefined): Rollout => {
  const rollout = rolloutOf([{ replicas: 1 }, { replicas: '100%' }], {});
  const canary = { ...rollout.spec.strategy.canary, ...(rollbackWindow && { rollbackWindow }) };
  return { ...rollout, spec: { ...rollout.spec, strategy: { canary } } };
};
const rule = (rollbackWindow: ReleasePolicySpec['rollbackWindow']): ReleasePolicySpec => ({
  ...(rollbackWindow && { rollbackWindow }),
});

describe('the limits of rollbackWindow', () => {
  const table: readonly (readonly [what: string, specs: ReleasePolicySpec[], limits: object])[] = [
    ['are none without a policy', [], { revisions: Infinity, seconds: Infinity }],
    ['are those of the policy', [rule({ maxRevisions: 2 })], { revisions: 2, seconds: Infinity }],
    [
      'are the smallest of several',
      [rule({ maxRevisions: 2, maxSeconds: 60 }), rule({ maxRevisions: 0 }), {}],
      { revisions: 0, seconds: 60 },
    ],
    [
      'are not those of a policy that warns',
      [{ enforcement: 'Warn', ...rule({ maxRevisions: 0 }) }],
      { revisions: Infinity, seconds: Infinity },
    ],
  ];
  rows(table, (specs, limits) => assert.deepEqual(windowLimits(specs.map((spec, i) => policy(`p${i}`, spec))), limits));
});

describe('a Rollout with rollbackWindow', () => {
  const W = 'spec.strategy.canary.rollbackWindow';
  const table: readonly (readonly [
    string,
    ReleasePolicySpec['rollbackWindow'],
    RollbackWindow | undefined,
    string[],
  ])[] = [
    ['is free without the rule', undefined, { revisions: 9 }, []],
    ['is not needed', { maxRevisions: 1 }, undefined, []],
    ['may be as wide as the policy says', { maxRevisions: 2, maxSeconds: 60 }, { revisions: 2, seconds: 60 }, []],
    [
      'may not be wider',
      { maxRevisions: 2, maxSeconds: 60 },
      { revisions: 3, seconds: 61 },
      [
        `${W}.revisions: Invalid value: 3: must be at most 2 revisions (policy p); write 2 or less`,
        `${W}.seconds: Invalid value: 61: must be at most 60 seconds (policy p); write 60 or less`,
      ],
    ],
    [
      'must have the limit that the policy has',
      { maxSeconds: 60 },
      { revisions: 1 },
      [`${W}.seconds: Required value: must be set, to at most 60 seconds (policy p); write 60 or less`],
    ],
    [
      'is forbidden by 0',
      { maxRevisions: 0 },
      { revisions: 1 },
      [
        `${W}: Forbidden: must not be set (policy p); remove it; an approver can go back immediately with: kubectl tranche undo --now`,
      ],
    ],
  ];
  rows(table, (limits, window, said) =>
    assert.deepEqual(judgeWindow([policy('p', rule(limits))], withWindow(window)).map(sentence), said),
  );
});

describe('a window during a protected release', () => {
  const table: readonly (readonly [string, RollbackWindow | undefined, RollbackWindow | undefined, boolean])[] = [
    ['that is new is wider', undefined, { revisions: 1 }, true],
    ['with more revisions is wider', { revisions: 1 }, { revisions: 2 }, true],
    ['without its limit of seconds is wider', { revisions: 1, seconds: 9 }, { revisions: 1 }, true],
    ['that is narrower is not', { revisions: 2 }, { revisions: 1, seconds: 9 }, false],
    ['that is removed is not', { revisions: 2 }, undefined, false],
  ];
  rows(table, (before, after, wider) => {
    assert.equal(isWider(after, before), wider);
    const protecting = [policy('p', { protectInFlight: true })];
    const said = judgeProtection(protecting, withWindow(before), withWindow(after), undefined).map(
      ({ field }) => field,
    );
    assert.deepEqual(said, wider ? ['spec.strategy.canary.rollbackWindow'] : []);
  });
});
