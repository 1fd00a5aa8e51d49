// What becomes of an edit of a Rollout's status: who may write what, and how approvals come on record.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { CanaryStatus, Rollout } from '../../../src/api/types.ts';
import type { AdmissionDecision, Facts } from '../../../src/engine/admit/decision.ts';
import { admitStatus, mendStatus, type MendFacts } from '../../../src/engine/admit/rollout-status.ts';
import { restoreDropped } from '../../../src/engine/validate/status.ts';
import { policy } from '../policy/support.ts';
import {
  annotated,
  as,
  demo,
  digestOf,
  facts,
  operator,
  outcomes,
  policiesOf,
  refusal,
  sha256,
  stored,
  warningsOf,
  web,
} from './support.ts';

type Json = Readonly<Record<string, unknown>>;

const deployment = web('v2', {}, { labels: { [keys.ROLLOUT_ID]: 'r1' }, annotations: { [keys.CHANGED_BY]: 'alice' } });
const waiting = (more: Partial<CanaryStatus> = {}): Rollout => demo(more);
const write = (old: Rollout, canary: Partial<CanaryStatus>): Rollout => ({
  ...old,
  status: { ...old.status!, canaryStatus: { ...old.status!.canaryStatus!, ...canary } },
});
const approved = (old: Rollout): Rollout => write(old, { currentStepState: 'StepReady' });
const under = (spec: ReleasePolicySpec, ...user: string[]): Partial<Facts> => ({
  policies: policiesOf(policy('production', spec)),
  by: as(user[0] ?? 'bob', ...user.slice(1)),
});

const mend = (old: Rollout, next: Rollout, more: Partial<Facts> = {}): AdmissionDecision => {
  const [before, writtenStatus] = [old.status, next.status] as unknown as Json[];
  const mended = restoreDropped(before, writtenStatus) as Json;
  const statuses: MendFacts['statuses'] = { before, written: writtenStatus, mended };
  const known = { ...next, status: mended } as unknown as Rollout;
  return mendStatus({ ...facts(more), old, next: known, deployment, sha256, statuses });
};
const admit = (old: Rollout, next: Rollout, more: Partial<Facts> = {}): AdmissionDecision =>
  admitStatus({ ...facts({ answers: { access: [] }, ...more }), old, next, deployment, sha256 });

/** Both webhooks, one after the other. */
const approve = (old: Rollout, more: Partial<Facts>, next = approved(old)): { after: Rollout; says: string } => {
  const first = mend(old, next, more);
  const after = stored(next, first);
  const second = first.violations ? first : admit(old, after, more);
  return { after, says: [warningsOf(first), warningsOf(second), refusal(second)].filter(Boolean).join('\n') };
};
const stateOf = ({ status }: Rollout): unknown[] => [
  status?.canaryStatus?.currentStepState,
  ...(status?.canaryStatus?.approvals ?? []).map(({ user }) => user),
];

