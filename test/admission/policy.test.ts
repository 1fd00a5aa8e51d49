// Policies at admission: who reads what refusal, what is let through with a warning, and what is put on record.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { AdmissionDeps, PolicyReport } from '../../src/admission/deps.ts';
import { mutateWorkload, validateScaleToZero } from '../../src/admission/webhooks/workload.ts';
import { validatePolicyRequest } from '../../src/admission/webhooks/policy.ts';
import { readReview, type Answer } from '../../src/admission/review.ts';
import { mutateRollout, validateRolloutRequest } from '../../src/admission/webhooks/rollout.ts';
import * as keys from '../../src/api/keys.ts';
import type { ReleasePolicy, ReleasePolicySpec } from '../../src/api/policy.ts';
import type { Approval, Deployment, Rollout } from '../../src/api/types.ts';
import { readBreakGlass } from '../../src/engine/policy/break-glass.ts';
import { planDigest } from '../../src/engine/policy/plan.ts';
import { matching } from '../../src/engine/policy/policy.ts';
import { templateDigest } from '../../src/engine/lib/template.ts';
import { createCalendar } from '../../src/schedule/calendar.ts';
import { applyOps } from '../support/json-patch.ts';
import { policy, rolloutOf } from '../engine/policy/support.ts';
import { aDeployment, atOnce, aReview, aRollout, OPERATOR, someDeps, type Caches, type Json } from './support.ts';

const NOW = Date.parse('2026-01-05T10:05:00Z');
const as = (username: string, ...groups: string[]): Json => ({ userInfo: { username, groups } });
const FREEZE = { deny: [{ schedule: '0 9 * * MON', durationSeconds: 7200, reason: 'board meeting' }] };

interface World {
  readonly deps: AdmissionDeps;
  readonly reports: PolicyReport[];
}

const withPolicy = (
  spec: ReleasePolicySpec,
  caches: Caches = {},
  more: Partial<AdmissionDeps> = {},
  others: readonly ReleasePolicy[] = [],
): World => {
  const reports: PolicyReport[] = [];
  const policies = [policy('production', spec), ...others];
  const deps = someDeps(caches, {
    policy: {
      policiesFor: (namespace, workloadLabels) =>
        matching(policies, { namespace, namespaceLabels: {}, workloadLabels }, new Set()),
      inFlight: () => 2,
      calendar: createCalendar(),
      now: () => NOW,
      report: (report) => reports.push(report),
    },
    ...more,
  });
  return { deps, reports };
};
const outcomes = ({ reports }: World): string[] => reports.map(({ outcome, finding }) => `${outcome} ${finding.rule}`);

