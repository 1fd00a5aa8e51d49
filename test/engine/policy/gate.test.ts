// What policies say to the operator about one release.
import { asDigest } from '../../support/digests.ts';
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import {
  breakGlassFor,
  gateFor,
  hasBegun,
  openGate,
  orphanGate,
  withApprovalByEdit,
  type GateFacts,
} from '../../../src/engine/policy/gate.ts';
import { annotated, demo, FREEZE, held, NOW } from '../admit/support.ts';
import { releaseOf } from '../../../src/engine/policy/break-glass.ts';
import { createCalendar } from '../../../src/schedule/calendar.ts';
import { policy } from './support.ts';

const digest = (template: object) => asDigest(JSON.stringify(template));
const deployment = held();
const gate = (spec: ReleasePolicySpec, more: Partial<GateFacts> = {}) =>
  gateFor({
    policies: [policy('p', spec)],
    rollout: demo({}),
    deployment,
    now: NOW,
    calendar: createCalendar(),
    digest,
    running: () => 2,
    ...more,
  });
const mark = (more: object = {}): string =>
  JSON.stringify({ user: 'eve', reason: 'r', time: 't', policies: ['p'], ...releaseOf(deployment, digest), ...more });
const onRollout = annotated(demo({}), { [keys.GLASS_BROKEN]: mark({ step: 1 }) });
const onDeployment = annotated(deployment, { [keys.GLASS_BROKEN]: mark() });
const breakGlass = { groups: ['sre'] };

describe('a gate', () => {
  it('is open without policies, and where they only warn or tell', () => {
    assert.deepEqual(gate({}, { policies: [] }), openGate);
    for (const enforcement of ['Warn', 'Audit'] as const)
      assert.deepEqual(gate({ windows: FREEZE, protectInFlight: true, approval: {}, enforcement }), openGate);
  });

  it('is shut outside the windows, until they open', () => {
    assert.deepEqual(gate({ windows: FREEZE }).blocked, {
      reason: 'WindowClosed',
      message: 'policy p is closed until 2026-01-05T11:00:00Z (board meeting)',
      opensAt: Date.parse('2026-01-05T11:00:00Z'),
    });
  });

  it('is shut to one release too many, as long as it has not begun', () => {
    const rollout = demo({ currentStepState: 'BeforeStepUpgrade' });
    const limit = (maxConcurrentReleases: number, more: Partial<GateFacts> = {}) =>
      gate({ maxConcurrentReleases }, { rollout, ...more }).blocked?.message;
    assert.equal(limit(2), 'policy p allows 2 releases at a time in this namespace (running: 2)');
    assert.equal(limit(3), undefined);
    assert.equal(limit(2, { rollout: demo({}) }), undefined, 'it runs already');
    assert.deepEqual([hasBegun(demo({})), hasBegun(rollout), hasBegun(demo())], [true, false, false]);
  });

  it('says who must approve, and which policy protects the release', () => {
    const strict = gate({ approval: { required: 2 }, protectInFlight: true });
    assert.deepEqual([strict.required, strict.approval?.length, strict.protects], [2, 1, 'p']);
    assert.equal(gate({}).required, 1);
  });

  it('is opened by broken glass: on the change for its release, on the Rollout for its step', () => {
    const spec = { windows: FREEZE, protectInFlight: true, breakGlass };
    assert.equal(gate(spec, { deployment: onDeployment }).blocked, undefined);
    assert.equal(gate(spec, { deployment: onDeployment }).protects, 'p');
    const { policies: _policies, ...open } = gate(spec, { rollout: onRollout });
    assert.deepEqual(open, { blocked: undefined, required: 1 });
    const { breakGlass: _, ...closed } = spec;
    assert.notEqual(gate(closed, { rollout: onRollout }).blocked, undefined, 'a policy that nobody may go past');
  });

  it('of a Deployment whose Rollout is gone says only who protects it', () => {
    assert.deepEqual(orphanGate([policy('p', { protectInFlight: true })]), { ...openGate, protects: 'p' });
    assert.deepEqual(orphanGate([policy('p', { protectInFlight: true, enforcement: 'Warn' })]), openGate);
  });
});

describe('marks of broken glass', () => {
  it('count for this release, and on a Rollout for the step that is there', () => {
    assert.equal(breakGlassFor(onRollout, onDeployment, digest).length, 2);
    const later = annotated(demo({ currentStepIndex: 2 }), { [keys.GLASS_BROKEN]: mark({ step: 1 }) });
    assert.equal(breakGlassFor(later, deployment, digest).length, 0);
    const other = annotated(deployment, { [keys.GLASS_BROKEN]: mark({ uid: 'd-2' }) });
    assert.equal(breakGlassFor(demo({}), other, digest).length, 0);
  });
});

describe('an approval by an edit of the pause', () => {
  const approval = { user: 'mia', time: '2026-01-05T10:05:00Z', step: 1, rolloutID: 'r1', revision: 'abc' };
  const approvals = (written: object, canary = {}): readonly string[] => {
    const rollout = annotated(demo(canary), { [keys.APPROVED]: JSON.stringify(written) });
    return (withApprovalByEdit(rollout.status!.canaryStatus!, rollout) ?? []).map(({ user }) => user);
  };

  it('is in the record of its step, once', () => {
    assert.deepEqual(approvals(approval), ['mia']);
    assert.deepEqual(approvals(approval, { approvals: [approval] }), ['mia']);
    assert.deepEqual(approvals(approval, { approvals: [{ ...approval, user: 'bob' }] }), ['bob', 'mia']);
  });

  it('is not when it is about something else, or not ours', () => {
    for (const other of [{ step: 2 }, { rolloutID: 'r0' }, { revision: 'x' }, { user: 1 }])
      assert.deepEqual(approvals({ ...approval, ...other }), []);
    assert.deepEqual(withApprovalByEdit(demo({}).status!.canaryStatus!, demo({})), undefined);
  });
});