describe('a status that somebody writes', () => {
  it('has put back what its client dropped', () => {
    const old = waiting({ message: 'kept' } as Partial<CanaryStatus>);
    const { message: _, ...rest } = old.status!.canaryStatus! as CanaryStatus & { message?: string };
    const decision = mend(old, { ...old, status: { ...old.status!, canaryStatus: rest } });
    assert.deepEqual(decision, { verdict: 'Kept', patch: [{ op: 'add', path: '/status', value: old.status }] });
    assert.deepEqual(mend(old, old), { verdict: 'Passed' });
  });

  it('may be an approval, and nothing else', () => {
    assert.equal(admit(waiting(), approved(waiting())).verdict, 'Approved');
    assert.deepEqual(admit(waiting(), waiting()), { verdict: 'Passed' });
    for (const [canary, expected] of [
      [{ canaryReplicas: 5 }, /canaryReplicas: Forbidden: only the operator writes this field/],
      [
        { currentStepState: 'Completed' },
        /currentStepState: Invalid value: "Completed": only the operator writes this state/,
      ],
      [{ nextStepIndex: 9 }, /nextStepIndex: Invalid value: 9: must be the number of a step; write 1 to 3/],
      [{ analysis: [] }, /^$/],
      [
        { analysis: [{ name: 'a', verdict: 'Fine', since: '2026-01-05T10:05:00Z' }] },
        /analysis: Forbidden: only the op/,
      ],
      [
        { approvals: [{ step: 1, user: 'carol', time: '2026-01-05T10:05:00Z' }] },
        /approvals: Forbidden: only the operator/,
      ],
    ] as readonly (readonly [Partial<CanaryStatus>, RegExp])[])
      assert.match(refusal(admit(waiting(), write(waiting(), canary))), expected);
    assert.match(
      refusal(admit(waiting({ currentStepState: 'StepUpgrade' }), approved(waiting()))),
      /step 1 of 3 is in state StepUpgrade/,
    );
  });

  it('never changes what the checks say, together with an approval or without', () => {
    const worse = { name: 'errors', verdict: 'Worse', since: '2026-01-05T10:00:00Z' } as const;
    const old = waiting({ analysis: [worse] });
    for (const analysis of [[], [{ ...worse, verdict: 'Fine' as const }], [{ ...worse, acceptedBy: ['bob'] }]]) {
      for (const next of [write(old, { analysis }), write(approved(old), { analysis })]) {
        assert.match(
          refusal(admit(old, next)),
          /canaryStatus\.analysis: Forbidden: only the operator writes this field/,
        );
        assert.match(approve(old, under({}), next).says, /canaryStatus\.analysis: Forbidden/);
      }
    }
    // A client that does not know the field drops it, and gets it back.
    const { analysis: _, ...dropped } = approved(old).status!.canaryStatus!;
    const { after, says } = approve(old, under({}), { ...old, status: { ...old.status!, canaryStatus: dropped } });
    assert.deepEqual([after.status?.canaryStatus?.analysis, says], [[worse], '']);
  });

  it('is no approval while a check is Worse, except by those whom a policy lists', () => {
    const old = waiting({ analysis: [{ name: 'errors', verdict: 'Worse', since: '2026-01-05T10:00:00Z' }] });
    const spec = { analysis: { override: { groups: ['sre'] } } };
    assert.match(
      approve(old, under(spec)).says,
      /check errors is Worse, and policy production lets only a member of sre/,
    );
    const { after, says } = approve(old, under(spec, 'bob', 'sre'));
    assert.deepEqual([stateOf(after), says], [['StepReady', 'bob'], '']);
    assert.deepEqual(after.status?.canaryStatus?.approvals?.[0]?.groups, ['sre']);
    assert.deepEqual(outcomes(admit(old, approved(old), under(spec))), ['denied analysis.override']);
  });

  it('is the operator’s to write', () => {
    const next = write(waiting(), { canaryReplicas: 5 });
    assert.deepEqual(admit(waiting(), next, { by: operator }), { verdict: 'Passed' });
    assert.deepEqual(mend(waiting(), next, { by: operator }), { verdict: 'Passed' });
  });

  it('needs the right to approve, jumps included', () => {
    for (const next of [approved(waiting()), write(waiting(), { nextStepIndex: 3 })]) {
      assert.deepEqual(admit(waiting(), next, { answers: {} }).needs, {
        access: { verb: 'approve', rollout: waiting() },
      });
      const access = [{ field: 'approval by', value: 'alice', reason: 'may not', remedy: 'ask' }];
      assert.deepEqual(admit(waiting(), next, { answers: { access } }).violations, access);
    }
  });
});