describe('a template change under a policy', () => {
  const rollouts = [aRollout(1, '50%', '100%')];
  const bare = (tag: string, annotations = {}): Deployment => aDeployment(tag, { labels: { app: 'web' }, annotations });
  const edit = ({ deps }: World, review: Json): Answer => atOnce(mutateWorkload(readReview(review), deps));

  it('is refused without a Rollout where one is required; nothing else of the Deployment is', () => {
    const world = withPolicy({ requireRollout: true });
    const answer = edit(world, aReview(bare('v2'), bare('v1')));
    assert.equal(
      answer.status?.message,
      'spec.template: Forbidden: policy production requires a Rollout, and this change would be rolled out without steps; ' +
        'create a Rollout whose workloadRef names Deployment web first',
    );
    assert.deepEqual(outcomes(world), ['denied requireRollout']);
    assert.equal(edit(world, aReview(bare('v1'))).status, undefined, 'a first version is no change');
    assert.equal(
      edit(world, aReview({ ...bare('v1'), spec: { ...bare('v1').spec, paused: true } }, bare('v1'))).status,
      undefined,
    );
    assert.equal(
      edit({ ...world, deps: withPolicy({ requireRollout: true }, { rollouts }).deps }, aReview(bare('v2'), bare('v1')))
        .verdict,
      'Held',
    );
  });

  it('is accepted under Warn with a warning, and under Audit in silence; both are reported', () => {
    const warn = withPolicy({ enforcement: 'Warn', requireRollout: true });
    assert.match(
      edit(warn, aReview(bare('v2'), bare('v1'))).warnings?.join() ?? '',
      /^tranche: policy production warns: spec.template/,
    );
    assert.deepEqual(outcomes(warn), ['warned requireRollout']);
    const audit = withPolicy({ enforcement: 'Audit', requireRollout: true });
    assert.deepEqual(edit(audit, aReview(bare('v2'), bare('v1'))).warnings, []);
    assert.deepEqual(outcomes(audit), ['audited requireRollout']);
  });

  it('tells nobody of a dry run', () => {
    const world = withPolicy({ requireRollout: true });
    assert.equal(edit(world, aReview(bare('v2'), bare('v1'), { dryRun: true })).verdict, 'Denied');
    assert.deepEqual(outcomes(world), []);
  });

  for (const [what, rollout, deployment] of [
    ['a disabled Rollout', { ...rollouts[0]!, spec: { ...rollouts[0]!.spec, disabled: true } }, bare('v2')],
    [
      'a Deployment without Pods: scaled up again it would run the new version at once',
      rollouts[0]!,
      { ...bare('v2'), spec: { ...bare('v2').spec, replicas: 0 } },
    ],
    [
      'the strategy Recreate',
      rollouts[0]!,
      { ...bare('v2'), spec: { ...bare('v2').spec, strategy: { type: 'Recreate' } } },
    ],
  ] as const) {
    it(`is no Rollout's with ${what}`, () => {
      const world = withPolicy({ requireRollout: true }, { rollouts: [rollout] });
      assert.match(
        edit(world, aReview(deployment, bare('v1'))).status?.message ?? '',
        /would be rolled out without steps \(Rollout demo does not release it\)/,
      );
    });
  }

  it('of a held Deployment is none where nobody releases it, and neither is un-pausing it', () => {
    const first = withPolicy({}, { rollouts });
    const held = applyOps(bare('v2'), edit(first, aReview(bare('v2'), bare('v1'))).patch ?? []);
    const world = withPolicy({ requireRollout: true });
    const next = { ...held, spec: { ...held.spec, template: bare('v3').spec.template } };
    assert.equal(edit(world, aReview(next, held)).verdict, 'Denied');
    assert.equal(edit(world, aReview({ ...held, spec: { ...held.spec, paused: false } }, held)).verdict, 'Denied');
  });

  it('of a DaemonSet that changes its placement too, or in a release, would start Pods on other nodes without steps', () => {
    const daemon = (tag: string, more: object = {}): Deployment => {
      const { spec, ...rest } = bare(tag);
      const { strategy: _, replicas: __, ...own } = spec as Deployment['spec'] & { strategy?: unknown };
      const placed = { ...own.template, spec: { ...own.template.spec, ...more } };
      const status = { observedGeneration: 1, desiredNumberScheduled: 10 };
      return { ...rest, kind: 'DaemonSet', spec: { ...own, template: placed }, status } as unknown as Deployment;
    };
    const [plain] = rollouts;
    const ref = { ...plain!.spec.workloadRef, kind: 'DaemonSet' };
    const of = { ...plain!, spec: { ...plain!.spec, workloadRef: ref } };
    const review = (next: Deployment, old: Deployment): Json =>
      aReview(next, old, { resource: { group: 'apps', version: 'v1', resource: 'daemonsets' } });
    const world = withPolicy({ requireRollout: true, protectInFlight: true }, { rollouts: [of] });
    const [near, far] = [{ nodeSelector: { disk: 'ssd' } }, { nodeSelector: { disk: 'hdd' } }];
    assert.equal(edit(world, review(daemon('v2', near), daemon('v1', near))).verdict, 'Held');
    const both = edit(world, review(daemon('v2', far), daemon('v1', near)));
    assert.match(
      both.status?.message ?? '',
      /^spec.template.spec.nodeSelector: Forbidden: takes effect on all nodes at once/,
    );
    const alone = edit(world, review(daemon('v1', far), daemon('v1', near)));
    assert.equal(alone.verdict, 'Held');
    const held = applyOps(daemon('v1', far), alone.patch ?? []);
    const template = daemon('v1', near).spec.template;
    const other = { ...template, metadata: { ...template.metadata, annotations: { other: 'x' } } };
    const during = edit(world, review({ ...held, spec: { ...held.spec, template: other } }, held));
    assert.match(during.status?.message ?? '', /change it when the release has ended/);
    assert.equal(edit(world, review({ ...held, spec: { ...held.spec, template } }, held)).verdict, 'RolledBack');
  });

  it('waits for its window; back to the stable version it does not', () => {
    const first = withPolicy({}, { rollouts });
    const held = applyOps(bare('v2'), edit(first, aReview(bare('v2'), bare('v1'))).patch ?? []);
    const world = withPolicy({ windows: FREEZE }, { rollouts });
    assert.match(
      edit(world, aReview(bare('v2'), bare('v1'))).status?.message ?? '',
      /production is closed until 2026-01-05T11:00:00Z \(board meeting\); try again after/,
    );
    const back = { ...held, spec: { ...held.spec, template: bare('v1').spec.template } };
    assert.equal(edit(world, aReview(back, held)).verdict, 'RolledBack');
  });

  it('is one too many, but a newer version of a release is not', () => {
    const world = withPolicy({ maxConcurrentReleases: 2 }, { rollouts });
    assert.match(
      edit(world, aReview(bare('v2'), bare('v1'))).status?.message ?? '',
      /allows 2 releases at a time in this namespace \(running: 2\)/,
    );
    const held = applyOps(bare('v2'), edit(withPolicy({}, { rollouts }), aReview(bare('v2'), bare('v1'))).patch ?? []);
    const newer = { ...held, spec: { ...held.spec, template: bare('v3').spec.template } };
    assert.equal(edit(world, aReview(newer, held)).verdict, 'Superseded');
  });

  it('is judged by the steps of a Rollout that was there before the policy', () => {
    const world = withPolicy({ steps: { minSteps: 5 } }, { rollouts });
    assert.match(
      edit(world, aReview(bare('v2'), bare('v1'))).status?.message ?? '',
      /steps: Invalid value: 3: must have at least 5 steps \(policy production\)/,
    );
  });

  describe('past which somebody goes', () => {
    const spec = { windows: FREEZE, breakGlass: { groups: ['sre'] } };
    const broken = (reason: string) => bare('v2', { [keys.BREAK_GLASS]: reason });

    it('is noted on the Deployment with who and why, and good for this once', () => {
      const world = withPolicy(spec, { rollouts });
      const answer = edit(world, aReview(broken('outage 7'), bare('v1'), as('eve', 'sre')));
      const stored = applyOps(broken('outage 7'), answer.patch ?? []);
      assert.equal(answer.verdict, 'Held');
      assert.match(answer.warnings?.join() ?? '', /policy production overridden; your reason is recorded/);
      assert.equal(stored.metadata.annotations?.[keys.BREAK_GLASS], undefined);
      assert.deepEqual(JSON.parse(stored.metadata.annotations?.[keys.GLASS_BROKEN] ?? ''), {
        user: 'eve',
        reason: 'outage 7',
        time: '2026-01-05T10:05:00Z',
        policies: ['production'],
        rolloutID: stored.metadata.labels?.[keys.ROLLOUT_ID],
        uid: 'd-1',
        template: digest(stored),
        stable: digest(bare('v1')),
      });
      assert.deepEqual(
        world.reports.map(({ outcome, user, breakGlass }) => [outcome, user, breakGlass]),
        [['broken', 'eve', 'outage 7']],
      );

      const reinvoked = edit(world, aReview(stored, bare('v1'), as('eve', 'sre')));
      assert.equal(reinvoked.verdict, 'Held', 'called again, since another webhook changed something');
      assert.equal(
        applyOps(stored, reinvoked.patch ?? []).metadata.annotations?.[keys.GLASS_BROKEN],
        stored.metadata.annotations?.[keys.GLASS_BROKEN],
      );
      assert.equal(
        edit(world, aReview(stored, bare('v1'), as('ed', 'dev'))).verdict,
        'Denied',
        'not by copying the note',
      );
      const again = {
        ...stored,
        metadata: broken('outage 7').metadata,
        spec: { ...stored.spec, template: bare('v3').spec.template },
      };
      assert.match(
        edit(world, aReview(again, stored, as('eve', 'sre'))).status?.message ?? '',
        /was already used for an earlier change/,
      );
    });

    it('opens the policies that name the group, and no other', () => {
      const dba = policy('databases', { breakGlass: { groups: ['dba'] } });
      const sre = policy('also-sre', { breakGlass: { groups: ['sre'] } });
      const answer = edit(
        withPolicy(spec, { rollouts }, {}, [dba, sre, policy('no-glass', {})]),
        aReview(broken('outage 7'), bare('v1'), as('eve', 'sre')),
      );
      const stored = applyOps(broken('outage 7'), answer.patch ?? []);
      assert.deepEqual(readBreakGlass(stored.metadata.annotations?.[keys.GLASS_BROKEN])?.policies, [
        'also-sre',
        'production',
      ]);
    });

    for (const [what, reason, groups, expected] of [
      ['another group', 'outage 7', ['dev'], /accepted only from a member of sre$/],
      ['no reason', ' ', ['sre'], /write a reason/],
    ] as const) {
      it(`is refused to ${what}`, () => {
        const world = withPolicy(spec, { rollouts });
        assert.match(
          edit(world, aReview(broken(reason), bare('v1'), as('eve', ...groups))).status?.message ?? '',
          expected,
        );
        assert.deepEqual(outcomes(world), ['denied windows']);
      });
    }

    it('cannot be claimed: what a user writes into our note is put back', () => {
      const forged = bare('v2', { [keys.GLASS_BROKEN]: '{"user":"boss","reason":"x","time":"t"}' });
      const { patch } = edit(withPolicy({}, { rollouts }), aReview(forged, bare('v1')));
      assert.equal(applyOps(forged, patch ?? []).metadata.annotations?.[keys.GLASS_BROKEN], undefined);
    });
  });

  it('paused by the API server itself is not taken for paused by its user', () => {
    const next = { ...bare('v2', { [keys.PAUSED_UNSEEN]: 'false' }), spec: { ...bare('v2').spec, paused: true } };
    const held = applyOps(next, edit(withPolicy({}, { rollouts }), aReview(next, bare('v1'))).patch ?? []);
    assert.equal(
      (JSON.parse(held.metadata.annotations?.[keys.HELD] ?? '') as { user: { paused: unknown } }).user.paused,
      null,
    );
    assert.equal(held.metadata.annotations?.[keys.PAUSED_UNSEEN], undefined);
    const free = applyOps(next, edit(withPolicy({}), aReview(next, bare('v1'))).patch ?? []);
    assert.equal(free.spec.paused, undefined, 'without a Rollout it goes on');
  });
});

