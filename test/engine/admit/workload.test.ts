// What becomes of an edit of a Deployment: the rules in the order in which a release meets them, then what policies add to them.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { Deployment, Rollout } from '../../../src/api/types.ts';
import type { AdmissionDecision, AdmissionVerdict, Facts } from '../../../src/engine/admit/decision.ts';
import { admitWorkload } from '../../../src/engine/admit/workload.ts';
import { readHeld, settingsOf } from '../../../src/engine/workload/deployment/hold.ts';
import { policy } from '../policy/support.ts';
import { asDigest } from '../../support/digests.ts';
import { applyOps } from '../../support/json-patch.ts';
import {
  alice,
  annotated,
  as,
  demo,
  digestOf,
  disabled,
  FREEZE,
  held,
  operator,
  outcomes,
  policiesOf,
  refusal,
  releasingFrom,
  stored,
  warningsOf,
  web,
  withSpec,
  withVersion,
  workloadFacts,
} from './support.ts';

const admit = (
  old: Deployment | undefined,
  next: Deployment,
  rollout: Rollout | undefined = demo(),
  more: Partial<Facts> = {},
): AdmissionDecision => admitWorkload(workloadFacts(old, next, rollout, more));
const without = (old: Deployment | undefined, next: Deployment, more: Partial<Facts> = {}): AdmissionDecision =>
  admitWorkload(workloadFacts(old, next, undefined, more));

const v1 = web('v1');
const v2 = withVersion(v1, 'v2');
const restarted = withSpec(v1, {
  template: {
    ...v1.spec.template,
    metadata: { ...v1.spec.template.metadata, annotations: { 'kubectl.kubernetes.io/restartedAt': '2026-01-05' } },
  },
});
const recreate = { strategy: { type: 'Recreate' } };
const withoutSteps = demo(undefined, []);
const native = annotated(demo(), { [keys.ON_RESTART]: 'Native' });
const marked = (deployment: Deployment): Deployment => {
  const record = readHeld(deployment);
  assert.ok(record);
  return annotated(deployment, { [keys.HELD]: JSON.stringify({ ...record, marks: true }) });
};

interface Row {
  readonly when: string;
  readonly old?: Deployment;
  readonly next: Deployment;
  /** `null`: no Rollout names the Deployment. */
  readonly rollout?: Rollout | null;
  readonly then: AdmissionVerdict;
  /** What the user reads. */
  readonly says?: RegExp;
  readonly pauses?: boolean;
}

const table = (rows: readonly Row[]): void => {
  for (const { when, old, next, rollout = demo(), then, says, pauses } of rows) {
    it(`${when}: ${then}`, () => {
      const decision = rollout === null ? without(old, next) : admit(old, next, rollout);
      assert.equal(decision.verdict, then);
      if (says) assert.match(`${warningsOf(decision)}${refusal(decision)}`, says);
      else assert.equal(`${warningsOf(decision)}${refusal(decision)}`, '');
      if (pauses !== undefined) assert.equal(stored(next, decision).spec.paused ?? false, pauses);
    });
  }
};

