import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { CHANGED_BY, HELD, PLAN_CHANGED } from '../../../src/api/keys.ts';
import type { ApprovalRules, ReleasePolicy } from '../../../src/api/policy.ts';
import type { Approval, Deployment, HistoryEntry, Rollout } from '../../../src/api/types.ts';
import {
  approvalsOf,
  count,
  judgeApprover,
  judgeSingleHanded,
  requiredApprovals,
  standingOf,
  type Approving,
} from '../../../src/engine/policy/approval.ts';
import { originOf, requiredBy, type Origin } from '../../../src/engine/policy/origin.ts';
import { planDigest } from '../../../src/engine/policy/plan.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { policy, rolloutOf } from './support.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const BY_ALICE: Origin = { authors: ['alice'], planners: [], unknown: false };
const NOW = Date.parse('2026-01-05T10:05:00Z');
const entry = (more: Partial<Approval> = {}): Approval => ({
  step: 1,
  rolloutID: 'r1',
  revision: 'abc',
  user: 'bob',
  time: '2026-01-05T10:01:00Z',
  ...more,
});
const waiting = (approvals: Approval[] = []) => rolloutOf([{ replicas: 1 }], { approvals });

describe('who may approve', () => {
  const judged = (approval: ApprovalRules, user: string, groups: string[] = [], more: Partial<Origin> = {}): string =>
    judgeApprover([policy('p', { approval })], { user, groups }, { ...BY_ALICE, ...more })
      .map(sentence)
      .join('\n');

  it('is a named user, or a member of a named group; others are told who', () => {
    const rules = { users: ['bob'], groups: ['managers'] };
    assert.equal(judged(rules, 'bob'), '');
    assert.equal(judged(rules, 'carol', ['managers']), '');
    assert.equal(
      judged(rules, 'dave', ['dev']),
      'approval: Forbidden: policy p does not list "dave" as an approver; ask bob, or a member of managers',
    );
  });

  it('is whoever RBAC allows when nobody is named', () => assert.equal(judged({ required: 2 }, 'dave'), ''));

  it('is not the author, with notAuthor', () => {
    assert.match(
      judged({ notAuthor: true }, 'alice'),
      /"alice" changed the template, and policy p requires another approver/,
    );
    assert.match(judged({ notAuthor: true, groups: ['m'] }, 'alice', ['m']), /ask a member of m/);
    assert.equal(judged({ notAuthor: true }, 'bob'), '');
    assert.equal(judged({}, 'alice'), '');
  });

  it('is nobody alone by an edit of the pause, where several are wanted', () => {
    const what = { field: 'spec.strategy.canary.steps[0].pause.duration', value: 0 };
    assert.match(
      judgeSingleHanded([policy('p', { approval: { required: 2 } })], what)
        .map(sentence)
        .join(),
      /a shorter pause is one approval, and policy p requires 2/,
    );
    assert.deepEqual(judgeSingleHanded([policy('p', { approval: {} })], what), []);
    const [less] = judgeSingleHanded([policy('p', { approval: { required: 2 } })], {
      field: 'spec.strategy.canary.steps[0].analysis',
      value: {},
    });
    assert.match(less?.reason ?? '', /^less analysis is one approval/);
  });
});