describe('a Deployment in flight that is scaled to 0', () => {
  const running = { ...aRollout(1, '100%'), status: { ...rolloutOf([], {}).status! } };
  const scale = (replicas: number): Json => ({
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'web' },
    spec: { replicas },
  });
  const caches = { rollouts: [running], deployments: [aDeployment()] };
  const judge = (world: World, from = 10, to = 0): Answer =>
    validateScaleToZero(readReview(aReview(scale(to), scale(from), { subResource: 'scale' })), world.deps);

  it('is refused where releases are protected, and nowhere else', () => {
    const world = withPolicy({ protectInFlight: true }, caches);
    assert.match(
      judge(world).status?.message ?? '',
      /spec.replicas: Invalid value: 0: must be at least 1 during a release/,
    );
    assert.deepEqual(outcomes(world), ['denied protectInFlight']);
    assert.equal(judge(world, 10, 1).status, undefined);
    assert.equal(judge(world, 0, 0).status, undefined);
    assert.equal(judge(withPolicy({}, caches)).status, undefined);
    assert.equal(
      judge(withPolicy({ protectInFlight: true }, { ...caches, rollouts: [aRollout(1)] })).status,
      undefined,
    );
  });
});

const IN_RELEASE = { labels: { app: 'web', [keys.WORKLOAD_TYPE]: 'deployment', [keys.ROLLOUT_ID]: 'r1' } };
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const digest = ({ spec }: Deployment): string => templateDigest(spec.template, sha256);

