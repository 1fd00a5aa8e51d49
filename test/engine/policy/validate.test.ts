// What is wrong with a ReleasePolicy itself. What needs a real calendar is in test/schedule.
import assert from 'node:assert/strict';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import { validatePolicy } from '../../../src/engine/policy/validate.ts';
import type { Calendar } from '../../../src/engine/policy/windows.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { policy } from './support.ts';

/** Never opens anything. */
const calendar: Calendar = {
  windowAt: () => ({}),
  scheduleProblem: (schedule) => (schedule === 'never' ? undefined : 'is no schedule'),
  isTimeZone: (name) => name === 'UTC',
};
const findings = (spec: ReleasePolicySpec) => validatePolicy(policy('p', spec), 0, calendar);
const expression = (operator: string, ...values: string[]): ReleasePolicySpec => ({
  match: { workloadSelector: { matchExpressions: [{ key: 'tier', operator, values }] } },
});

describe('a ReleasePolicy', () => {
  for (const [what, spec, expected] of [
    [
      'windows of no time zone',
      { windows: { timeZone: 'Mars' } },
      /spec.windows.timeZone: Invalid value: "Mars": must be an IANA time zone/,
    ],
    [
      'a schedule that is none',
      { windows: { deny: [{ schedule: 'x', durationSeconds: 1 }] } },
      /spec.windows.deny\[0\].schedule: Invalid value: "x": is no schedule/,
    ],
    [
      'windows that never open',
      { windows: { allow: [{ schedule: 'never', durationSeconds: 1 }] } },
      /never allows a release to start/,
    ],
    [
      'approval by nobody',
      { approval: { groups: [] } },
      /spec.approval.groups: Required value: without users and groups, nobody can approve/,
    ],
    [
      'more approvals than people',
      { approval: { required: 2, users: ['a', 'a'] } },
      /spec.approval.required: Invalid value: 2: must not be more than the number of users \(1\)/,
    ],
    [
      'glass that nobody may break',
      { breakGlass: { groups: [] } },
      /spec.breakGlass.groups: Required value: add a group, or remove breakGlass/,
    ],
    [
      'checks of Pods without their source',
      { analysis: { required: ['Ratio', 'Pods', 'Condition'], sources: ['main'] } },
      /spec.analysis.sources: Invalid value: \["main"\]: spec.analysis.required has Pods and Condition, which are read from the source kubernetes; add kubernetes/,
    ],
    [
      'checks of requests without a source',
      { analysis: { required: ['Ratio'], sources: ['kubernetes'] } },
      /spec.analysis.sources: Invalid value: \["kubernetes"\]: .* Ratio, and the source kubernetes does not answer PromQL/,
    ],
    [
      'In without values',
      expression('In'),
      /matchExpressions\[0\].values: Required value: must be specified when operator is In/,
    ],
    [
      'Exists with values',
      expression('Exists', 'x'),
      /values: Forbidden: must not be specified when operator is Exists/,
    ],
  ] as readonly (readonly [string, ReleasePolicySpec, RegExp])[]) {
    it(`with ${what} is refused, without advice`, () => {
      const { violations, warnings } = findings(spec);
      assert.match(violations.map(sentence).join('\n'), expected);
      assert.deepEqual([violations.length, warnings], [1, []]);
    });
  }

  for (const spec of [
    {},
    { approval: { required: 2, groups: ['g'] } },
    { approval: {} },
    { analysis: { override: {}, minSeconds: 60 } },
    { analysis: { required: ['Ratio', 'Pods'], sources: ['main', 'kubernetes'] } },
    { analysis: { required: ['Ratio', 'Pods'] } },
    { analysis: { required: ['Pods'], sources: ['kubernetes'] } },
    expression('In', 'x'),
    expression('Exists'),
  ] as readonly ReleasePolicySpec[]) {
    it(`may be ${JSON.stringify(spec)}`, () => assert.deepEqual(findings(spec).violations, []));
  }

  it('that is right comes with what its author should know', () => {
    assert.match(findings({ approval: {} }).warnings.join(), /set spec.requireRollout: true/);
  });
});
