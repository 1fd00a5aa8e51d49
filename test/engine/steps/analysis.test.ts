// The checks of a release in its steps: what each verdict does in each state.
import assert from 'node:assert/strict';
import type { AnalysisCheck, CheckStatus, StepAnalysis } from '../../../src/api/analysis.ts';
import type { Approval, CanaryStatus, StepState } from '../../../src/api/types.ts';
import type { Release } from '../../../src/engine/analysis/query.ts';
import type { Finding } from '../../../src/engine/analysis/watch.ts';
import type { Decision } from '../../../src/engine/decision.ts';
import { approvalsOf } from '../../../src/engine/policy/approval.ts';
import { openGate, type Gate } from '../../../src/engine/policy/gate.ts';
import { proceed } from '../../../src/engine/steps/machine.ts';
import { canonicalJson } from '../../../src/engine/lib/template.ts';
import {
  ago,
  atStep,
  brief,
  condition,
  held,
  NOW,
  progressOf,
  rollout,
  rows,
  sha256,
  snapshot,
  stage,
  type Stage,
  type StatusSketch,
} from '../build.ts';
import { policy } from '../policy/support.ts';

const ERRORS: AnalysisCheck = { name: 'errors', warmUpSeconds: 0, ratio: { bad: 'bad', total: 'all', limit: '1%' } };
const digestOf = (check: AnalysisCheck): string => sha256(canonicalJson(check)).slice(0, 8);
const RELEASE: Release = {
  namespace: 'shop',
  workload: 'web',
  pods: 'app=web',
  rolloutID: 'r2',
  revision: 'v2',
  stableRevision: 'v1',
  startedAt: NOW - 90_000,
  ratioChecks: 1,
};
const WATCHED: StepAnalysis = { seconds: 300, minTotal: 100 };

/** `release` and `check`: those of the decision, if absent. */
type Sketched = Omit<Finding, 'release' | 'check'> & Partial<Finding>;
const found = (verdict: Finding['verdict'], more: Partial<Finding> = {}): Sketched => ({
  name: 'errors',
  verdict,
  since: NOW - 20_000,
  message: 'new version: 5 of 200 requests bad (2.5 %)',
  fresh: { total: 200, bad: 5 },
  stable: { total: 0, bad: 0 },
  evidence: 12.7,
  alarm: 100,
  lastAt: NOW,
  unseen: [],
  ...more,
});
const known = (verdict: CheckStatus['verdict'], more: Partial<CheckStatus> = {}): CheckStatus => ({
  name: 'errors',
  verdict,
  since: ago(20),
  check: digestOf(ERRORS),
  total: 200,
  bad: 5,
  ...more,
});

interface Sketch {
  readonly index?: number;
  readonly state?: StepState;
  readonly checks?: readonly AnalysisCheck[];
  readonly onFailure?: 'Rollback';
  /** Of each step. Null: none. */
  readonly step?: StepAnalysis | null;
  readonly pause?: { readonly duration?: number };
  readonly evidence?: readonly Sketched[];
  readonly gate?: Gate;
  readonly status?: StatusSketch;
  readonly stage?: Stage;
}

const two: Stage = { updated: 2 };
const all: Stage = { updated: 10, old: { v1: 0 } };

