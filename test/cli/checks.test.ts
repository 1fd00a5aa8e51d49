// What commands show of the checks of a release, and how an approval over a check that is Worse is confirmed.
import assert from 'node:assert/strict';
import type { CheckStatus } from '../../src/api/analysis.ts';
import type { CanaryStatus, KubeObject, Rollout } from '../../src/api/types.ts';
import { checkCells, evidenceBar } from '../../src/cli/render/checks.ts';
import { rows } from '../engine/build.ts';
import { ago, deployment, NOW, pod, progressing, replicaSet, rollout } from '../view/support.ts';
import { startFakeCluster, type FakeCluster } from './fake-cluster.ts';
import {
  goldenExact,
  rollout as rolloutIn,
  runPlugin,
  Stage,
  startPlayground,
  type Playground,
  type Result,
} from './support.ts';

const ERRORS = {
  name: 'errors',
  ratio: { bad: 'e', total: 't', limit: '1%', timesStable: 1.5 },
  onFailure: 'Rollback',
};
const MEMORY = { name: 'memory', pods: { resource: 'memory', timesStable: 2 } };
const STEPS = [
  { replicas: 1, analysis: { seconds: 600, minTotal: 500, lowTraffic: 'Wait' }, pause: { duration: 0 } },
  { replicas: '50%', analysis: { seconds: 300 } },
  { replicas: '100%' },
];
const strategy = { canary: { analysis: [ERRORS, MEMORY], steps: STEPS } };

const COUNTS = { total: 480, bad: 12, stableTotal: 4320, stableBad: 3, alarm: 200 };
const NUMBERS = 'new version: 12 of 480 requests bad (2.5 %); stable version: 3 of 4320 requests bad (0.069 %)';
const open: CheckStatus = {
  name: 'errors',
  verdict: 'Open',
  since: ago(60),
  message: NUMBERS,
  ...COUNTS,
  evidence: 14,
};
const worse: CheckStatus = { ...open, verdict: 'Worse', since: ago(20), evidence: 512 };
const fine: CheckStatus = {
  name: 'memory',
  verdict: 'Fine',
  since: ago(120),
  message: 'memory of the new Pods is not shown to be above 2 times that of the stable Pods',
};
const blind: CheckStatus = { ...open, verdict: 'Unknown', since: ago(90), message: 'connection refused' };

const inStep = (canary: Partial<CanaryStatus>, message: string, more: object = {}): Rollout => ({
  ...rollout(
    progressing(
      { currentStepIndex: 2, nextStepIndex: 3, canaryReplicas: 2, stableRevision: 'v1', ...canary },
      { message, ...more },
    ),
    { strategy },
  ),
});
const stalled = { conditions: [{ type: 'Stalled', status: 'True', reason: 'AnalysisFailed' }] };

const STATES: Readonly<Record<string, Rollout>> = {
  'checks-watching': inStep(
    { currentStepState: 'StepMetricsAnalysis', analysis: [open, fine] },
    'step 2/3: the checks watch the new Pods until 01:03:00Z; errors: 480 requests, 12 bad',
  ),
  'checks-worse': inStep(
    { currentStepState: 'StepPaused', analysis: [worse, fine] },
    `step 2/3 stopped: check errors shows that the new version is worse (${NUMBERS}); no further Pod is replaced until the step is approved`,
    stalled,
  ),
  'checks-unknown': inStep(
    { currentStepState: 'StepMetricsAnalysis', analysis: [blind] },
    `step 2/3: waiting for check errors (connection refused, since ${ago(90)}); the next step does not start before that`,
  ),
  'checks-accepted': inStep(
    { currentStepState: 'StepPaused', analysis: [{ ...worse, acceptedBy: ['anna'] }, fine] },
    'step 2/3: the release goes on although Worse was shown by errors; approved by anna',
  ),
};