describe('an edit of a Deployment at rest', () => {
  table([
    { when: 'a new Deployment that a Rollout names', next: v1, then: 'Enrolled', pauses: false },
    { when: 'a new Deployment that nobody names', next: v1, rollout: null, then: 'Passed', pauses: false },
    {
      when: 'a new template starts a release',
      old: v1,
      next: v2,
      then: 'Held',
      says: /releases this in 3 steps/,
      pauses: true,
    },
    {
      when: 'a restart is a release as well',
      old: v1,
      next: restarted,
      then: 'Held',
      says: /restarts the Pods/,
      pauses: true,
    },
    { when: 'a scale starts nothing', old: v1, next: withSpec(v1, { replicas: 3 }), then: 'Passed', pauses: false },
    { when: 'a new template that nobody releases', old: v1, next: v2, rollout: null, then: 'Passed', pauses: false },
    {
      when: 'a disabled Rollout stands aside',
      old: v1,
      next: v2,
      rollout: disabled(),
      then: 'Bypassed',
      says: /demo is disabled/,
      pauses: false,
    },
    {
      when: 'a Rollout without steps cannot release',
      old: v1,
      next: v2,
      rollout: withoutSteps,
      then: 'Bypassed',
      says: /has no spec.strategy.canary.steps/,
      pauses: false,
    },
    {
      when: 'without Pods there are no steps',
      old: v1,
      next: withSpec(v2, { replicas: 0 }),
      then: 'Bypassed',
      says: /has 0 replicas/,
    },
    {
      when: 'nor under Recreate',
      old: withSpec(v1, recreate),
      next: withSpec(v2, recreate),
      then: 'Bypassed',
      says: /web has strategy Recreate/,
    },
    {
      when: 'a restart that the Rollout wants in one go',
      old: v1,
      next: restarted,
      rollout: native,
      then: 'Bypassed',
      says: /restarts in a normal rolling update/,
    },
    {
      when: 'Recreate at rest is the user’s to choose',
      old: v1,
      next: withSpec(v1, recreate),
      then: 'Passed',
      says: /cannot release Deployment web in steps: strategy Recreate replaces all Pods/,
    },
  ]);

  it('is held with nothing moved: the user’s settings are in the record, and the new version gets no Pod', () => {
    const after = held();
    const record = readHeld(after);
    assert.deepEqual(record?.user, settingsOf(v1));
    assert.equal(record?.stable, digestOf(v1));
    assert.deepEqual(settingsOf(after), { ...settingsOf(v1), paused: true, maxSurge: 0, maxUnavailable: 1 });
    assert.equal(after.metadata.annotations?.[keys.CHANGED_BY], 'alice');
    assert.match(after.metadata.labels?.[keys.ROLLOUT_ID] ?? '', /^[0-9a-f]{16}$/);
  });
});

describe('an edit in the middle of a release', () => {
  const running = held();
  const unpaused = withSpec(running, { paused: false });
  table([
    {
      when: 'the stable version again',
      old: running,
      next: withVersion(running, 'v1'),
      rollout: releasingFrom('v1'),
      then: 'RolledBack',
      says: /rolls back immediately/,
      pauses: false,
    },
    {
      when: 'the same where the status does not confirm what is stable',
      old: running,
      next: withVersion(running, 'v1'),
      rollout: demo({ stableDigest: asDigest('other') }),
      then: 'RolledBack',
      says: /rolls back shortly/,
      pauses: true,
    },
    {
      when: 'the same while Pods carry marks',
      old: marked(running),
      next: withVersion(marked(running), 'v1'),
      rollout: releasingFrom('v1'),
      then: 'RolledBack',
      says: /rolls back shortly/,
      pauses: true,
    },
    {
      when: 'a newer version',
      old: running,
      next: withVersion(running, 'v3'),
      then: 'Superseded',
      says: /replaces its current release and releases this from step 1/,
      pauses: true,
    },
    {
      when: 'somebody takes the pause off',
      old: running,
      next: unpaused,
      then: 'Kept',
      says: /stays held: Rollout demo releases it in steps/,
      pauses: true,
    },
    {
      when: 'the same, and nobody releases it any more',
      old: running,
      next: unpaused,
      rollout: disabled(),
      then: 'Freed',
      says: /continues as a normal rolling update/,
      pauses: false,
    },
    {
      when: 'a newer version that nobody releases',
      old: running,
      next: withVersion(running, 'v3'),
      rollout: null,
      then: 'Passed',
      says: /is still held, but Rollout demo no longer releases it/,
      pauses: true,
    },
    { when: 'a scale', old: running, next: withSpec(running, { replicas: 20 }), then: 'Passed', pauses: true },
    {
      when: 'another budget',
      old: running,
      next: withSpec(running, {
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '50%', maxUnavailable: 1 } },
      }),
      then: 'Kept',
      says: /maxSurge recorded/,
      pauses: true,
    },
    {
      when: 'the strategy Recreate',
      old: running,
      next: withSpec(running, recreate),
      then: 'Refused',
      says: /spec.strategy.type: Forbidden: cannot change while Rollout demo releases/,
    },
  ]);

  it('frees a rollback as its user wrote the Deployment', () => {
    const back = withVersion(running, 'v1');
    const after = stored(back, admit(running, back, releasingFrom('v1')));
    assert.deepEqual(settingsOf(after), settingsOf(v1));
    assert.equal(after.metadata.annotations?.[keys.HELD], undefined);
  });

  it('begins a new release with a newer version, and what is stable stays so', () => {
    const next = withVersion(running, 'v3');
    const after = stored(next, admit(running, next, releasingFrom('v1')));
    assert.equal(readHeld(after)?.stable, digestOf(v1));
    assert.notEqual(after.metadata.labels?.[keys.ROLLOUT_ID], running.metadata.labels?.[keys.ROLLOUT_ID]);
  });
});