describe('a Rollout under a policy', () => {
  const caches = { deployments: [aDeployment('v2', IN_RELEASE)] };
  const judge = async (world: World, review: Json): Promise<Answer> => {
    const request = readReview(review);
    const first = await mutateRollout(request, world.deps);
    if (first.status !== undefined) return first;
    const object = applyOps(request.object as Rollout, first.patch ?? []);
    const second = await validateRolloutRequest({ ...request, object }, world.deps);
    return { ...second, ...(first.patch && { patch: first.patch }) };
  };
  const message = async (world: World, review: Json): Promise<string> =>
    (await judge(world, review)).status?.message ?? '';

  it('is refused with steps that are not allowed, once for what must change', async () => {
    const world = withPolicy({ steps: { maxFirstStep: '10%', minSteps: 3 } }, caches);
    assert.equal(
      await message(world, aReview(aRollout('20%', '100%'))),
      '2 errors:\n- spec.strategy.canary.steps: Invalid value: 2: must have at least 3 steps (policy production); add steps\n' +
        '- spec.strategy.canary.steps[0].replicas: Invalid value: "20%": must be at most 10% in the first step (policy production); write 10% or less',
    );
    assert.deepEqual(outcomes(world), ['denied steps', 'denied steps']);
  });

  it('is accepted with a warning under Warn, reported once', async () => {
    const world = withPolicy({ enforcement: 'Warn', steps: { minSteps: 3 } }, caches);
    assert.match(
      (await judge(world, aReview(aRollout('20%', '100%')))).warnings?.join() ?? '',
      /warns: spec.strategy.canary.steps/,
    );
    assert.deepEqual(outcomes(world), ['warned steps']);
  });

  it('may be stopped whatever its steps are', async () => {
    const old = aRollout('20%', '100%');
    const stopped = { ...old, spec: { ...old.spec, strategy: { ...old.spec.strategy, paused: true } } };
    assert.equal(await message(withPolicy({ steps: { minSteps: 3 } }, caches), aReview(stopped, old)), '');
  });

  describe('in flight', () => {
    const old = { ...aRollout(1, '50%', '100%'), status: rolloutOf([], {}).status! };
    const spec = { protectInFlight: true, breakGlass: { groups: ['sre'] } };
    const deletion = (object: Rollout, who = as('alice')): Json =>
      aReview(object, object, { operation: 'DELETE', object: null, ...who });
    const disabled = { ...old, spec: { ...old.spec, disabled: true } };

    it('may be neither deleted nor disabled', async () => {
      const world = withPolicy(spec, caches);
      assert.match(
        validateAnswer(await validateRolloutRequest(readReview(deletion(old)), world.deps)),
        /cannot be deleted during its release/,
      );
      assert.match(
        await message(world, aReview(disabled, old)),
        /spec.disabled: Forbidden: cannot be set during a release/,
      );
      assert.deepEqual(outcomes(world), ['denied protectInFlight', 'denied protectInFlight']);
    });

    it('is deleted with its namespace', async () => {
      const who = as('system:serviceaccount:kube-system:namespace-controller');
      assert.equal(
        validateAnswer(await validateRolloutRequest(readReview(deletion(old, who)), withPolicy(spec, caches).deps)),
        '',
      );
    });

    it('is deleted by who broke the glass for this step, and by nobody else', async () => {
      const world = withPolicy(spec, caches);
      const marked = { ...old, metadata: { ...old.metadata, annotations: { [keys.BREAK_GLASS]: 'outage 7' } } };
      const answer = await judge(world, aReview(marked, old, as('eve', 'sre')));
      const stored: Rollout = applyOps<Rollout>(marked, answer.patch ?? []);
      assert.deepEqual(Object.keys(stored.metadata.annotations ?? {}), [keys.GLASS_BROKEN]);
      assert.deepEqual(readBreakGlass(stored.metadata.annotations?.[keys.GLASS_BROKEN])?.policies, ['production']);
      const remove = async (object: Rollout, who: Json): Promise<string> =>
        validateAnswer(await validateRolloutRequest(readReview(deletion(object, who)), world.deps));
      assert.equal(await remove(stored, as('eve', 'sre')), '');
      assert.match(await remove(stored, as('mallory', 'sre')), /cannot be deleted/);
      const later = { ...stored, status: rolloutOf([], { currentStepIndex: 2 }).status! };
      assert.match(await remove(later, as('eve', 'sre')), /cannot be deleted/, 'one step, one time');
      assert.match(
        await message(world, aReview(marked, stored, as('eve', 'sre'))),
        /was already used for an earlier change/,
      );
      assert.match(
        await message(world, aReview(marked, old, as('alice', 'dev'))),
        /accepted only from a member of sre; remove it/,
      );
    });

    it('cannot be marked by its user', async () => {
      const mark = {
        [keys.GLASS_BROKEN]: '{"user":"alice","reason":"x","time":"t","rolloutID":"r1","step":1}',
        [keys.APPROVED]: '{}',
      };
      const forged = { ...old, metadata: { ...old.metadata, annotations: mark } };
      const { patch } = await judge(withPolicy(spec, caches), aReview(forged, old));
      assert.deepEqual(applyOps(forged, patch ?? []).metadata.annotations, {});
    });

    it('goes on by a pause of 0 in the step that waits: who may not approve may not, and who may is put on record', async () => {
      const goOn = structuredClone(old) as { spec: { strategy: { canary: { steps: object[] } } } } & Rollout;
      goOn.spec.strategy.canary.steps[0] = { replicas: 1, pause: { duration: 0 } };
      const approval = { groups: ['managers'] };
      assert.match(
        await message(withPolicy({ approval }, caches), aReview(goOn, old)),
        /policy production does not list "alice" as an approver; ask a member of managers/,
      );
      const answer = await judge(withPolicy({ approval }, caches), aReview(goOn, old, as('mia', 'managers')));
      const record = JSON.parse(
        applyOps(goOn, answer.patch ?? []).metadata.annotations?.[keys.APPROVED] ?? '',
      ) as Approval;
      assert.deepEqual(record, {
        step: 1,
        rolloutID: 'r1',
        revision: 'abc',
        user: 'mia',
        time: '2026-01-05T10:05:00Z',
        groups: ['managers'],
        plan: planDigest(goOn, old.status.canaryStatus!, sha256),
      });
      assert.match(
        await message(withPolicy({ approval: { required: 2 } }, caches), aReview(goOn, old)),
        /a shorter pause is one approval/,
      );
      const denying = withPolicy({}, caches, {
        authorize: async ({ user }) => [{ field: 'approval by', value: user, reason: 'may not', remedy: 'ask' }],
      });
      assert.match(await message(denying, aReview(goOn, old)), /approval by: Invalid value: "alice": may not/);
    });
  });
});

