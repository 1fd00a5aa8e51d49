// The actions of the dashboard: what is possible in which state, and that their writes are those of the plugin's commands.
import assert from 'node:assert/strict';
import { HELD } from '../../../src/api/keys.ts';
import type { KubeObject, Pod, Rollout } from '../../../src/api/types.ts';
import { digest } from '../../../src/kube/digest.ts';
import { actionViews, planAction } from '../../../src/view/dashboard/actions.ts';
import type { ActionName } from '../../../src/view/dashboard/types.ts';
import type { Facts } from '../../../src/view/facts.ts';
import { startFakeCluster, type FakeCluster } from '../../cli/fake-cluster.ts';
import { runPlugin } from '../../cli/support.ts';
import { ago, deployment, facts, NOW, pod, progressing, replicaSet, rollout } from '../support.ts';
import { around } from './support.ts';

const stable = digest(deployment('v1').spec.template);
const held = (paused = false): object => ({
  resourceVersion: '7',
  annotations: {
    [HELD]: JSON.stringify({
      ...{ v: 1, rollout: 'web', stable },
      user: { paused, maxSurge: 2, maxUnavailable: 1, minReadySeconds: null, progressDeadlineSeconds: null },
    }),
  },
});
const SETS = [replicaSet('v2', 1, 2), replicaSet('v1', 3, 1)];
const PODS = [pod('v2', 'web-v2-a'), ...['a', 'b', 'c'].map((name) => pod('v1', `web-v1-${name}`))];
const META = { uid: 'u', resourceVersion: '5' };
const step = (canary: object = {}, more: object = {}, spec: object = {}): Rollout =>
  rollout(progressing({ nextStepIndex: 2, stableRevision: 'v1', canaryRevision: 'v2', ...canary }, more), spec, META);
const found = (of: Rollout, pods: readonly Pod[] = PODS, metadata = held()): Facts =>
  facts(of, deployment('v2', metadata), SETS, pods);
const idle = (more: object = {}): Rollout =>
  rollout({ phase: 'Healthy', message: 'waiting for a change', ...more }, {}, META);
const atRest = (of: Rollout): Facts =>
  facts(
    of,
    deployment('v2', { labels: {}, resourceVersion: '7' }),
    [replicaSet('v2', 4, 2), replicaSet('v1', 0, 1)],
    [],
  );
const stalledBy = (reason: string): object => ({ conditions: [{ type: 'Stalled', status: 'True', reason }] });
const paused = { strategy: { ...rollout().spec.strategy, paused: true } };
const pausedNow = { conditions: [{ type: 'Progressing', status: 'True', reason: 'Paused' }] };
const BROKEN = [pod('v2', 'web-v2-a', { waits: 'CrashLoopBackOff' }), ...PODS.slice(1)];
const worse = { name: 'errors', verdict: 'Worse', since: ago(9), message: '12 of 480 requests bad' };
const rolledBack = { rolloutID: 'r0', revision: 'v1', startTime: ago(90), endTime: ago(30), outcome: 'RolledBack' };

/** What is possible in each state, in the order of the actions. */
const POSSIBLE: readonly (readonly [string, Facts, readonly ActionName[]])[] = [
  ['a step that waits', found(step()), ['approve', 'pause', 'jump', 'finish', 'undo', 'abort']],
  ['a step in progress', found(step({ currentStepState: 'StepUpgrade' })), ['pause', 'jump', 'undo', 'abort']],
  [
    'a step that checks watch',
    found(step({ currentStepState: 'StepMetricsAnalysis' })),
    ['approve', 'pause', 'jump', 'undo', 'abort'],
  ],
  ['a step that is approved', found(step({ currentStepState: 'StepReady' })), ['pause', 'jump', 'undo', 'abort']],
  [
    'a stalled step',
    found(step({ currentStepState: 'StepUpgrade' }, stalledBy('PodsFailing')), BROKEN),
    ['pause', 'jump', 'retry', 'undo', 'abort'],
  ],
  [
    'a check that is Worse',
    found(step({ analysis: [worse] }, stalledBy('AnalysisFailed'))),
    ['approve', 'pause', 'jump', 'undo', 'abort'],
  ],
  ['a paused Rollout', found(step({}, pausedNow, paused)), ['approve', 'resume', 'jump', 'undo', 'abort']],
  [
    'a paused Deployment',
    found(step({}, pausedNow), PODS, held(true)),
    ['approve', 'pause', 'resume', 'jump', 'undo', 'abort'],
  ],
  ['no release', atRest(idle()), ['pause', 'undo']],
  ['a release that was rolled back', atRest(idle({ history: [rolledBack] })), ['pause', 'retry', 'undo']],
  [
    'a Rollout that is being deleted',
    atRest({ ...idle(), metadata: { ...idle().metadata, deletionTimestamp: ago(1) } }),
    ['undo'],
  ],
  ['no workload', { ...found(idle()), deployment: undefined, view: undefined }, ['pause']],
];