describe('whose edit it is', () => {
  it('the operator’s own writes pass unchanged, a person with the same name does not', () => {
    assert.deepEqual(admit(v1, v2, demo(), { by: operator }), { verdict: 'Passed' });
    assert.equal(admit(v1, v2, demo(), { by: { ...operator, fieldManager: 'kubectl' } }).verdict, 'Held');
  });

  it('the operator’s own write that gives a Deployment back leaves its fields to their owners', () => {
    const owner = { manager: 'helm', operation: 'Apply', apiVersion: 'apps/v1', fields: ['maxSurge'] };
    const ours = { manager: 'tranche', operation: 'Update', time: '2026-01-05T10:05:00Z' };
    const back = annotated(v1, { [keys.FIELD_OWNERS]: JSON.stringify([owner]) });
    const next = { ...back, metadata: { ...back.metadata, managedFields: [ours] } };
    const { verdict, patch } = admit(v1, next, demo(), { by: operator });
    assert.equal(verdict, 'Passed');
    const after = applyOps(next, patch ?? []).metadata as { managedFields?: { manager: string }[] };
    assert.deepEqual([after.managedFields?.map(({ manager }) => manager), patch?.length], [['helm'], 2]);
    assert.notDeepEqual(admit(v1, next, demo()).patch, patch);
  });

  it('deletions and subresources are nobody’s to hold', () => {
    for (const more of [{ operation: 'DELETE' }, { operation: 'CONNECT' }, { subResource: 'status' }])
      assert.deepEqual(admit(v1, v2, demo(), more), { verdict: 'Passed' });
  });

  it('while caches are empty an enrolled Deployment is refused, and any other passes', () => {
    const notReady = 'the list of Rollouts is not read yet';
    const foreign = web('v1', {}, { labels: {} });
    assert.deepEqual(admit(v1, v2, demo(), { notReady }), { verdict: 'NotReady', notReady });
    assert.deepEqual(admit(v1, foreign, demo(), { notReady }), { verdict: 'NotReady', notReady });
    assert.deepEqual(admit(foreign, withVersion(foreign, 'v2'), demo(), { notReady }), { verdict: 'Passed' });
  });

  it('what became of it is told, but not of a dry run', () => {
    const { decided } = admit(v1, v2);
    assert.deepEqual(decided, {
      request: 'review-1',
      verdict: 'Held',
      namespace: 'shop',
      name: 'web',
      rollout: 'demo',
      user: 'alice',
    });
    const dry = admit(v1, v2, demo(), { by: { ...alice, dryRun: true } });
    assert.equal(dry.decided, undefined);
    assert.deepEqual(dry.patch, admit(v1, v2).patch);
  });

  it('nothing is said where users are not to be warned', () => {
    assert.deepEqual(admit(v1, v2, demo(), { warns: false }).warnings, []);
  });
});