const validateAnswer = (answer: Answer): string => answer.status?.message ?? '';

describe('an approval under a policy', () => {
  const deployment = aDeployment('v2', { ...IN_RELEASE, annotations: { [keys.CHANGED_BY]: 'alice' } });
  const caches = { deployments: [deployment] };
  const waiting = (more = {}): Rollout => ({ ...aRollout(1, '50%', '100%'), status: rolloutOf([], more).status! });
  const approving = (old: Rollout, more = {}): Rollout => ({
    ...old,
    status: { ...old.status!, canaryStatus: { ...old.status!.canaryStatus!, currentStepState: 'StepReady', ...more } },
  });
  /** What is stored, or why not. */
  const approve = async (
    world: World,
    old: Rollout,
    who: Json,
    next = approving(old),
  ): Promise<{ stored?: Rollout; said: string }> => {
    const request = readReview(aReview(next, old, { subResource: 'status', ...who }));
    const first = await mutateRollout(request, world.deps);
    if (first.status !== undefined) return { said: first.status.message };
    const object = applyOps(next, first.patch ?? []);
    const second = await validateRolloutRequest({ ...request, object }, world.deps);
    if (second.status !== undefined) return { said: second.status.message };
    return { stored: object, said: [...(first.warnings ?? []), ...(second.warnings ?? [])].join('\n') };
  };
  const planOf = (rollout: Rollout): string => planDigest(rollout, rollout.status!.canaryStatus!, sha256);
  const stateOf = (rollout: Rollout | undefined): unknown[] => {
    const status = rollout?.status?.canaryStatus;
    return [status?.currentStepState, status?.approvals?.map(({ user }) => user)];
  };

  it('is put on record without any policy, too', async () => {
    const { stored } = await approve(withPolicy({}, caches), waiting(), as('bob'));
    assert.equal(stored?.status?.canaryStatus?.currentStepState, 'StepReady');
    assert.deepEqual(stored?.status?.canaryStatus?.approvals, [
      { step: 1, rolloutID: 'r1', revision: 'abc', user: 'bob', time: '2026-01-05T10:05:00Z', plan: planOf(waiting()) },
    ]);
  });

  it('of two: the first is recorded and the step waits, the second lets it go on, the same person counts once', async () => {
    const world = withPolicy({ approval: { required: 2 } }, caches);
    const first = await approve(world, waiting(), as('bob'));
    assert.deepEqual(stateOf(first.stored), ['StepPaused', ['bob']]);
    assert.equal(first.said, 'tranche: 1 of 2 approvals: the step waits for more');
    const again = await approve(world, first.stored!, as('bob'));
    assert.deepEqual(stateOf(again.stored), ['StepPaused', ['bob']]);
    assert.match(again.said, /you already approved this step: 1 of 2/);
    const second = await approve(world, first.stored!, as('carol'));
    assert.deepEqual(stateOf(second.stored), ['StepReady', ['bob', 'carol']]);
  });

  it('of a jump is one like any other: each of the two approves it, and nobody makes it alone', async () => {
    const world = withPolicy({ approval: { required: 2 } }, caches);
    const jump = (old: Rollout) => approving(old, { nextStepIndex: 3 });
    const alone = approving(waiting(), { currentStepState: 'StepPaused', nextStepIndex: 3 });
    for (const required of [1, 2]) {
      const { said } = await approve(withPolicy({ approval: { required } }, caches), waiting(), as('bob'), alone);
      assert.match(said, /nextStepIndex: Forbidden: a jump to another step requires an approval/);
    }
    const usual = await approve(world, waiting(), as('bob'));
    const asked = await approve(world, usual.stored!, as('carol'), jump(usual.stored!));
    assert.deepEqual(stateOf(asked.stored), ['StepPaused', ['bob', 'carol']], 'bob approved the step, not the jump');
    assert.match(asked.said, /1 of 2 approvals/);
    const next = (rollout: Rollout | undefined) => rollout?.status?.canaryStatus?.nextStepIndex;
    assert.equal(next(asked.stored), 2, 'who approves next, and knows nothing of it, approves no jump');
    const both = await approve(world, asked.stored!, as('bob'), jump(asked.stored!));
    assert.deepEqual(stateOf(both.stored), ['StepReady', ['bob', 'carol', 'bob']]);
    assert.equal(next(both.stored), 3);
    const without = await approve(world, asked.stored!, as('dave'));
    assert.deepEqual(
      [stateOf(without.stored)[0], next(without.stored)],
      ['StepReady', 2],
      'bob and dave, without the jump',
    );
  });

  it('is one of a ServiceAccount only where it is named', async () => {
    const bot = as('system:serviceaccount:shop:bot', 'system:serviceaccounts', 'system:serviceaccounts:shop');
    assert.match(
      (await approve(withPolicy({ approval: { required: 2 } }, caches), waiting(), bot)).said,
      /policy production does not list the machine account "system:serviceaccount:shop:bot"/,
    );
    const named = withPolicy({ approval: { users: ['system:serviceaccount:shop:bot'] } }, caches);
    assert.equal(stateOf((await approve(named, waiting(), bot)).stored)[0], 'StepReady');
    assert.equal(stateOf((await approve(withPolicy({}, caches), waiting(), bot)).stored)[0], 'StepReady', 'no policy');
  });

  it('wants one more person with notAuthor where the author is a machine account, or not known', async () => {
    const authors: Record<string, string>[] = [{ [keys.CHANGED_BY]: 'system:serviceaccount:ci:bot' }, {}];
    for (const annotations of authors) {
      const deployments = [aDeployment('v2', { ...IN_RELEASE, annotations })];
      const world = withPolicy({ approval: { notAuthor: true } }, { deployments });
      const first = await approve(world, waiting(), as('bob'));
      assert.deepEqual(stateOf(first.stored), ['StepPaused', ['bob']]);
      assert.match(first.said, /1 of 2 approvals/);
      assert.equal(stateOf((await approve(world, first.stored!, as('carol'))).stored)[0], 'StepReady');
    }
  });

  it('cannot be forged by who would write it: not its groups, nor its time, nor what was gone past', async () => {
    const world = withPolicy({ approval: { required: 2, users: ['bob'], groups: ['managers'] } }, caches);
    const own = {
      step: 1,
      rolloutID: 'r1',
      revision: 'abc',
      user: 'bob',
      time: '2026-01-05T10:05:00Z',
      plan: planOf(waiting()),
    };
    for (const more of [
      { groups: ['managers'] },
      { past: ['production'] },
      { time: '2099-01-01T00:00:00Z' },
      { plan: 'x' },
    ]) {
      const next = approving(waiting(), { currentStepState: 'StepPaused', approvals: [{ ...own, ...more }] });
      assert.match(
        (await approve(world, waiting(), as('bob'), next)).said,
        /only the operator writes this (field|state)/,
      );
    }
  });

  it('that only chooses the step that follows is refused where approvals are required', async () => {
    const alone = approving(waiting(), { currentStepState: 'StepPaused', nextStepIndex: 3 });
    const world = withPolicy({ approval: { groups: ['managers'] } }, caches);
    assert.match(
      (await approve(world, waiting(), as('mia', 'managers'), alone)).said,
      /^status\.canaryStatus\.nextStepIndex: Forbidden: .*set status\.canaryStatus\.currentStepState to StepReady in the same/,
    );
    assert.equal((await approve(withPolicy({}, caches), waiting(), as('bob'), alone)).said, '', 'it jumps at once');
  });

  it('is refused to the author, and to whoever is not named', async () => {
    const world = withPolicy({ approval: { groups: ['managers'], notAuthor: true } }, caches);
    assert.match((await approve(world, waiting(), as('alice', 'managers'))).said, /"alice" changed the template/);
    assert.match(
      (await approve(world, waiting(), as('dave', 'dev'))).said,
      /policy production does not list "dave" as an approver; ask a member of managers/,
    );
    assert.deepEqual(stateOf((await approve(world, waiting(), as('mia', 'managers'))).stored), ['StepReady', ['mia']]);
    assert.deepEqual(outcomes(world), ['denied approval', 'denied approval']);
  });

  it('is accepted with a warning under Warn', async () => {
    const world = withPolicy({ enforcement: 'Warn', approval: { users: ['bob'] } }, caches);
    const { stored, said } = await approve(world, waiting(), as('dave'));
    assert.deepEqual(stateOf(stored), ['StepReady', ['dave']]);
    assert.match(said, /warns: approval: Forbidden: policy production does not list "dave"/);
  });

  it('needs the verb, whatever policies say', async () => {
    const authorize: AdmissionDeps['authorize'] = async ({ user }) => [
      { field: 'approval by', value: user, reason: 'may not approve', remedy: 'ask' },
    ];
    assert.match(
      (await approve(withPolicy({}, caches, { authorize }), waiting(), as('bob'))).said,
      /"bob": may not approve; ask/,
    );
    assert.match(
      (await approve(withPolicy({ approval: { required: 2 } }, caches, { authorize }), waiting(), as('bob'))).said,
      /"bob": may not approve; ask/,
      'the first of two, too',
    );
  });

  it('cannot be forged, nor anybody else’s be taken away', async () => {
    const world = withPolicy({ approval: { required: 2 } }, caches);
    const record = (user: string) => ({
      step: 1,
      rolloutID: 'r1',
      revision: 'abc',
      user,
      time: '2026-01-05T10:05:00Z',
    });
    for (const approvals of [[record('carol')], [record('bob'), record('carol')]]) {
      assert.match(
        (await approve(world, waiting(), as('bob'), approving(waiting(), { approvals }))).said,
        /approvals: Forbidden: only the operator writes this field/,
      );
    }
    const old = waiting({ approvals: [record('carol')] });
    assert.match(
      (await approve(world, old, as('bob'), approving(old, { approvals: [record('dave')] }))).said,
      /only the operator writes this (field|state)/,
    );
    const quiet = {
      ...old,
      status: {
        ...old.status!,
        canaryStatus: { ...old.status!.canaryStatus!, approvals: [record('carol'), record('dave')] },
      },
    };
    assert.match((await approve(world, old, as('bob'), quiet)).said, /only the operator writes this (field|state)/);
  });

  it('keeps the record when a client drops it', async () => {
    const world = withPolicy({ approval: { required: 2 } }, caches);
    const first = await approve(world, waiting(), as('bob'));
    const { approvals: _, ...known } = approving(first.stored!).status!.canaryStatus!;
    const next = { ...first.stored!, status: { ...first.stored!.status!, canaryStatus: known } };
    assert.deepEqual(stateOf((await approve(world, first.stored!, as('carol'), next)).stored), [
      'StepReady',
      ['bob', 'carol'],
    ]);
  });

  it('of a step that does not wait says which one is there', async () => {
    const moving = waiting({ currentStepIndex: 2, currentStepState: 'StepUpgrade' });
    assert.match(
      (await approve(withPolicy({}, caches), moving, as('bob'))).said,
      /step 2 of 3 is in state StepUpgrade; write StepReady when the state is StepPaused/,
    );
  });

  it('goes past the rules with broken glass, for this step', async () => {
    const world = withPolicy(
      { approval: { required: 2, groups: ['managers'] }, breakGlass: { groups: ['sre'] } },
      caches,
    );
    const glass = JSON.stringify({
      user: 'eve',
      reason: 'outage 7',
      time: 't',
      rolloutID: 'r1',
      uid: 'd-1',
      template: digest(deployment),
      step: 1,
    });
    const marked = { ...waiting(), metadata: { ...waiting().metadata, annotations: { [keys.GLASS_BROKEN]: glass } } };
    assert.deepEqual(stateOf((await approve(world, marked, as('eve', 'sre'))).stored), ['StepReady', ['eve']]);
    assert.deepEqual(outcomes(world), ['broken approval']);
    assert.match((await approve(world, marked, as('dave', 'sre'))).said, /does not list "dave" as an approver/);
    const other = policy('databases', { approval: { required: 2 }, breakGlass: { groups: ['dba'] } });
    const both = withPolicy(
      { approval: { required: 3, groups: ['managers'] }, breakGlass: { groups: ['sre'] } },
      caches,
      {},
      [other],
    );
    const { stored, said } = await approve(both, marked, as('eve', 'sre'));
    assert.deepEqual(stateOf(stored), ['StepPaused', ['eve']], 'the other policy still wants two');
    assert.match(said, /1 of 2 approvals/);
  });

  it('is nothing that the operator is asked about', async () => {
    const own = { userInfo: { username: OPERATOR }, options: { fieldManager: 'tranche' }, subResource: 'status' };
    const world = withPolicy({ approval: { users: ['bob'] } }, caches);
    assert.equal(
      (await validateRolloutRequest(readReview(aReview(approving(waiting()), waiting(), own)), world.deps)).verdict,
      'Passed',
    );
  });
});

describe('the webhook for ReleasePolicies', () => {
  const judge = (spec: object): string =>
    validateAnswer(
      validatePolicyRequest(readReview(aReview(policy('p', spec as ReleasePolicySpec))), withPolicy({}).deps),
    );

  it('refuses what could not be kept, all of it at once', () => {
    assert.equal(judge({ windows: FREEZE, approval: { required: 2 } }), '');
    assert.match(
      judge({ windows: { timeZone: 'Mars' }, breakGlass: { groups: [] } }),
      /2 errors:\n- spec.windows.timeZone: Invalid value: "Mars"/,
    );
    assert.match(judge({ steps: { maxFirstStep: '200%' } }), /spec.steps.maxFirstStep: Invalid value: "200%"/);
    assert.match(
      judge({ enforcement: 'deny' }),
      /spec.enforcement: Unsupported value: "deny": write Deny or Warn or Audit/,
    );
    assert.match(
      judge({ minSteps: 'x', steps: { minSteps: 'x' } }),
      /spec.steps.minSteps: Invalid value: "x": must be of type integer/,
    );
  });
});