describe('whose release it is', () => {
  const edited = (by: string | undefined, annotations = {}): Deployment =>
    ({ metadata: { name: 'web', annotations: { ...(by && { [CHANGED_BY]: by }), ...annotations } } }) as Deployment;
  const rules = policy('p', { approval: { required: 1, notAuthor: true } });
  const release = (history: Partial<HistoryEntry>[] = [], annotations = {}): Rollout => {
    const rollout = waiting();
    return {
      ...rollout,
      metadata: { ...rollout.metadata, annotations },
      status: { ...rollout.status!, history: history as HistoryEntry[] },
    };
  };
  const running = { rolloutID: 'r2', author: 'bob' };
  const superseded = { rolloutID: 'r1', author: 'alice', endTime: 't', outcome: 'Superseded' };
  const done = { rolloutID: 'r0', author: 'carol', endTime: 't', outcome: 'Completed' };

  it('is everybody’s whose template it is made of, and of who changed the plan', () => {
    const plan = JSON.stringify({ users: ['mallory'], id: '1' });
    const origin = originOf(release([running, superseded, done], { [PLAN_CHANGED]: plan }), edited('bob'));
    assert.deepEqual(origin, { authors: ['bob', 'alice'], planners: ['mallory'], unknown: false });
    for (const user of ['alice', 'bob', 'mallory'])
      assert.equal(judgeApprover([rules], { user, groups: [] }, origin).length, 1, user);
    assert.equal(judgeApprover([rules], { user: 'carol', groups: [] }, origin).length, 0);
  });

  for (const [what, rollout, deployment, extra] of [
    ['a person’s', release(), edited('alice'), 0],
    ['a ServiceAccount’s', release(), edited('system:serviceaccount:ci:bot'), 1],
    ['nobody’s that is known', release(), edited(undefined), 1],
    ['that of a Deployment nobody knows', release(), undefined, 1],
    [
      'one that no webhook saw, after another of alice’s',
      release(),
      edited('alice', {
        [HELD]: JSON.stringify({
          v: 1,
          rollout: 'demo',
          user: {
            paused: null,
            maxSurge: null,
            maxUnavailable: null,
            minReadySeconds: null,
            progressDeadlineSeconds: null,
          },
          stable: 'x',
          bypassed: 'not seen',
        }),
      }),
      1,
    ],
    [
      'a machine’s, on a plan of another machine’s',
      release([], { [PLAN_CHANGED]: JSON.stringify({ users: ['system:serviceaccount:ci:two'], id: '1' }) }),
      edited('system:serviceaccount:ci:bot'),
      2,
    ],
  ] as const) {
    it(`${what}: ${extra} more than the policy says, with notAuthor alone`, () => {
      const origin = originOf(rollout, deployment);
      assert.equal(requiredBy(rules, origin), 1 + extra);
      assert.equal(requiredBy(policy('q', { approval: { required: 1 } }), origin), 1);
    });
  }
});

describe('machine accounts', () => {
  const bot = 'system:serviceaccount:shop:bot';
  const of = ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'];
  for (const [what, rules, user, groups, expected] of [
    ['whoever has the verb', {}, bot, of, false],
    ['two people', { required: 2 }, bot, of, false],
    ['a group of people', { groups: ['managers'] }, bot, [...of, 'managers'], false],
    ['everybody who is authenticated', { groups: ['system:authenticated'] }, bot, of, false],
    ['this account', { users: [bot] }, bot, of, true],
    ['the ServiceAccounts of its namespace', { groups: ['system:serviceaccounts:shop'] }, bot, of, true],
    ['a node', {}, 'system:node:n1', ['system:nodes', 'system:authenticated'], false],
    ['everybody who is authenticated: a person', { groups: ['system:authenticated'] }, 'bob', of.slice(2), true],
  ] as const) {
    it(`${expected ? 'count' : 'do not count'} where the policy names ${what}`, () => {
      const found = judgeApprover([policy('p', { approval: rules })], { user, groups }, BY_ALICE);
      assert.equal(found.length === 0, expected);
      if (!expected) assert.match(sentence(found[0]!), /policy p does not list the machine account/);
    });
  }
});