describe('a release that OpenKruise left, taken over', () => {
  const left = annotated(withSpec(v2, { paused: true }), { [keys.IN_PROGRESSING]: '{"rolloutName":"demo"}' });
  const record = held().metadata.annotations?.[keys.HELD] ?? '';
  const taking = annotated(left, { [keys.HELD]: record });

  it('needs a right: the decision says which, and is taken with the answer', () => {
    assert.deepEqual(admit(left, taking).needs, { access: { verb: 'takeover', rollout: demo() } });
    const allowed = admit(left, taking, demo(), { answers: { access: [] } });
    assert.deepEqual([allowed.verdict, allowed.needs, allowed.decided?.verdict], ['TakenOver', undefined, 'TakenOver']);
    const objection = { field: 'takeover by', value: 'alice', reason: 'may not', remedy: 'ask' };
    const denied = admit(left, taking, demo(), { answers: { access: [objection] } });
    assert.deepEqual([denied.verdict, denied.violations, denied.decided?.verdict], ['Refused', [objection], 'Refused']);
  });
});

describe('an edit of a Deployment under a policy', () => {
  const under = (spec: ReleasePolicySpec, more: Partial<Facts> = {}): Partial<Facts> => ({
    policies: policiesOf(policy('production', spec)),
    ...more,
  });
  const running = held();
  const back = withVersion(running, 'v1');

  for (const [when, spec, decide, expected] of [
    [
      'a change without a Rollout where one is required',
      { requireRollout: true },
      (more) => without(v1, v2, more),
      /requires a Rollout/,
    ],
    [
      'a change that its Rollout does not release',
      { requireRollout: true },
      (more) => admit(v1, v2, disabled(), more),
      /without steps \(Rollout demo does not release it\)/,
    ],
    [
      'un-pausing a release that nobody governs',
      { requireRollout: true },
      (more) => without(running, withSpec(running, { paused: false }), more),
      /requires a Rollout/,
    ],
    [
      'a change in a closed window',
      { windows: FREEZE },
      (more) => admit(v1, v2, demo(), more),
      /closed until 2026-01-05T11:00:00Z/,
    ],
    [
      'one release too many',
      { maxConcurrentReleases: 2 },
      (more) => admit(v1, v2, demo(), more),
      /policy production allows 2 releases at a time/,
    ],
    [
      'steps that a policy does not allow',
      { steps: { minSteps: 5 } },
      (more) => admit(v1, v2, demo(), more),
      /must have at least 5 steps \(policy production\)/,
    ],
  ] as readonly (readonly [string, ReleasePolicySpec, (more: Partial<Facts>) => AdmissionDecision, RegExp])[]) {
    it(`${when} is denied, warned of or only reported, as the policy says`, () => {
      const deny = decide(under(spec));
      assert.equal(deny.verdict, 'Denied');
      assert.match(refusal(deny), expected);
      assert.equal(deny.patch, undefined);
      assert.match(outcomes(deny).join(), /^denied/);
      const warn = decide(under({ ...spec, enforcement: 'Warn' }));
      assert.equal(warn.violations, undefined);
      assert.match(warningsOf(warn), expected);
      assert.match(outcomes(warn).join(), /^warned/);
      const audit = decide(under({ ...spec, enforcement: 'Audit' }));
      assert.equal(audit.violations, undefined);
      assert.doesNotMatch(warningsOf(audit), expected);
      assert.match(outcomes(audit).join(), /^audited/);
    });
  }

  for (const [when, decide] of [
    ['going back', (more) => admit(running, back, releasingFrom('v1'), more)],
    ['an edit beside the release', (more) => admit(running, withSpec(running, { replicas: 5 }), demo(), more)],
    ['a first version', (more) => admit(undefined, v1, demo(), more)],
    ['a restart that the Rollout wants in one go', (more) => admit(v1, restarted, native, more)],
  ] as readonly (readonly [string, (more: Partial<Facts>) => AdmissionDecision])[]) {
    it(`${when} is nobody’s to judge`, () => {
      const decision = decide(under({ windows: FREEZE, requireRollout: true, maxConcurrentReleases: 0 }));
      assert.equal(decision.violations, undefined);
      assert.deepEqual(outcomes(decision), []);
    });
  }

  it('a newer version takes no second place among the releases', () => {
    assert.equal(
      admit(running, withVersion(running, 'v3'), demo(), under({ maxConcurrentReleases: 1 })).verdict,
      'Superseded',
    );
  });

  it('a rule of ours counts before a policy: what cannot be done is refused, and not reported', () => {
    const decision = admit(running, withSpec(withVersion(running, 'v3'), recreate), demo(), under({ windows: FREEZE }));
    assert.deepEqual([decision.verdict, outcomes(decision)], ['Refused', []]);
  });

  it('nothing is reported of a dry run, which is denied all the same', () => {
    const decision = admit(v1, v2, demo(), under({ windows: FREEZE }, { by: { ...alice, dryRun: true } }));
    assert.deepEqual([decision.verdict, outcomes(decision)], ['Denied', []]);
  });

  describe('past which somebody goes', () => {
    const spec = { windows: FREEZE, breakGlass: { groups: ['sre'] } };
    const eve = as('eve', 'sre');
    const why = (deployment: Deployment, reason: string): Deployment =>
      annotated(deployment, { [keys.BREAK_GLASS]: reason });

    it('releases, and who, why and for which release are noted', () => {
      const next = why(v2, 'outage 7');
      const decision = admit(v1, next, demo(), under(spec, { by: eve }));
      assert.equal(decision.verdict, 'Held');
      assert.deepEqual(outcomes(decision), ['broken windows']);
      assert.match(warningsOf(decision), /policy production overridden; your reason is recorded/);
      const after = stored(next, decision);
      assert.equal(after.metadata.annotations?.[keys.BREAK_GLASS], undefined, 'good for one change');
      assert.deepEqual(JSON.parse(after.metadata.annotations?.[keys.GLASS_BROKEN] ?? ''), {
        user: 'eve',
        reason: 'outage 7',
        time: '2026-01-05T10:05:00Z',
        policies: ['production'],
        rolloutID: after.metadata.labels?.[keys.ROLLOUT_ID],
        uid: 'd-1',
        template: digestOf(v2),
        stable: digestOf(v1),
      });
      const again = admit(v1, after, demo(), under(spec, { by: eve }));
      assert.equal(again.verdict, 'Held', 'called again for the same edit');
      assert.deepEqual(stored(after, again), after);
      const copied = admit(v1, after, demo(), under(spec, { by: as('ed', 'sre') }));
      assert.equal(copied.verdict, 'Denied', 'not by a copy of the note');
    });

    for (const [when, by, reason, expected] of [
      ['somebody of another group', as('ed', 'dev'), 'outage 7', /accepted only from a member of sre/],
      ['somebody without a reason', eve, ' ', /write a reason/],
    ] as const) {
      it(`is not open to ${when}`, () => {
        const decision = admit(v1, why(v2, reason), demo(), under(spec, { by }));
        assert.deepEqual([decision.verdict, outcomes(decision)], ['Denied', ['denied windows']]);
        assert.match(refusal(decision), expected);
      });
    }

    it('is open once: the reason of an earlier change is none', () => {
      const first = stored(why(v2, 'outage 7'), admit(v1, why(v2, 'outage 7'), demo(), under(spec, { by: eve })));
      const next = why(withVersion(first, 'v3'), 'outage 7');
      assert.match(
        refusal(admit(first, next, demo(), under(spec, { by: eve }))),
        /was already used for an earlier change/,
      );
      const history = [{ rolloutID: 'r0', brokenGlass: [{ user: 'eve', reason: 'outage 7', time: 't' }] }];
      const known = { ...demo({}), status: { ...demo({}).status, history } } as unknown as Rollout;
      assert.match(
        refusal(admit(v1, why(v2, 'outage 7'), known, under(spec, { by: eve }))),
        /already used for an earlier change/,
      );
    });

    it('cannot be claimed by writing our mark', () => {
      const forged = annotated(v2, { [keys.GLASS_BROKEN]: '{"user":"boss","reason":"x","time":"t"}' });
      assert.equal(stored(forged, admit(v1, forged)).metadata.annotations?.[keys.GLASS_BROKEN], undefined);
    });
  });
});