function decided(sketch: Sketch): Decision {
  const { index = 1, state = 'StepMetricsAnalysis', checks = [ERRORS], onFailure, pause, evidence } = sketch;
  const step = sketch.step === undefined ? WATCHED : sketch.step;
  const steps = ['20%', '50%', '100%'].map((replicas) => ({
    replicas,
    ...(pause && { pause }),
    ...(step && { analysis: step }),
  }));
  const canary = { analysis: checks, ...(onFailure && { onFailure }) };
  const shot = snapshot({
    rollout: rollout({ steps, canary, status: atStep(index, state, sketch.status) }),
    ...stage(sketch.stage ?? two),
    ...(sketch.gate && { gate: sketch.gate }),
  });
  const progress = progressOf(shot);
  const decide = (evidence: readonly Finding[] | undefined): Decision =>
    proceed({ ...shot, evidence }, progress, progress.held ?? held(), shot.rollout.status!.canaryStatus!);
  const release = decide(undefined).needsEvidence?.release;
  return decide(
    evidence?.map((one) => ({ release: release!, check: checks.find(({ name }) => name === one.name)!, ...one })),
  );
}
const after = (sketch: Sketch): CanaryStatus => {
  const canary = decided(sketch).status?.canaryStatus;
  assert.ok(canary);
  return canary;
};
const IN = 'Progressing=InRolling';
/** The step has been watched for four looks. */
const longAgo: StatusSketch = { canary: { lastUpdateTime: ago(120) } };
const table = (
  name: string,
  of: readonly (readonly [what: string, sketch: Sketch, decision: string, message?: RegExp])[],
) =>
  describe(name, () =>
    rows(of, (sketch: Sketch, decision: string, message?: RegExp) => {
      const made = decided(sketch);
      assert.equal(brief(made), decision);
      if (message) assert.match(made.status?.message ?? '', message);
    }),
  );
const stalled = (reason: string): StatusSketch => ({ conditions: [condition('Stalled', 'True', reason, 10)] });
const withChecks = (...analysis: CheckStatus[]): StatusSketch => ({ canary: { analysis } });

