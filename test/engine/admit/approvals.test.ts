import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { Approval, CanaryStatus, CompletedVersion, Rollout } from '../../../src/api/types.ts';
import {
  addedApproval,
  judgeApproval,
  recordApproval,
  recordUndo,
  type StatusEdit,
} from '../../../src/engine/admit/approvals.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { asDigest } from '../../support/digests.ts';
import { policy } from '../policy/support.ts';
import { as, demo, NOW, sha256, web } from './support.ts';

const deployment = web('v2', {}, { annotations: { [keys.CHANGED_BY]: 'alice' } });
const edit = (spec: ReleasePolicySpec, canary: Partial<CanaryStatus>, user = 'bob', old = demo({})): StatusEdit => ({
  old,
  next: { ...old, status: { ...old.status!, canaryStatus: { ...old.status!.canaryStatus!, ...canary } } },
  deployment,
  by: as(user),
  policies: [policy('production', spec)],
  now: NOW,
  sha256,
});
const READY = { currentStepState: 'StepReady' } as const;
const TWO = { approval: { required: 2 } };
const record = (of: StatusEdit): readonly Approval[] => recordApproval(of)?.approvals ?? [];

describe('the record of approvals', () => {
  it('names step, release, revision, person, time and plan', () => {
    const [own] = record(edit({}, READY));
    const { plan, ...rest } = own!;
    assert.deepEqual(rest, { step: 1, rolloutID: 'r1', revision: 'abc', user: 'bob', time: '2026-01-05T10:05:00Z' });
    assert.match(plan ?? '', /^[0-9a-f]{16}$/);
  });

  it('says how many are missing', () => {
    assert.deepEqual(recordApproval(edit({}, READY))?.warning, undefined);
    assert.match(recordApproval(edit(TWO, READY))?.warning ?? '', /1 of 2 approvals: the step waits for more/);
    const old = demo({ approvals: record(edit(TWO, READY)) });
    assert.match(recordApproval(edit(TWO, READY, 'bob', old))?.warning ?? '', /already approved this step/);
    assert.equal(recordApproval(edit(TWO, READY, 'carol', old))?.enough, true);
  });

  it('binds an approval of a jump to the step that follows', () => {
    const [usual, jump] = [record(edit({}, READY)), record(edit({}, { ...READY, nextStepIndex: 3 }))];
    assert.notEqual(usual[0]?.plan, jump[0]?.plan);
  });

  it('is nothing where no release is known', () => {
    const old = demo();
    assert.equal(recordApproval({ ...edit({}, READY), old, next: old }), undefined);
  });
});

describe('an approval that is found in a status', () => {
  const own = (): Approval => record(edit(TWO, READY))[0]!;
  const added = (...approvals: readonly Approval[]): Approval | undefined => addedApproval(edit(TWO, { approvals }));

  it('is the one that the mutating webhook added, or it is none', () => {
    assert.deepEqual(added(own()), own());
    for (const forged of [
      { ...own(), user: 'carol' },
      { ...own(), plan: 'x' },
      { ...own(), step: 2 },
      { ...own(), time: '2026-01-05T10:07:00Z' },
      { ...own(), past: ['production'] },
    ])
      assert.equal(added(forged), undefined);
    assert.equal(added(own(), own()), undefined, 'one at a time');
    assert.equal(added(), undefined);
  });

  it('may be of a jump that waits for others', () => {
    const [jump] = record(edit(TWO, { ...READY, nextStepIndex: 3 }));
    assert.deepEqual(added(jump!), jump);
  });

  it('leaves those of others as they are', () => {
    const others = record(edit(TWO, READY, 'carol'));
    const old: Rollout = demo({ approvals: others });
    const [, mine] = record(edit(TWO, READY, 'bob', old));
    assert.ok(mine);
    assert.ok(addedApproval(edit(TWO, { approvals: [...others, mine] }, 'bob', old)));
    const replaced = [{ ...others[0]!, user: 'dave' }, mine];
    assert.equal(addedApproval(edit(TWO, { approvals: replaced }, 'bob', old)), undefined);
  });
});

describe('what policies say of an approval', () => {
  const said = (of: StatusEdit, recorded = false): string =>
    judgeApproval(of, recorded).violations.map(sentence).join('\n');

  it('is whether this person may', () => {
    assert.equal(said(edit({ approval: { users: ['bob'] } }, READY)), '');
    assert.match(
      said(edit({ approval: { users: ['carol'] } }, READY)),
      /policy production does not list "bob" as an approver/,
    );
    assert.match(said(edit({ approval: { notAuthor: true } }, READY, 'alice')), /"alice" changed the template/);
  });

  describe('while a check is Worse', () => {
    const worse = { name: 'errors', verdict: 'Worse', since: '2026-01-05T10:00:00Z' } as const;
    const spec = { analysis: { override: { groups: ['sre'] } } };
    const stopped = demo({ analysis: [worse] });
    const NO =
      /approval of a failed check: Forbidden: check errors is Worse, and policy production lets only a member of sre continue/;

    it('is no to everybody else, for approvals and jumps', () => {
      assert.match(said(edit(spec, READY, 'bob', stopped)), NO);
      assert.match(said(edit(spec, { nextStepIndex: 3 }, 'bob', stopped)), NO);
      assert.match(said(edit(spec, { nextStepIndex: 3 }, 'bob', stopped), true), NO);
      assert.equal(said({ ...edit(spec, READY, 'bob', stopped), by: as('bob', 'sre') }), '');
      assert.equal(said(edit(spec, READY, 'bob', demo({ analysis: [{ ...worse, acceptedBy: ['eve'] }] }))), '');
      assert.equal(said(edit({}, READY, 'bob', stopped)), '', 'whoever may approve');
    });

    it('is no to the first of two approvals, which changes no state', () => {
      const both = { ...spec, ...TWO };
      const approvals = record(edit(both, READY, 'bob', stopped));
      assert.match(said(edit(both, { approvals }, 'bob', stopped), true), NO);
    });

    it('is yes to the way back', () => {
      const completedVersions = [
        { workload: 'Deployment/web', templateDigest: 'b', revision: 'b', completedTime: '2026-01-01T10:00:00Z' },
        { workload: 'Deployment/web', templateDigest: 'a', revision: 'a', completedTime: '2026-01-01T09:00:00Z' },
      ] as unknown as readonly CompletedVersion[];
      const old = { ...stopped, status: { ...stopped.status!, completedVersions } };
      const undo = edit(spec, {}, 'bob', old);
      const added = recordUndo(undo, asDigest('a'))?.approvals ?? [];
      assert.equal(added.length, 1);
      assert.equal(said(edit(spec, { approvals: added }, 'bob', old), true), '');
    });

    it('keeps the groups and the broken glass on record, for the operator', () => {
      const [own] = record({ ...edit(spec, READY, 'bob', stopped), by: as('bob', 'sre', 'other') });
      assert.deepEqual(own?.groups, ['sre']);
    });
  });

  it('is no to a jump that nobody approves', () => {
    const jump = edit({ approval: {} }, { nextStepIndex: 3 });
    assert.match(said(jump), /a jump to another step requires an approval/);
    assert.equal(said(jump, true), '', 'approved: it is on record');
    assert.equal(said(edit({}, { nextStepIndex: 3 })), '', 'where no policy asks for approval');
  });
});
