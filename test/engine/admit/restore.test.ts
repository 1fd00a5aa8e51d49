// A change back to a completed version at admission: what the webhooks do with it, and who may approve it with `undo --now`.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { Json } from '../../../src/api/json.ts';
import type { CompletedVersion, Deployment, RollbackWindow, Rollout, TemplateDigest } from '../../../src/api/types.ts';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { AdmissionDecision, Facts } from '../../../src/engine/admit/decision.ts';
import { admitStatus, mendStatus } from '../../../src/engine/admit/rollout-status.ts';
import { admitWorkload } from '../../../src/engine/admit/workload.ts';
import { restoreDropped } from '../../../src/engine/validate/status.ts';
import { rows } from '../build.ts';
import { policy } from '../policy/support.ts';
import {
  as,
  demo,
  digestOf,
  facts,
  FREEZE,
  held,
  NOW,
  policiesOf,
  refusal,
  sha256,
  stored,
  warningsOf,
  web,
  withVersion,
  workloadFacts,
} from './support.ts';

const at = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString().replace('.000', '');
const D = (version: string): TemplateDigest => digestOf(web(version));
const completed = (version: string, more: object = {}): CompletedVersion => ({
  workload: 'Deployment/web',
  templateDigest: D(version),
  revision: version,
  completedTime: at(9_000),
  ...more,
});
/** v2 is stable, v1 was completed before. */
const resting = (rollbackWindow?: RollbackWindow): Rollout => {
  const rollout = demo({ templateDigest: D('v2'), stableDigest: D('v2'), currentStepState: 'Completed' });
  const canary = { ...rollout.spec.strategy.canary, ...(rollbackWindow && { rollbackWindow }) };
  const completedVersions = [completed('v2'), completed('v1', { replacedTime: at(300) })];
  return {
    ...rollout,
    spec: { ...rollout.spec, strategy: { canary } },
    status: { ...rollout.status!, phase: 'Healthy', completedVersions },
  };
};
const running = web('v2', {}, { labels: { app: 'web', [keys.WORKLOAD_TYPE]: 'deployment', [keys.ROLLOUT_ID]: 'r1' } });
const under = (...specs: ReleasePolicySpec[]): Partial<Facts> => ({
  policies: policiesOf(...specs.map((spec, i) => policy(`p${i}`, spec))),
});
const change = (
  to: string,
  rollout: Rollout,
  more: Partial<Facts> = under(),
  old: Deployment = running,
): AdmissionDecision => admitWorkload(workloadFacts(old, withVersion(old, to), rollout, more));