describe('kubectl tranche, with checks', () => {
  let fake: FakeCluster;

  beforeEach(async () => {
    fake = await startFakeCluster();
    fake.objects.set('/apis/apps/v1/namespaces/shop/deployments', [deployment()]);
    fake.objects.set('/apis/apps/v1/namespaces/shop/replicasets', [replicaSet('v1', 2, 1), replicaSet('v2', 2, 2)]);
    fake.objects.set('/api/v1/namespaces/shop/pods', [pod('v1', 'web-v1-a'), pod('v2', 'web-v2-a')]);
    fake.objects.set('/apis/tranche.dev/v1alpha1/releasepolicies', []);
  });
  afterEach(() => fake.close());

  const set = (one: Rollout): void =>
    void fake.objects.set('/apis/rollouts.kruise.io/v1beta1/namespaces/shop/rollouts', [one as KubeObject]);
  const run = (...args: readonly string[]): Promise<Result> =>
    runPlugin(args, { env: { KUBECONFIG: fake.kubeconfig }, now: NOW });

  for (const [state, one] of Object.entries(STATES))
    it(`shows what checks say: ${state}`, async () => {
      set(one);
      goldenExact(
        state,
        ['list', await run('list')],
        ['status web', await run('status', 'web')],
        ['approve web', await run('approve', 'web')],
        ['approve web --dry-run client', await run('approve', 'web', '--dry-run', 'client')],
        ['retry web', await run('retry', 'web')],
        ['finish web', await run('finish', 'web', '--dry-run', 'client')],
      );
    });

  it('approves over a check that is Worse only with --yes', async () => {
    set(STATES['checks-worse']!);
    for (const args of [
      ['approve', 'web'],
      ['approve', 'web', '--step', '2'],
      ['jump', 'web', '3'],
    ]) {
      const { code, err } = await run(...args);
      assert.equal(code, 1, args.join(' '));
      assert.match(err, /overrules check errors, which is Worse: new version: 12 of 480 requests bad/);
      assert.ok(err.includes(`kubectl tranche ${args.join(' ')} -n shop --yes`), err);
    }
    assert.equal(fake.patches.length, 0);
    const { code, out } = await run('approve', 'web', '--yes');
    assert.equal(code, 0);
    assert.match(out, /step 2 of 3 of web is approved although check errors is Worse/);
    assert.equal(fake.patches.length, 1);
  });

  it('approves without --yes what no check objects to', async () => {
    set(inStep({ currentStepState: 'StepPaused', analysis: [fine] }, 'step 2/3 done'));
    assert.equal((await run('approve', 'web')).code, 0);
    assert.equal(fake.patches.length, 1);
  });

  it('plans how long each step is watched, and says what ends it', async () => {
    set(rollout({}, { strategy }));
    const planned = await run('plan', 'web');
    set(rollout({}, { strategy: { canary: { analysis: [ERRORS], steps: [{ replicas: 1 }, { replicas: '100%' }] } } }));
    goldenExact('checks-plan', ['plan web', planned], ['plan web   # no step is watched', await run('plan', 'web')]);
  });

  it('has the verdicts in the history', async () => {
    const entry = { revision: 'v1', startTime: ago(7200), endTime: ago(3600), outcome: 'Completed' };
    const history = [
      {
        ...entry,
        rolloutID: 'r2',
        revision: 'v2',
        outcome: 'RolledBack',
        analysis: { errors: 'Worse' as const, memory: 'Fine' as const },
      },
      { ...entry, rolloutID: 'r1' },
    ];
    set(rollout({ phase: 'Healthy', history }, { strategy }));
    goldenExact('checks-history', ['history web', await run('history', 'web')]);
  });

  it('lets nothing that a check says reach the terminal', async () => {
    const hostile = 'x\x1b[2J\x07\ny';
    set(
      inStep(
        { currentStepState: 'StepPaused', analysis: [{ ...worse, message: hostile, acceptedBy: [hostile] }] },
        'm',
      ),
    );
    const shown = await run('status', 'web');
    set(
      inStep(
        { currentStepState: 'StepPaused', analysis: [{ ...worse, name: hostile, message: hostile }] },
        'm',
        stalled,
      ),
    );
    const refused = await run('approve', 'web');
    for (const text of [shown.out, refused.err]) {
      assert.doesNotMatch(text, /[\x1b\x07]/);
      assert.doesNotMatch(text, /^y/m);
    }
  });
});