describe('the record of approvals', () => {
  const two = [policy('p', { approval: { required: 2 } })];
  const by = (rollout: Rollout, policies: ReleasePolicy[], user: string, more: Partial<Approving> = {}) =>
    count({
      approver: { user, groups: [] },
      rollout,
      status: rollout.status!.canaryStatus!,
      deployment: undefined,
      policies,
      past: [],
      now: NOW,
      sha256,
      ...more,
    });
  const plan = planDigest(waiting(), waiting().status!.canaryStatus!, sha256);

  it('needs as many as the policy that enforces and asks for most', () => {
    assert.equal(requiredApprovals([]), 1);
    assert.equal(requiredApprovals([...two, policy('q', { approval: { required: 3 } })]), 3);
    assert.equal(requiredApprovals([policy('w', { enforcement: 'Warn', approval: { required: 3 } })]), 1);
  });

  it('counts people, each once', () => {
    const first = by(waiting(), two, 'bob');
    assert.deepEqual([first.given, first.required, first.enough, first.again], [1, 2, false, false]);
    assert.deepEqual(first.approvals, [entry({ time: '2026-01-05T10:05:00Z', plan })]);
    const again = by(waiting([entry({ plan })]), two, 'bob');
    assert.deepEqual([again.given, again.again, again.approvals.length], [1, true, 1]);
    const second = by(waiting([entry({ plan })]), two, 'carol');
    assert.deepEqual([second.given, second.enough, second.approvals.length], [2, true, 2]);
  });

  it('keeps of the groups those that a policy names, and which policies were gone past', () => {
    const policies = [
      policy('p', { approval: { groups: ['managers'], required: 2 } }),
      policy('q', { approval: { groups: ['sre'] } }),
      policy('r', {}),
    ];
    const { approvals, enough } = by(waiting(), policies, 'eve', {
      approver: { user: 'eve', groups: ['dev', 'sre'] },
      past: ['p', 'r'],
    });
    assert.deepEqual(approvals[0]?.groups, ['sre']);
    assert.deepEqual(approvals[0]?.past, ['p']);
    assert.equal(enough, true);
  });

  it('is judged again by what policies say now', () => {
    const rollout = waiting([entry({ plan, user: 'bob', groups: ['managers'] }), entry({ plan, user: 'carol' })]);
    const facts = { rollout, status: rollout.status!.canaryStatus!, deployment: undefined, sha256 };
    const given = (approval: ApprovalRules): number => standingOf([policy('p', { approval })], facts).given;
    assert.equal(given({ required: 2 }), 2);
    assert.equal(given({ required: 2, groups: ['managers'] }), 1);
    assert.equal(given({ required: 2, groups: ['sre'] }), 0);
  });

  for (const [what, change] of [
    ['its steps', (r: Rollout) => ({ ...r, spec: { ...r.spec, strategy: { canary: { steps: [{ replicas: 2 }] } } } })],
    ['its threshold', (r: Rollout) => withCanary(r, { failureThreshold: 1 })],
    ['its deadline', (r: Rollout) => withCanary(r, { stepDeadlineSeconds: 0 })],
    ['what follows a failure', (r: Rollout) => withCanary(r, { onFailure: 'Hold' })],
    [
      'the mark of an edit, though the plan is the same again',
      (r: Rollout) => ({
        ...r,
        metadata: { ...r.metadata, annotations: { [PLAN_CHANGED]: '{"users":["x"],"id":"2"}' } },
      }),
    ],
    [
      'the step that follows',
      (r: Rollout) => ({
        ...r,
        status: { ...r.status!, canaryStatus: { ...r.status!.canaryStatus!, nextStepIndex: 3 } },
      }),
    ],
  ] as const) {
    it(`does not count one for another plan: ${what}`, () => {
      const rollout = change(waiting([entry({ plan })])) as Rollout;
      const counted = by(rollout, two, 'carol');
      assert.deepEqual([counted.given, counted.enough], [1, false]);
    });
  }

  for (const [what, other] of [
    ['another step', { step: 2 }],
    ['another release', { rolloutID: 'r0' }],
    ['another template', { revision: 'old' }],
    ['an earlier visit of the step', { time: '2026-01-05T09:59:59Z' }],
  ] as const) {
    it(`does not count one for ${what}`, () => {
      const rollout = waiting([entry({ plan, ...other })]);
      assert.deepEqual(approvalsOf(rollout.status!.canaryStatus!), []);
      const counted = by(rollout, two, 'bob');
      assert.deepEqual([counted.given, counted.again, counted.approvals.length], [1, false, 2]);
    });
  }

  it('counts one that a slow clock has stamped', () => {
    const { approvals } = by(waiting(), [], 'bob', { now: NOW - 3_600_000 });
    assert.equal(approvalsOf(waiting([...approvals]).status!.canaryStatus!).length, 1);
  });
});

const withCanary = (rollout: Rollout, more: object): Rollout => ({
  ...rollout,
  spec: { ...rollout.spec, strategy: { canary: { ...rollout.spec.strategy.canary, ...more } } },
});