table('a step whose Pods are there', [
  [
    'is watched, if it says so',
    { state: 'StepUpgrade', evidence: [found('Open')] },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children, again in 300 s`,
    /^step 1\/3: the checks watch the new Pods until 2026-01-01T12:05:00Z; errors: 200 requests, 5 bad$/,
  ],
  [
    'is done otherwise',
    { state: 'StepUpgrade', step: null, evidence: [found('Open')] },
    `- | Progressing 1 StepPaused ${IN} | StepCompleted | children`,
  ],
  [
    'waits for approval, if it asks for no Pod, because there is nothing to watch',
    { state: 'StepUpgrade', stage: { replicas: 1, old: 1 }, status: { canary: { stepReplicas: 10 } } },
    `- | Progressing 1 StepPaused ${IN} | StepCompleted | children`,
  ],
  [
    'is held and watched, not given back, if it is the last one',
    { state: 'StepUpgrade', index: 3, stage: all, evidence: [found('Open')] },
    `- | Progressing 3 StepMetricsAnalysis ${IN} | - | children, again in 300 s`,
  ],
]);

table('a step that is watched', [
  [
    'goes on watching',
    { evidence: [found('Open')] },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children, again in 240 s`,
  ],
  [
    'ends when a person approves it',
    { state: 'StepReady', evidence: [found('Unknown')] },
    `- | Progressing 2 StepUpgrade ${IN} | StepStarted | children`,
  ],
  [
    'ends early if the check is Fine, and the next one begins',
    { evidence: [found('Fine')], status: longAgo },
    `- | Progressing 2 StepUpgrade ${IN} | StepStarted | children`,
  ],
  [
    'is watched for four looks too, if a check became Fine in an earlier step',
    { evidence: [found('Fine', { since: NOW - 900_000 })] },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children, again in 60 s`,
  ],
  [
    'does not end before a check that was Fine is read again',
    { evidence: [], status: { canary: { lastUpdateTime: ago(900), analysis: [known('Fine')] } } },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children`,
    /waiting for check errors \(no result yet\)/,
  ],
  [
    'ends after its time',
    { evidence: [found('Open')], status: { canary: { lastUpdateTime: ago(300) } } },
    `- | Progressing 2 StepUpgrade ${IN} | StepStarted | children`,
  ],
  [
    'is watched longer, if there were looks without data',
    {
      evidence: [
        found('Open', { unseen: [NOW - 400_000, NOW - 40_000, NOW - 10_000].map((at) => ({ from: at, to: at })) }),
      ],
      status: { canary: { lastUpdateTime: ago(300) } },
    },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children, again in 60 s`,
  ],
  [
    'is watched in full after a long time without data',
    {
      evidence: [found('Open', { unseen: [{ from: NOW - 7_200_000, to: NOW - 60_000 }] })],
      status: { canary: { lastUpdateTime: ago(7_200) } },
    },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children, again in 240 s`,
  ],
  [
    'is watched from the end of the warm-up',
    { checks: [{ ...ERRORS, warmUpSeconds: 60 }], evidence: [found('Open')] },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children, again in 300 s`,
  ],
  [
    'is watched for four looks at least',
    { step: { seconds: 1 }, evidence: [found('Open')] },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children, again in 60 s`,
  ],
  [
    'does not end before its last look is read',
    { evidence: [found('Open', { lastAt: NOW - 40_000 })], status: { canary: { lastUpdateTime: ago(300) } } },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children`,
    /^step 1\/3: waiting for check errors \(its last look is being read\); the next step does not start before that$/,
  ],
  [
    'is looked at, although all checks have been Fine before',
    { evidence: [found('Fine')] },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children, again in 60 s`,
  ],
  [
    'is watched as long as a policy asks for, although all checks are Fine',
    {
      evidence: [found('Fine')],
      status: longAgo,
      gate: { ...openGate, policies: [policy('careful', { analysis: { minSeconds: 200 } })] },
    },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children, again in 80 s`,
  ],
  [
    'does not end before a condition is true',
    {
      checks: [{ name: 'smoke', condition: { apiVersion: 'batch/v1', kind: 'Job', ok: 'Complete' } }],
      evidence: [{ name: 'smoke', verdict: 'Open', since: NOW, message: 'Job s is not done', lastAt: NOW, unseen: [] }],
      status: { canary: { lastUpdateTime: ago(900) } },
    },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children`,
    /waiting for check smoke \(Job s is not done\)/,
  ],
  [
    'then waits for its pause',
    { evidence: [found('Fine')], pause: { duration: 60 }, status: longAgo },
    `- | Progressing 1 StepPaused ${IN} | StepCompleted | children, again in 60 s`,
  ],
  [
    'then waits for approval, if it has an empty pause',
    { evidence: [found('Fine')], pause: {}, status: longAgo },
    `- | Progressing 1 StepPaused ${IN} | StepCompleted | children`,
  ],
  [
    'then waits for approval, if there were too few requests',
    { evidence: [found('Open', { fresh: { total: 12, bad: 0 } })], status: { canary: { lastUpdateTime: ago(300) } } },
    `- | Progressing 1 StepPaused ${IN} | StepCompleted | children`,
    /^step 1\/3 done: waiting for approval \(0 of 1\); too few requests: check errors counted 12 of the 100 required, none bad; to roll back/,
  ],
  [
    'is the last one: the release is finished',
    { index: 3, stage: all, evidence: [found('Fine')], status: longAgo },
    `- | Progressing 3 Completed Progressing=Finalising | - | children`,
  ],
  [
    'is the last one, with too few requests: it waits for approval too',
    {
      index: 3,
      stage: all,
      evidence: [found('Open', { fresh: { total: 12, bad: 0 } })],
      status: { canary: { lastUpdateTime: ago(300) } },
    },
    `- | Progressing 3 StepPaused ${IN} | StepCompleted | children`,
  ],
  [
    'does not end while the source does not answer, and says since when',
    {
      evidence: [found('Unknown', { message: 'connection refused' })],
      status: { canary: { lastUpdateTime: ago(900) } },
    },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children`,
    /^step 1\/3: waiting for check errors \(connection refused, since 2026-01-01T11:59:40Z\); the next step does not start before that$/,
  ],
  [
    'does not end before a new leader has read the evidence',
    {
      evidence: [],
      status: { canary: { lastUpdateTime: ago(900), analysis: [known('Open', { total: 500, bad: 0 })] } },
    },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children`,
    /check errors \(no result yet\)/,
  ],
  [
    'is stalled if there are no data for half an hour, and does not fail',
    { evidence: [found('Unknown', { since: NOW - 1_800_000 })], onFailure: 'Rollback' },
    `- | Progressing 1 StepMetricsAnalysis ${IN} Stalled=AnalysisUnknown | Stalled | children`,
  ],
  [
    'recovers by itself',
    { evidence: [found('Open')], status: stalled('AnalysisUnknown') },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | Recovered | children, again in 240 s`,
  ],
]);

const upgrading: Stage = { updated: 1, available: 1, state: 'moving', budget: [1, 1], old: 9 };
table('Worse', [
  [
    'stops a step that is watched: it waits for a person',
    { evidence: [found('Worse')] },
    `- | Progressing 1 StepPaused ${IN} Stalled=AnalysisFailed | Stalled | children`,
    /^step 1\/3 stopped: check errors shows that the new version is worse \(new version: 5 of 200 requests bad \(2.5 %\)\); no further Pod is replaced until the step is approved; to roll back: kubectl tranche undo/,
  ],
  [
    'freezes a step in the middle of its Pods at once',
    { state: 'StepUpgrade', stage: upgrading, evidence: [found('Worse')] },
    `freeze | Progressing 1 StepPaused ${IN} Stalled=AnalysisFailed | Stalled | children`,
  ],
  [
    'stops a step that waits for its time',
    { state: 'StepPaused', pause: { duration: 10 }, evidence: [found('Worse')] },
    `- | Progressing 1 StepPaused ${IN} Stalled=AnalysisFailed | Stalled | children`,
  ],
  [
    'takes an approval back that was about a status without it',
    { state: 'StepReady', evidence: [found('Worse')], status: withChecks(known('Open')) },
    `- | Progressing 1 StepPaused ${IN} Stalled=AnalysisFailed | Stalled | children`,
  ],
  [
    'is approved by a person who saw it: the release goes on, and that is told',
    {
      state: 'StepReady',
      evidence: [found('Worse')],
      status: { ...withChecks(known('Worse')), ...stalled('AnalysisFailed') },
    },
    `- | Progressing 2 StepUpgrade ${IN} Stalled=AnalysisFailed | AnalysisOverridden, StepStarted | children`,
  ],
  [
    'stops nothing more after that',
    {
      state: 'StepUpgrade',
      index: 2,
      stage: { updated: 5 },
      evidence: [found('Worse')],
      status: { canary: { analysis: [known('Worse', { acceptedBy: ['anna'] })] }, ...stalled('AnalysisFailed') },
    },
    `- | Progressing 2 StepMetricsAnalysis ${IN} | Recovered | children, again in 300 s`,
  ],
  [
    'rolls back if that is asked for: first the reason',
    { onFailure: 'Rollback', evidence: [found('Worse')] },
    `- | Progressing 1 StepMetricsAnalysis ${IN} Stalled=AnalysisFailed | Stalled | children, again in 0 s`,
  ],
  [
    'then the stable template',
    {
      onFailure: 'Rollback',
      evidence: [found('Worse')],
      status: { ...withChecks(known('Worse')), ...stalled('AnalysisFailed') },
    },
    `revert | Progressing 1 StepMetricsAnalysis ${IN} Stalled=AnalysisFailed | FailureRollback | children`,
    /^step 1\/3 failed: rolling back to the stable version because of check errors$/,
  ],
  [
    'rolls back without the source, from the status alone',
    {
      onFailure: 'Rollback',
      evidence: [],
      status: { ...withChecks(known('Worse')), ...stalled('AnalysisFailed') },
    },
    `revert | Progressing 1 StepMetricsAnalysis ${IN} Stalled=AnalysisFailed | FailureRollback | children`,
  ],
  [
    'only holds if one Pod has nearly all errors',
    { onFailure: 'Rollback', evidence: [found('Worse', { onePod: 'web-v2-1' })] },
    `- | Progressing 1 StepPaused ${IN} Stalled=AnalysisFailed | Stalled | children`,
    /Pod web-v2-1 has nearly all bad requests: the cause may be this Pod or its node/,
  ],
  [
    'only holds then, before a new leader has read the evidence, too',
    {
      onFailure: 'Rollback',
      state: 'StepPaused',
      evidence: [],
      status: { ...withChecks(known('Worse', { onePod: 'web-v2-1' })), ...stalled('AnalysisFailed') },
    },
    `- | Progressing 1 StepPaused ${IN} Stalled=AnalysisFailed | - | children`,
    /Pod web-v2-1 has nearly all bad requests/,
  ],
  [
    'rolls back when other Pods have bad requests too',
    {
      onFailure: 'Rollback',
      state: 'StepPaused',
      evidence: [found('Worse')],
      status: { ...withChecks(known('Worse', { onePod: 'web-v2-1' })), ...stalled('AnalysisFailed') },
    },
    `revert | Progressing 1 StepPaused ${IN} Stalled=AnalysisFailed | FailureRollback | children`,
  ],
  [
    'only holds if it compares values of Pods',
    {
      onFailure: 'Rollback',
      checks: [{ name: 'errors', pods: { resource: 'memory', timesStable: 2 } }],
      evidence: [found('Worse')],
    },
    `- | Progressing 1 StepPaused ${IN} Stalled=AnalysisFailed | Stalled | children`,
  ],
  [
    'stays, although the check was removed',
    {
      state: 'StepPaused',
      checks: [],
      step: null,
      evidence: [],
      status: { ...withChecks(known('Worse')), ...stalled('AnalysisFailed') },
    },
    `- | Progressing 1 StepPaused ${IN} Stalled=AnalysisFailed | - | children`,
  ],
  [
    'was found about another release: it stops nothing',
    { evidence: [found('Worse', { release: { ...RELEASE, rolloutID: 'r1', revision: 'v1b' } })] },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children, again in 240 s`,
    /the checks watch the new Pods until/,
  ],
  [
    'was found before the check was edited: it stops nothing',
    { evidence: [found('Worse', { check: { ...ERRORS, ratio: { ...ERRORS.ratio!, limit: '0.1%' } } })] },
    `- | Progressing 1 StepMetricsAnalysis ${IN} | - | children, again in 240 s`,
  ],
  [
    'stays, although the check was edited',
    {
      state: 'StepPaused',
      evidence: [found('Fine')],
      status: { ...withChecks(known('Worse', { check: 'another' })), ...stalled('AnalysisFailed') },
    },
    `- | Progressing 1 StepPaused ${IN} Stalled=AnalysisFailed | - | children`,
  ],
]);