describe('an approval under policies', () => {
  it('goes on record, and the step goes on', () => {
    const { after, says } = approve(waiting(), under({}));
    assert.deepEqual([stateOf(after), says], [['StepReady', 'bob'], '']);
  });

  it('of two people: the first leaves the step waiting, once', () => {
    const two = { approval: { required: 2 } };
    const first = approve(waiting(), under(two));
    assert.deepEqual(
      [stateOf(first.after), first.says],
      [['StepPaused', 'bob'], 'tranche: 1 of 2 approvals: the step waits for more'],
    );
    const again = approve(first.after, under(two));
    assert.deepEqual(stateOf(again.after), ['StepPaused', 'bob']);
    assert.match(again.says, /already approved this step/);
    assert.deepEqual(stateOf(approve(first.after, under(two, 'carol')).after), ['StepReady', 'bob', 'carol']);
  });

  it('is denied to the author, and to whoever is not named; a warning where the policy only warns', () => {
    const rules = { approval: { groups: ['managers'], notAuthor: true } };
    assert.match(approve(waiting(), under(rules, 'alice', 'managers')).says, /"alice" changed the template/);
    assert.match(
      approve(waiting(), under(rules, 'dave', 'dev')).says,
      /policy production does not list "dave" as an approver/,
    );
    assert.equal(approve(waiting(), under(rules, 'mia', 'managers')).says, '');
    assert.match(
      approve(waiting(), under({ ...rules, enforcement: 'Warn' }, 'dave')).says,
      /warns: approval: Forbidden: policy production does not list "dave"/,
    );
  });

  it('is no jump alone: whoever approves next would approve it unasked', () => {
    const jump = write(waiting(), { nextStepIndex: 3 });
    const decision = admit(waiting(), jump, under({ approval: {} }));
    assert.deepEqual([decision.verdict, outcomes(decision)], ['Denied', ['denied approval']]);
    assert.match(refusal(decision), /a jump to another step requires an approval/);
  });

  it('is not written by hand: another person, a later time, another plan', () => {
    const { after } = approve(waiting(), under({ approval: { required: 2 } }));
    const [own] = after.status!.canaryStatus!.approvals!;
    assert.ok(own);
    for (const more of [{ user: 'carol' }, { time: '2099-01-01T00:00:00Z' }, { plan: 'x' }, { groups: ['managers'] }])
      assert.match(
        refusal(admit(waiting(), write(waiting(), { approvals: [{ ...own, ...more }] }), under({ approval: {} }))),
        /only the operator writes this (field|state)/,
      );
  });

  it('goes past the rules with broken glass, for this step, and is reported', () => {
    const mark = {
      user: 'eve',
      reason: 'outage',
      time: 't',
      policies: ['production'],
      rolloutID: 'r1',
      uid: 'd-1',
      step: 1,
    };
    const text = JSON.stringify({ ...mark, template: digestOf(deployment) });
    const old = annotated(waiting(), { [keys.GLASS_BROKEN]: text });
    const rules = { approval: { required: 2, groups: ['managers'] }, breakGlass: { groups: ['sre'] } };
    assert.deepEqual(stateOf(approve(old, under(rules, 'eve', 'sre')).after), ['StepReady', 'eve']);
    assert.deepEqual(outcomes(admit(old, approved(old), under(rules, 'eve', 'sre'))), ['broken approval']);
    assert.match(approve(old, under(rules, 'dave', 'sre')).says, /does not list "dave" as an approver/);
  });

  it('counts while checks watch the step, if one is enough', () => {
    const watched = waiting({ currentStepState: 'StepMetricsAnalysis' });
    assert.deepEqual(stateOf(approve(watched, under({ approval: {} })).after), ['StepReady', 'bob']);
    assert.match(
      refusal(mend(watched, approved(watched), under({ approval: { required: 2 } }))),
      /step 1 is being watched by its checks, and a policy requires more than one approval; approve it when the state is StepPaused/,
    );
  });

  it('waits for the caches', () => {
    assert.equal(
      mend(waiting(), approved(waiting()), { ...under({}), notReady: 'no list yet' }).notReady,
      'no list yet',
    );
  });
});
