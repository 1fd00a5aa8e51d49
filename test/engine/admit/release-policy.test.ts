import assert from 'node:assert/strict';
import type { ReleasePolicy, ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { AdmissionDecision } from '../../../src/engine/admit/decision.ts';
import { admitReleasePolicy, type ReleasePolicyFacts } from '../../../src/engine/admit/release-policy.ts';
import { policy } from '../policy/support.ts';
import { facts, FREEZE, policiesOf, warningsOf } from './support.ts';

const admit = (spec: ReleasePolicySpec, more: Partial<ReleasePolicyFacts> = {}): AdmissionDecision =>
  admitReleasePolicy({ ...facts({ policies: policiesOf() }), policy: policy('p', spec), shape: [], ...more });
const shape = [{ field: 'spec.breakGlass.groups', value: 1, reason: 'is not of type array', remedy: 'write an array' }];

describe('a ReleasePolicy that is written', () => {
  it('passes with what its author should know', () => {
    assert.deepEqual(admit({ windows: FREEZE }), { verdict: 'Passed', warnings: [] });
    assert.match(warningsOf(admit({ approval: {} })), /set spec.requireRollout: true/);
    assert.deepEqual(admit({ approval: {} }, { warns: false }).warnings, []);
  });

  it('is refused for all that is wrong; of a field that our rules name, the schema says no more', () => {
    const fields = (decision: AdmissionDecision) => decision.violations?.map(({ field }) => field);
    const spec = { windows: { timeZone: 'Mars' }, breakGlass: { groups: [] } };
    assert.deepEqual(fields(admit(spec, { shape })), ['spec.windows.timeZone', 'spec.breakGlass.groups']);
    assert.deepEqual(fields(admit({}, { policy: undefined, shape })), ['spec.breakGlass.groups']);
  });

  it('passes on its way out, where policies are not kept, and when it is deleted', () => {
    const bad: ReleasePolicySpec = { breakGlass: { groups: [] } };
    const leaving = policy('p', bad) as ReleasePolicy;
    const metadata = { ...leaving.metadata, deletionTimestamp: '2026-01-05T10:00:00Z' };
    for (const more of [{ policy: { ...leaving, metadata } }, { policies: undefined }, { operation: 'DELETE' }])
      assert.deepEqual(admit(bad, more), { verdict: 'Passed' });
  });
});