describe('actions of the dashboard', () => {
  for (const [state, of, possible] of POSSIBLE)
    it(`are possible as they make sense: ${state}`, () => {
      const views = actionViews(of, around());
      assert.equal(views.length, 8);
      assert.deepEqual(
        views.filter((one) => one.possible).map(({ name }) => name),
        possible,
      );
      for (const { name, possible: is, why, says, command } of views) {
        assert.equal(is, says !== undefined && why === undefined, name);
        assert.match(command, new RegExp(`^kubectl tranche ${name} web\\b.* -n shop$`));
        assert.equal(planAction(of, around(), { name }).writes.length > 0, is, name);
      }
    });

  it('ask for the name to be typed where a release ends without its steps', () => {
    const typed = actionViews(found(step()), around()).filter(({ confirm }) => confirm === 'type');
    assert.deepEqual(
      typed.map(({ name }) => name),
      ['finish', 'abort'],
    );
  });

  it('say what an approval overrules', () => {
    const { view } = planAction(POSSIBLE[5]![1], around(), { name: 'approve' });
    assert.match(
      view.overrules!,
      /^this overrules check errors, which is Worse: 12 of 480 requests bad\. If you approve, /,
    );
    assert.equal(view.command, 'kubectl tranche approve web --step 1 --yes -n shop');
  });

  it('say that more approvals are required, before the click', () => {
    const policies = [{ metadata: { name: 'two' }, spec: { approval: { required: 2 } } }];
    for (const [name, says] of [
      [
        'approve',
        /^your approval of step 1 of 3 of web is recorded: 1 of 2 approvals; the step requires approval by 2 people \(policy two\)$/,
      ],
      ['finish', /^your approval of step 1 of web is recorded, but finish requires more approvals: 1 of 2 approvals; /],
    ] as const)
      assert.match(planAction(found(step()), around({ policies }), { name }).view.says!, says);
  });

  it('have another version when what will happen is another thing, and the same one otherwise', () => {
    const versionOf = (of: Facts, name: ActionName = 'approve'): string =>
      planAction(of, around(), { name }).view.version;
    const before = versionOf(found(step()));
    assert.equal(versionOf(found({ ...step(), metadata: { ...step().metadata, resourceVersion: '6' } })), before);
    const steps = [{ replicas: 1 }, { replicas: '75%' }, { replicas: '100%' }];
    const OTHERS = [
      step({ nextStepIndex: 3 }),
      step({ observedRolloutID: 'r2' }),
      step({}, {}, { strategy: { canary: { steps } } }),
    ];
    for (const other of OTHERS) assert.notEqual(versionOf(found(other)), before);
  });

  it('refuse a step and a revision that do not exist', () => {
    assert.match(
      planAction(found(step()), around(), { name: 'jump', step: 9 }).view.why!,
      /web has 3 steps: write 1 to 3/,
    );
    assert.match(
      planAction(atRest(idle()), around(), { name: 'undo', revision: 9 }).view.why!,
      /web has no revision 9; existing revisions: 1, 2/,
    );
  });

  it('do not restore a version that is not the recorded one', () => {
    const of = facts(
      step(),
      deployment('v2', held()),
      [replicaSet('v2', 1, 2), { ...replicaSet('v1', 3, 1), spec: replicaSet('v3', 3).spec }],
      PODS,
    );
    for (const name of ['undo', 'abort'] as const)
      assert.equal(
        planAction(of, around(), { name }).view.why,
        `no ReplicaSet of web has the stable version; to restore it from the copy that the operator keeps: kubectl tranche ${name} web -n shop`,
      );
  });
});

