import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { AdmissionDecision } from '../../../src/engine/admit/decision.ts';
import { admitScale, type ScaleFacts } from '../../../src/engine/admit/scale.ts';
import { policy } from '../policy/support.ts';
import { annotated, as, demo, digestOf, facts, outcomes, policiesOf, refusal, sha256, web } from './support.ts';

const deployment = web('v2', {}, { labels: { [keys.ROLLOUT_ID]: 'r1' } });
const PROTECT = { protectInFlight: true };
const admit = (spec: ReleasePolicySpec = PROTECT, more: Partial<ScaleFacts> = {}): AdmissionDecision =>
  admitScale({
    ...facts({ policies: policiesOf(policy('production', spec)) }),
    replicas: { before: 10, after: 0 },
    deployment,
    rollout: demo({}),
    sha256,
    ...more,
  });

describe('a Deployment that is scaled to 0', () => {
  it('in the middle of a protected release is denied', () => {
    assert.match(refusal(admit()), /spec.replicas: Invalid value: 0: must be at least 1 during a release/);
    assert.deepEqual(outcomes(admit()), ['denied protectInFlight']);
  });

  for (const [when, decision] of [
    ['to another size', admit(PROTECT, { replicas: { before: 10, after: 1 } })],
    ['already at 0', admit(PROTECT, { replicas: { before: 0, after: 0 } })],
    ['made with 0', admit(PROTECT, { operation: 'CREATE' })],
    ['that nobody knows', admit(PROTECT, { deployment: undefined })],
    ['at rest', admit(PROTECT, { rollout: demo() })],
    ['that no Rollout names', admit(PROTECT, { rollout: undefined })],
    ['where releases are not protected', admit({})],
    ['while caches are empty', admit(PROTECT, { notReady: 'no list yet' })],
    ['without policies', admit(PROTECT, { policies: undefined })],
  ] as const) {
    it(`passes: ${when}`, () => assert.equal(decision.violations, undefined));
  }

  it('passes for who broke the glass in this step', () => {
    const mark = { user: 'eve', reason: 'outage', time: 't', policies: [], rolloutID: 'r1', uid: 'd-1', step: 1 };
    const text = JSON.stringify({ ...mark, template: digestOf(deployment) });
    const rollout = annotated(demo({}), { [keys.GLASS_BROKEN]: text });
    const spec = { ...PROTECT, breakGlass: { groups: ['sre'] } };
    assert.deepEqual(outcomes(admit(spec, { rollout, by: as('eve', 'sre') })), ['broken protectInFlight']);
    assert.equal(admit(spec, { rollout, by: as('ed', 'sre') }).verdict, 'Denied');
  });
});