describe('evidence as a bar', () => {
  rows(
    [
      ['is empty without data', 1, 200, '[----------] 1/200'],
      ['is logarithmic', 14, 200, '[####------] 14/200'],
      ['is full at the alarm', 200, 200, '[##########] 200/200'],
      ['stays full above', 1e12, 200, '[##########] >1G/200'],
      ['stays empty below 1', 0.2, 200, '[----------] 0.2/200'],
      ['is not there for a check without counts', undefined, undefined, ''],
      ['is not there for numbers that make no sense', 3, 0, ''],
    ] as const,
    (evidence: number | undefined, alarm: number | undefined, expected: string) =>
      assert.equal(evidenceBar({ evidence, alarm }), expected),
  );

  it('is left out of a check that is not reported yet', () => {
    const nothing = {
      verdict: undefined,
      since: undefined,
      message: undefined,
      evidence: undefined,
      alarm: undefined,
      acceptedBy: undefined,
    };
    assert.deepEqual(
      checkCells({ name: 'errors', ...nothing }, (_, text) => text, NOW),
      ['errors', 'not reported yet', '', ''],
    );
  });
});

describe('kubectl tranche, with checks and the operator at work', () => {
  let playground: Playground;
  let fake: FakeCluster;

  before(async () => {
    [playground, fake] = await Promise.all([startPlayground(), startFakeCluster()]);
  });
  after(async () => {
    await playground.stop();
    await fake.close();
  });

  it('shows why a release stopped, and approves over the check only with --yes', async () => {
    await playground.cluster.api.request({
      method: 'POST',
      path: '/apis/tranche.dev/v1alpha1/metricsources',
      body: {
        apiVersion: 'tranche.dev/v1alpha1',
        kind: 'MetricSource',
        metadata: { name: 'main' },
        spec: { prometheus: { url: fake.address } },
      },
    });
    fake.values.set('queue_depth', ['12']);
    const check = { name: 'queue', intervalSeconds: 5, value: { query: 'max(queue_depth)', max: 10, failures: 1 } };
    const steps = [{ replicas: 1, analysis: { seconds: 60 } }, { replicas: '50%', pause: {} }, { replicas: '100%' }];
    const stage = await Stage.open(playground, 'checked', {
      rollout: rolloutIn('checked', steps, { analysis: [check] }),
    });
    await stage.release('web:v2');
    await stage.reaches(({ status }) => status?.conditions?.some(({ reason }) => reason === 'AnalysisFailed') === true);
    const shown = await stage.tranche('status', 'web');
    assert.match(shown.out, /^web {3}Stalled/);
    assert.match(shown.out, /queue {3}Worse since .* {3}the value is 12, and must be at most 10/);
    assert.match(shown.out, /continue although a check is Worse: kubectl tranche approve web -n checked \(you may\)/);
    const refused = await stage.tranche('approve', 'web');
    assert.equal(refused.code, 1);
    assert.match(refused.err, /overrules check queue, which is Worse: the value is 12, and must be at most 10/);
    const approved = await stage.tranche('approve', 'web', '--yes');
    assert.equal(approved.code, 0, approved.err);
    await stage.waits(2);
    assert.match((await stage.tranche('status', 'web')).out, /queue {3}Worse .*; approved by \S+/);
    await stage.tranche('abort', 'web');
    await stage.reaches(({ status }) => status?.phase === 'Healthy');
    assert.match((await stage.tranche('history', 'web')).out, /CHECKS\n.*queue Worse\n/);
    const tried = await stage.tranche('lint', '--live', '--address', fake.address);
    assert.match(tried.out, /rollout\/web: warning: check queue: the query returns 12 now, and must return at most 10/);
  });
});