describe('writes of the dashboard', () => {
  let fake: FakeCluster;

  before(async () => {
    fake = await startFakeCluster();
  });
  after(() => fake.close());

  const run = async (of: Facts, ...args: readonly string[]): Promise<void> => {
    const list = (path: string, objects: readonly KubeObject[]): unknown => fake.objects.set(path, [...objects]);
    list('/apis/rollouts.kruise.io/v1beta1/namespaces/shop/rollouts', [of.rollout]);
    list('/apis/apps/v1/namespaces/shop/deployments', [of.deployment!]);
    list(
      '/apis/apps/v1/namespaces/shop/replicasets',
      of.rollout.status?.phase === 'Healthy' ? [replicaSet('v2', 4, 2), replicaSet('v1', 0, 1)] : SETS,
    );
    list('/api/v1/namespaces/shop/pods', of.pods);
    list('/apis/tranche.dev/v1alpha1/releasepolicies', []);
    fake.patches.length = 0;
    fake.asked.length = 0;
    const { err } = await runPlugin([...args, '-n', 'shop'], { env: { KUBECONFIG: fake.kubeconfig }, now: NOW });
    assert.doesNotMatch(err, /^error: (?!no webhook)/m, err);
  };

  const SAME: readonly (readonly [Facts, { name: ActionName; step?: number; revision?: number }, ...string[]])[] = [
    [found(step()), { name: 'approve' }, 'approve', 'web'],
    [found(step()), { name: 'pause' }, 'pause', 'web'],
    [found(step({}, pausedNow, paused), PODS, held(true)), { name: 'resume' }, 'resume', 'web'],
    [found(step()), { name: 'jump', step: 3 }, 'jump', 'web', '3'],
    [found(step({ currentStepState: 'StepUpgrade' })), { name: 'jump', step: 3 }, 'jump', 'web', '3'],
    [found(step()), { name: 'finish' }, 'finish', 'web'],
    [found(step()), { name: 'undo' }, 'undo', 'web'],
    [atRest(idle()), { name: 'undo', revision: 1 }, 'undo', 'web', '--to-revision', '1'],
    [found(step()), { name: 'abort' }, 'abort', 'web'],
    [atRest(idle({ history: [rolledBack] })), { name: 'retry' }, 'retry', 'web'],
  ];
  for (const [of, ask, ...args] of SAME)
    it(`are those of: ${args.join(' ')}`, async () => {
      await run(of, ...args);
      const { writes } = planAction(of, around(), ask);
      assert.deepEqual(fake.patches, JSON.parse(JSON.stringify(writes.map(({ body }) => body))));
      const paths = fake.asked.filter((line) => line.startsWith('PATCH '));
      assert.deepEqual(
        paths.map((path) => path.split('/').slice(6).join('/')),
        writes.map(({ resource, name, subresource }) =>
          [resource.plural, name, ...(subresource ? [subresource] : [])].join('/'),
        ),
      );
    });

  it('does not say that a workload does not exist if the user may not read it', () => {
    const of = { ...found(step()), deployment: undefined, view: undefined };
    for (const name of ['undo', 'abort'] as const) {
      const { why } = planAction(of, around({ hidesWorkload: true }), { name }).view;
      assert.match(
        why!,
        /^you may not list Deployments in this namespace, so the versions of "web" are not known: ask/,
      );
      assert.match(planAction(of, around(), { name }).view.why!, /^Deployment "web" of Rollout "web" does not exist$/);
    }
  });

  it('delete the Pods that retry deletes, and no Pod that has the same name since', async () => {
    const of = found(step({ currentStepState: 'StepUpgrade' }, stalledBy('PodsFailing')), BROKEN);
    await run(of, 'retry', 'web');
    const { writes } = planAction(of, around(), { name: 'retry' });
    assert.deepEqual(
      writes.map(({ method, resource, name, body }) => [method, resource.kind, name, body]),
      [['DELETE', 'Pod', 'web-v2-a', { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: 'web-v2-a' } }]],
    );
    assert.deepEqual(
      fake.asked.filter((line) => line.startsWith('DELETE')),
      ['DELETE /api/v1/namespaces/shop/pods/web-v2-a'],
    );
  });
});