table('a step without analysis', [
  [
    'goes on after its time if the checks have seen something',
    { state: 'StepPaused', step: null, pause: { duration: 10 }, evidence: [found('Open')] },
    `- | Progressing 2 StepUpgrade ${IN} | StepStarted | children`,
  ],
  [
    'does not go on by itself while a check is Unknown',
    {
      state: 'StepPaused',
      step: null,
      pause: { duration: 10 },
      evidence: [found('Unknown', { message: 'no answer' })],
    },
    `- | Progressing 1 StepPaused ${IN} | - | children`,
    /waiting for check errors \(no answer, since/,
  ],
  [
    'is stalled after half an hour of that',
    {
      state: 'StepPaused',
      step: null,
      pause: { duration: 10 },
      evidence: [found('Unknown', { since: NOW - 1_800_000, message: 'no answer' })],
    },
    `- | Progressing 1 StepPaused ${IN} Stalled=AnalysisUnknown | Stalled | children`,
  ],
  [
    'goes on then if a person says so',
    { state: 'StepReady', step: null, pause: { duration: 10 }, evidence: [found('Unknown')] },
    `- | Progressing 2 StepUpgrade ${IN} | StepStarted | children`,
  ],
]);

describe('the status of a check', () => {
  it('has whole numbers that the API server accepts, whatever the counters are', () => {
    const more = { fresh: { total: 1e300, bad: 0.4 } };
    const [check] = after({ evidence: [found('Open', more)] }).analysis!;
    assert.deepEqual([check?.total, check?.bad], [Number.MAX_SAFE_INTEGER, 0]);
  });
  it('has its numbers', () => {
    assert.deepEqual(after({ evidence: [found('Open')] }).analysis, [
      {
        name: 'errors',
        verdict: 'Open',
        since: ago(20),
        check: digestOf(ERRORS),
        total: 200,
        bad: 5,
        evidence: 12,
        alarm: 100,
      },
    ]);
  });
  it('of ten checks has at most 2 KiB', () => {
    const checks = Array.from({ length: 10 }, (_, index) => ({
      name: `errors-${index}`,
      ratio: { ...ERRORS.ratio!, timesStable: 1.5 },
    }));
    const counts = { fresh: { total: 123_456_789, bad: 1_234 }, stable: { total: 123_456_789, bad: 1_234 } };
    const evidence = checks.map(({ name }) => found('Open', { name, ...counts }));
    const bytes = JSON.stringify(after({ checks, evidence }).analysis).length;
    assert.ok(bytes <= 2_048, `${bytes}`);
  });
  it('makes approvals void that were given before a check was Worse', () => {
    const approvals: Approval[] = [{ step: 1, rolloutID: 'r2', revision: 'v2', user: 'anna', time: ago(5) }];
    const sketch = { state: 'StepPaused', pause: {}, evidence: [found('Worse')] } as const;
    const canary = after({ ...sketch, status: { canary: { analysis: [known('Open')], approvals } } });
    assert.deepEqual(approvalsOf(canary), []);
    const later = after({ ...sketch, status: { canary: { analysis: [known('Worse')], approvals } } });
    assert.equal(approvalsOf(later).length, 1, 'an approval of what was shown stays');
  });
  it('names the one Pod that has nearly all bad requests', () =>
    assert.equal(after({ evidence: [found('Worse', { onePod: 'web-v2-1' })] }).analysis?.[0]?.onePod, 'web-v2-1'));
  it('names who let the release go on', () => {
    const approvals: Approval[] = [{ step: 1, rolloutID: 'r2', revision: 'v2', user: 'anna', time: ago(5) }];
    const { analysis } = after({
      state: 'StepReady',
      evidence: [found('Worse')],
      status: { canary: { analysis: [known('Worse')], approvals } },
    });
    assert.deepEqual(analysis?.[0]?.acceptedBy, ['anna']);
  });
  it('lets a step in the middle of its Pods start again when it is approved', () => {
    const stopped = after({ state: 'StepUpgrade', stage: upgrading, evidence: [found('Worse')] });
    assert.equal(stopped.notBegun, true);
    assert.equal(stopped.nextStepIndex, 1);
    const again = after({
      state: 'StepReady',
      evidence: [found('Worse')],
      stage: { updated: 1, old: 9 },
      status: { canary: { analysis: [known('Worse')], notBegun: true, nextStepIndex: 1 } },
    });
    assert.equal(again.currentStepState, 'StepUpgrade');
    assert.equal(again.currentStepIndex, 1);
    assert.equal(again.notBegun, undefined);
  });
});

describe('a policy about failed checks', () => {
  const forbids = policy('careful', { analysis: { override: { users: ['anna'] } } });
  const approved = (user: string): Sketch => ({
    state: 'StepReady',
    evidence: [found('Worse')],
    gate: { ...openGate, policies: [forbids] },
    status: {
      canary: {
        analysis: [known('Worse')],
        approvals: [{ step: 1, rolloutID: 'r2', revision: 'v2', user, time: ago(5) }],
      },
      ...stalled('AnalysisFailed'),
    },
  });
  it('is kept by the operator, too', () => {
    assert.equal(
      brief(decided(approved('bob'))),
      `- | Progressing 1 StepPaused ${IN} Stalled=AnalysisFailed | PolicyBlocked | children`,
    );
    assert.equal(after(approved('anna')).currentStepIndex, 2);
  });
});

describe('what is watched', () => {
  it('is named by the release, with the Pods of both versions', () => {
    const { needsEvidence } = decided({ evidence: [] });
    assert.deepEqual(needsEvidence?.release, RELEASE);
    assert.deepEqual(
      [...new Set(needsEvidence.pods.map(({ name, arm }) => `${arm} ${name.replace(/-\d+$/, '')}`))].sort(),
      ['fresh v2', 'stable v1'],
    );
  });
  it('is nothing without checks', () => assert.equal(decided({ checks: [], step: null }).needsEvidence, undefined));
});
