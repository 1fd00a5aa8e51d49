// What policies say to an edit of a Rollout, and the marks that it leaves.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { Approval, Rollout } from '../../../src/api/types.ts';
import {
  judgeDeletion,
  judgeRolloutEdit,
  marksOf,
  type PolicedEdit,
} from '../../../src/engine/admit/rollout-policy.ts';
import { planDigest, readPlanChange } from '../../../src/engine/policy/plan.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { applyOps } from '../../support/json-patch.ts';
import { policy } from '../policy/support.ts';
import { annotated, as, demo, digestOf, disabled, NOW, sha256, web } from './support.ts';

const deployment = web('v2', {}, { labels: { [keys.ROLLOUT_ID]: 'r1' } });
const edit = (
  old: Rollout | undefined,
  next: Rollout,
  spec: ReleasePolicySpec = {},
  more: Partial<PolicedEdit> = {},
): PolicedEdit => ({
  phase: 'mutate',
  old,
  next,
  deployment,
  by: as('alice', 'dev'),
  policies: [policy('production', spec)],
  now: NOW,
  sha256,
  ...more,
});
const goesOn = (rollout: Rollout): Rollout => ({
  ...rollout,
  spec: {
    ...rollout.spec,
    strategy: {
      canary: { steps: [{ replicas: 1, pause: { duration: 0 } }, { replicas: '50%' }, { replicas: '100%' }] },
    },
  },
});
const said = (of: PolicedEdit): string => judgeRolloutEdit(of).violations.map(sentence).join('\n');
const marks = (of: PolicedEdit): Record<string, string> => ({ ...applyOps(of.next, marksOf(of)).metadata.annotations });

describe('an edit of a Rollout under a policy', () => {
  it('must keep the rules about steps, where it changes them', () => {
    assert.match(
      said(edit(undefined, demo(), { steps: { minSteps: 5 } })),
      /must have at least 5 steps \(policy production\)/,
    );
    assert.equal(said(edit(demo(), disabled(), { steps: { minSteps: 5 } })), '');
  });

  it('that approves is judged as an approval, and not as a plan', () => {
    const next = goesOn(demo({}));
    assert.equal(said(edit(demo({}), next, { steps: { manual: 'All' } })), '');
    assert.match(
      said(edit(demo({}), next, { approval: { groups: ['managers'] } })),
      /policy production does not list "alice" as an approver/,
    );
    assert.match(said(edit(demo({}), next, { approval: { required: 2 } })), /a shorter pause is one approval/);
  });

  it('must keep the rules about checks, where it changes them', () => {
    const spec: ReleasePolicySpec = { analysis: { required: ['Ratio'] } };
    const checked = (name: string): Rollout => ({
      ...demo(),
      spec: {
        ...demo().spec,
        strategy: {
          canary: {
            ...demo().spec.strategy.canary,
            analysis: [{ name, pods: { resource: 'cpu', timesStable: 2 } }],
          },
        },
      },
    });
    assert.match(said(edit(checked('a'), checked('b'), spec)), /must have a check with ratio \(policy production\)/);
    assert.equal(said(edit(checked('a'), annotated(checked('a'), { a: 'b' }), spec)), '');
  });

  it('that approves needs who may continue while a check is Worse', () => {
    const analysis = [{ name: 'errors', verdict: 'Worse', since: '2026-01-05T10:00:00Z' }] as const;
    const old = demo({ analysis });
    const spec = { analysis: { override: { users: ['bob'] } } };
    assert.match(
      said(edit(old, goesOn(old), spec)),
      /check errors is Worse, and policy production lets only bob continue/,
    );
    assert.equal(said(edit(old, goesOn(old), spec, { by: as('bob') })), '');
    assert.equal(said(edit(old, annotated(old, { a: 'b' }), spec)), '');
  });

  it('that changes the plan in flight warns of approvals that count no more', () => {
    const next = demo({}, [1, '60%', '100%']);
    const warn = (phase: PolicedEdit['phase']) =>
      judgeRolloutEdit(edit(demo({}), next, { approval: {} }, { phase })).warnings.join();
    assert.match(warn('validate'), /earlier approvals of this step no longer count/);
    assert.equal(warn('mutate'), '');
  });

  it('that goes past policy counts by the reason it gives, and later by the mark of it', () => {
    const spec = { protectInFlight: true, breakGlass: { groups: ['sre'] } };
    const by = as('eve', 'sre');
    const reason = annotated(disabled(demo({})), { [keys.BREAK_GLASS]: 'outage' });
    assert.match(said(edit(demo({}), disabled(demo({})), spec, { by })), /cannot be set during a release/);
    assert.equal(said(edit(demo({}), reason, spec, { by })), '');
    const stored = annotated(demo({}), marks(edit(demo({}), reason, spec, { by })));
    assert.equal(said(edit(stored, disabled(stored), spec, { by })), '');
    assert.deepEqual(judgeDeletion(stored, edit(stored, stored, spec, { by })).violations, []);
    const [denied] = judgeDeletion(stored, edit(stored, stored, spec, { by: as('ed', 'sre') })).violations;
    assert.equal(denied?.field, 'metadata.name');
  });
});

describe('the marks on a Rollout that only we may write', () => {
  it('stay as they were', () => {
    const old = annotated(demo({}), {
      [keys.APPROVED]: 'a',
      [keys.PLAN_CHANGED]: 'p',
      [keys.GLASS_BROKEN]: 'g',
      own: 'x',
    });
    assert.deepEqual(marksOf(edit(old, old)), []);
    const forged = annotated(demo({}), { [keys.APPROVED]: 'b', own: 'y' });
    assert.deepEqual(marks(edit(old, forged)), { ...old.metadata.annotations, own: 'y' });
  });

  it('name who goes past policy, for which release and which step', () => {
    const next = annotated(demo({}), { [keys.BREAK_GLASS]: ' outage ' });
    const { [keys.GLASS_BROKEN]: mark, ...rest } = marks(edit(demo({}), next, { breakGlass: { groups: ['dev'] } }));
    assert.deepEqual(rest, {});
    assert.deepEqual(JSON.parse(mark ?? ''), {
      user: 'alice',
      reason: 'outage',
      time: '2026-01-05T10:05:00Z',
      policies: ['production'],
      rolloutID: 'r1',
      uid: 'd-1',
      template: digestOf(deployment),
      step: 1,
    });
  });

  it('name everybody who changed the plan in flight, and the last change', () => {
    const changed = annotated(demo({}, [1, '60%', '100%']), marks(edit(demo({}), demo({}, [1, '60%', '100%']))));
    assert.deepEqual(readPlanChange(changed), { users: ['alice'], id: 'review-1' });
    const again = demo({}, [1, '70%', '100%']);
    const twice = marks(edit(changed, again, {}, { by: { ...as('bob'), request: 'review-2' } }));
    assert.deepEqual(JSON.parse(twice[keys.PLAN_CHANGED] ?? ''), { users: ['alice', 'bob'], id: 'review-2' });
    assert.deepEqual(marks(edit(demo(), demo(undefined, [1, '60%', '100%']), {}, { deployment: web('v1') })), {});
  });

  it('put an approval by edit on record, over the plan as it is with it', () => {
    const next = goesOn(demo({}));
    const approval = JSON.parse(marks(edit(demo({}), next))[keys.APPROVED] ?? '') as Approval;
    assert.deepEqual(
      [approval.user, approval.step, approval.plan],
      ['alice', 1, planDigest(next, demo({}).status!.canaryStatus!, sha256)],
    );
  });
});
