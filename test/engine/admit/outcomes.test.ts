import assert from 'node:assert/strict';
import type { Enforcement } from '../../../src/api/policy.ts';
import { EVERY_OUTCOME, deny, outcomesOf } from '../../../src/engine/admit/outcomes.ts';
import type { Finding } from '../../../src/engine/policy/policy.ts';
import { person, policy } from '../policy/support.ts';
import { alice, outcomes, web } from './support.ts';

const finding = (enforcement: Enforcement, field = 'spec.template'): Finding => ({
  policy: policy('production', { enforcement, breakGlass: { groups: ['sre'] } }),
  rule: 'windows',
  rank: 0,
  field,
  value: 'changed',
  reason: 'is too early',
  remedy: 'wait',
});
const said = (
  findings: readonly Finding[],
  more: Partial<typeof alice> = {},
  who = person(),
  reported = EVERY_OUTCOME,
) => outcomesOf(findings, who, web('v1'), { ...alice, ...more }, reported);

describe('what findings come to', () => {
  it('is nothing where there are none', () => assert.deepEqual(said([]).violations, []));

  it('is a refusal that alone is reported', () => {
    const denied = said([finding('Deny'), finding('Warn', 'spec.replicas')]);
    assert.equal(denied.violations.length, 1);
    assert.deepEqual(outcomes(deny(denied)), ['denied windows']);
  });

  it('is a warning, or a report alone', () => {
    assert.deepEqual(said([finding('Warn')]).warnings, [
      'tranche: policy production warns: spec.template: Invalid value: "changed": is too early; wait',
    ]);
    assert.deepEqual(outcomes({ verdict: 'Passed', ...said([finding('Warn')]), violations: [] }), ['warned windows']);
    assert.deepEqual(said([finding('Audit')]).warnings, []);
    assert.equal(said([finding('Audit')]).reports[0]?.outcome, 'audited');
  });

  it('is gone past by whoever may and says why, with the reason in the report', () => {
    const broken = said([finding('Deny')], {}, person({ groups: ['sre'], breakGlass: 'outage' }));
    assert.deepEqual([broken.broken, broken.violations], [true, []]);
    assert.deepEqual(
      broken.reports.map(({ outcome, breakGlass, user, request }) => [outcome, breakGlass, user, request]),
      [['broken', 'outage', 'alice', 'review-1']],
    );
    assert.match(broken.warnings.join(), /policy production overridden; your reason is recorded/);
  });

  it('is reported by one webhook, and not of a dry run', () => {
    assert.deepEqual(said([finding('Warn')], {}, person(), []).reports, []);
    assert.equal(
      said([finding('Deny')], {}, person(), []).reports.length,
      1,
      'a refusal is the last that anybody sees',
    );
    assert.deepEqual(said([finding('Deny')], { dryRun: true }).reports, []);
  });
});