describe('a change back to a completed version', () => {
  const one = resting({ revisions: 1 });
  const table: readonly (readonly [what: string, decision: AdmissionDecision, verdict: string, warning: RegExp])[] = [
    [
      'within the window is not held',
      change('v1', one),
      'Restored',
      /restores it immediately, without steps \(spec.strat/,
    ],
    [
      'without a window is held; the warning has both ways',
      change('v1', resting()),
      'Held',
      /this version was completed before; .*undo demo --now -n shop; .*set spec.strategy.canary.rollbackWindow/,
    ],
    [
      'outside the window is held, and the warning says so',
      change('v1', resting({ seconds: 60 })),
      'Held',
      /undo demo --now -n shop; it is outside spec.strategy.canary.rollbackWindow, or outside what a policy allows/,
    ],
    [
      'that was never completed is held',
      change('evil', one),
      'Held',
      /^tranche: Rollout demo releases this in 3 steps[^\n]*$/,
    ],
    [
      'is held where the policies are not known',
      change('v1', one, { policies: undefined }),
      'Held',
      /completed before/,
    ],
    [
      'is held where a policy forbids the window',
      change('v1', one, under({ rollbackWindow: { maxRevisions: 0 } })),
      'Held',
      /what a policy allows/,
    ],
    [
      'waits for no window of a policy, as no rollback does',
      change('v1', one, under({ windows: FREEZE })),
      'Restored',
      /./,
    ],
    ['needs no plan that a policy allows', change('v1', one, under({ steps: { minSteps: 9 } })), 'Restored', /./],
    [
      'under a Rollout that is disabled is no release',
      change('v1', { ...one, spec: { ...one.spec, disabled: true } }),
      'Bypassed',
      /disabled/,
    ],
  ];
  rows(table, ({ verdict, ...decision }, expected, warning) => {
    assert.equal(verdict, expected);
    assert.match(warningsOf({ verdict, ...decision }), warning);
  });

  it('gets a release id of its own and its author, and nothing else', () => {
    const next = withVersion(running, 'v1');
    const after = stored(next, change('v1', one));
    assert.notEqual(after.metadata.labels?.[keys.ROLLOUT_ID], 'r1');
    assert.deepEqual(after.metadata.annotations, { [keys.CHANGED_BY]: 'alice' });
    assert.deepEqual(after.spec, next.spec);
  });

  it('that the API server paused first is not paused', () => {
    const paused = withVersion(running, 'v1');
    const next: Deployment = {
      ...paused,
      metadata: { ...paused.metadata, annotations: { [keys.PAUSED_UNSEEN]: 'false' } },
      spec: { ...paused.spec, paused: true },
    };
    const after = stored(next, admitWorkload(workloadFacts(running, next, one, under())));
    assert.equal(after.spec.paused, undefined);
    assert.equal(after.metadata.annotations?.[keys.PAUSED_UNSEEN], undefined);
  });

  it('is not let go by another edit, where the API server paused it and no webhook saw it', () => {
    const old: Deployment = {
      ...withVersion(running, 'evil'),
      metadata: { ...running.metadata, annotations: { [keys.PAUSED_UNSEEN]: 'false' } },
      spec: { ...withVersion(running, 'evil').spec, paused: true },
    };
    const next = { ...old, spec: { ...old.spec, minReadySeconds: 5 } };
    const after = stored(next, admitWorkload(workloadFacts(old, next, one, under())));
    assert.deepEqual([after.spec.paused, after.metadata.annotations], [true, old.metadata.annotations]);
    assert.equal(after.spec.minReadySeconds, 5);
  });

  it('during the release of another version gives the Deployment back', () => {
    const old = held('v3', running, one);
    const inRelease: Rollout = {
      ...one,
      status: {
        ...one.status!,
        phase: 'Progressing',
        canaryStatus: { ...one.status!.canaryStatus!, templateDigest: D('v3') },
      },
    };
    const next = withVersion(old, 'v1');
    const decision = admitWorkload(workloadFacts(old, next, inRelease, under()));
    assert.equal(decision.verdict, 'Restored');
    const after = stored(next, decision);
    assert.deepEqual([after.spec.paused, after.metadata.annotations?.[keys.HELD]], [undefined, undefined]);
    assert.deepEqual(after.spec.strategy, running.spec.strategy);
  });
});

describe('undo --now', () => {
  const ask = (old: Rollout, undoTo: string): Rollout => ({
    ...old,
    status: { ...old.status!, canaryStatus: { ...old.status!.canaryStatus!, undoTo: D(undoTo) } },
  });
  const deployment = { ...running, metadata: { ...running.metadata, annotations: { [keys.CHANGED_BY]: 'carol' } } };
  /** Both webhooks. */
  const write = (old: Rollout, next: Rollout, more: Partial<Facts> = {}): { after: Rollout; says: string } => {
    const common = { ...facts({ answers: { access: [] }, ...under(), ...more }), old, deployment, sha256 };
    const [before, written] = [old.status, next.status] as unknown as Json[];
    const mended = restoreDropped(before, written) as Json;
    const first = mendStatus({
      ...common,
      next: { ...next, status: mended as unknown as NonNullable<Rollout['status']> },
      statuses: { before, written, mended },
    });
    if (first.violations) return { after: old, says: refusal(first) };
    const after = stored(next, first);
    const second = admitStatus({ ...common, next: after });
    return {
      after: second.violations ? old : after,
      says: [warningsOf(first), refusal(second)].filter(Boolean).join('\n'),
    };
  };
  const approvals = ({ status }: Rollout): unknown[] =>
    (status?.canaryStatus?.approvals ?? []).map(({ step, user }) => `${step} ${user}`);

  it('is recorded as an approval, and lets the version pass', () => {
    const { after, says } = write(resting(), ask(resting(), 'v1'));
    assert.equal(says, '');
    assert.deepEqual(approvals(after), ['0 alice']);
    assert.equal(after.status?.canaryStatus?.undoTo, undefined, 'the request is not stored');
    assert.equal(change('v1', after).verdict, 'Restored');
    assert.equal(change('evil', after).verdict, 'Held');
    const later = { policies: { ...policiesOf(), now: NOW + 16 * 60_000 } };
    assert.equal(change('v1', after, later).verdict, 'Held', 'after a quarter of an hour');
  });

  it('needs the verb approve', () => {
    const access = [
      { field: 'approval', value: 'alice', type: 'Forbidden', reason: 'no verb', remedy: 'ask' } as const,
    ];
    const { after, says } = write(resting(), ask(resting(), 'v1'), { answers: { access } });
    assert.match(says, /no verb/);
    assert.deepEqual(approvals(after), []);
  });

  it('is for completed versions only, and not for the stable one', () => {
    for (const version of ['evil', 'v2'])
      assert.match(
        write(resting(), ask(resting(), version)).says,
        /status.canaryStatus.undoTo: Invalid value: .* must be the templateDigest of an earlier version in status.completedVersions/,
      );
  });

  it('does not come with a longer list of completed versions, or a record of its own', () => {
    const old = resting();
    const forged: Rollout = {
      ...old,
      status: { ...old.status!, completedVersions: [...old.status!.completedVersions!, completed('evil')] },
    };
    assert.match(write(old, forged).says, /status.completedVersions: Forbidden: only the operator writes this field/);
    assert.match(write(old, ask(forged, 'evil')).says, /completedVersions/);
    const restores: Rollout = {
      ...old,
      status: { ...old.status!, canaryStatus: { ...old.status!.canaryStatus!, restores: 'Window' } },
    };
    assert.match(write(old, restores).says, /restores: Forbidden: only the operator writes this field/);
  });

  it('asks as many people as a policy does, each once', () => {
    const two = under({ approval: { required: 2, groups: ['managers'] } });
    const by = (user: string, group = 'managers'): Partial<Facts> => ({ ...two, by: as(user, group) });
    const first = write(resting(), ask(resting(), 'v1'), by('anna'));
    assert.match(first.says, /1 of 2 approvals to restore this version/);
    assert.equal(change('v1', first.after, two).verdict, 'Held');
    const again = write(first.after, ask(first.after, 'v1'), by('anna'));
    assert.deepEqual(approvals(again.after), ['0 anna']);
    assert.match(
      write(first.after, ask(first.after, 'v1'), by('eve', 'dev')).says,
      /does not list "eve" as an approver/,
    );
    const second = write(first.after, ask(first.after, 'v1'), by('ben'));
    assert.deepEqual([second.says, ...approvals(second.after)], ['', '0 anna', '0 ben']);
    assert.equal(change('v1', second.after, two).verdict, 'Restored');
  });

  it('by a machine account is not the edit of a person because the edit says so', () => {
    const four = under({ approval: { notAuthor: true } });
    const of = (author: string): Deployment => ({
      ...running,
      metadata: { ...running.metadata, annotations: { [keys.CHANGED_BY]: author } },
    });
    const bot = of('system:serviceaccount:ci:bot');
    const { after } = write(resting(), ask(resting(), 'v1'), { ...four, by: as('anna') });
    const next = withVersion(of('carol'), 'v1');
    assert.equal(admitWorkload(workloadFacts(bot, next, after, four)).verdict, 'Held', 'two people must approve');
    const back = admitWorkload(workloadFacts(of('carol'), next, after, four));
    assert.equal(back.verdict, 'Restored');
    const { annotations } = stored(next, back).metadata;
    assert.equal(annotations?.[keys.CHANGED_BY], 'carol', 'the operator asks who is the author of what ran');
  });

  it('replaces what the same person approved before', () => {
    const first = write(resting(), ask(resting(), 'v1')).after;
    const { canary } = first.spec.strategy;
    const planned = { ...first, spec: { ...first.spec, strategy: { canary: { ...canary, failureThreshold: 3 } } } };
    const { after, says } = write(planned, ask(planned, 'v1'));
    assert.deepEqual([says, ...approvals(after)], ['', '0 alice']);
  });

  it('is not for the author of what runs, where a policy says so', () => {
    const four = under({ approval: { notAuthor: true } });
    assert.match(write(resting(), ask(resting(), 'v1'), { ...four, by: as('carol') }).says, /approval by the author/);
    assert.equal(write(resting(), ask(resting(), 'v1'), { ...four, by: as('anna') }).says, '');
  });

  it('is no approval of a step', () => {
    const waiting = demo({ stableDigest: D('v2'), templateDigest: D('v3') });
    const status = {
      ...waiting.status!,
      completedVersions: [completed('v2'), completed('v1', { replacedTime: at(9) })],
    };
    const inRelease = { ...waiting, status };
    const { after } = write(inRelease, ask(inRelease, 'v1'));
    assert.deepEqual(approvals(after), ['0 alice']);
    assert.equal(after.status?.canaryStatus?.currentStepState, 'StepPaused');
  });
});
