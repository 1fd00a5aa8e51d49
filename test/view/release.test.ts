// A release as plain data: what a tree of it and a page about it show.
import assert from 'node:assert/strict';
import { factsWithout } from '../../src/view/facts.ts';
import { releaseView, type ReleaseView } from '../../src/view/release.ts';
import { ago, deployment, facts, NOW, pod, progressing, replicaSet, rollout } from './support.ts';

const SETS = [replicaSet('v1', 3), replicaSet('v2', 1), replicaSet('v0', 0)];
const PODS = [
  pod('v1', 'web-v1-a'),
  pod('v1', 'web-v1-b'),
  pod('v1', 'web-v1-c', { waits: 'CrashLoopBackOff' }),
  pod('v1', 'web-v1-gone', { deleted: true }),
  pod('v2', 'web-v2-a'),
];
const at = (canary: object, sets = SETS, pods = PODS): ReleaseView =>
  releaseView(facts(rollout(progressing({ stableRevision: 'v1', ...canary })), deployment(), sets, pods), NOW);
const progressOf = (view: ReleaseView): readonly string[] =>
  view.release!.steps.map(({ step, progress, available, updated }) => `${step} ${progress} ${available}/${updated}`);

describe('a release as plain data', () => {
  it('has a name, a state with its time, and what the operator says', () => {
    const { release: _, replicaSets: __, ...head } = at({});
    assert.deepEqual(head, {
      name: 'web',
      namespace: 'shop',
      kind: 'Deployment',
      deployment: 'web',
      keeper: 'ReplicaSet',
      state: 'Waiting',
      since: NOW - 60_000,
      message: 'step 1/3 done',
    });
  });

  it('has an id, an author and a start while it is in progress, and none of them at rest', () => {
    const history = [{ rolloutID: 'r1', revision: '', startTime: ago(90) }];
    const workload = deployment('v2', { annotations: { 'tranche.dev/changed-by': 'anna' } });
    const running = releaseView(facts(rollout(progressing({}, { history })), workload, SETS, PODS), NOW);
    const { id, author, startedAt } = running.release!;
    assert.deepEqual({ id, author, startedAt }, { id: 'r1', author: 'anna', startedAt: NOW - 90_000 });
    const resting = rollout({ phase: 'Healthy', canaryStatus: progressing().canaryStatus! });
    assert.equal(releaseView(facts(resting, workload, SETS, PODS), NOW).release, undefined);
  });

  for (const [when, canary, steps] of [
    ['the first waits', {}, ['1 Current 1/1', '2 Ahead 0/2', '3 Ahead 0/4']],
    ['the second is moving', { currentStepIndex: 2 }, ['1 Done 1/1', '2 Current 1/2', '3 Ahead 0/4']],
    ['all are done', { currentStepState: 'Completed' }, ['1 Done 1/1', '2 Done 2/2', '3 Done 4/4']],
  ] as const)
    it(`says of each step how far it is when ${when}`, () => assert.deepEqual(progressOf(at(canary)), steps));

  it('has no steps while a completed version is restored', () => {
    assert.deepEqual(progressOf(at({ restores: 'Window' })), []);
  });

  it('has a step without a number for what follows the last one natively', () => {
    const strategy = { canary: { steps: [{ replicas: 1, pause: { duration: 60 } }] } };
    const view = releaseView(facts(rollout(progressing(), { strategy }), deployment(), SETS, PODS), NOW);
    assert.deepEqual(view.release?.steps, [
      {
        step: 1,
        replicas: 1,
        progress: 'Current',
        updated: 1,
        old: 3,
        available: 1,
        wait: { seconds: 60 },
      },
      { step: undefined, replicas: undefined, progress: 'Ahead', updated: 4, old: 0, available: 0, wait: 'None' },
    ]);
  });

  it('has the ReplicaSets with Pods, the new one first, each with its part in the release', () => {
    const roles = (view: ReleaseView): unknown =>
      view.replicaSets?.map(({ name, role, size, available }) => [name, role, size, available]);
    assert.deepEqual(roles(at({})), [
      ['web-v2', 'New', 1, 1],
      ['web-v1', 'Stable', 3, 2],
    ]);
    assert.deepEqual(roles(at({ stableRevision: 'v2' })), [
      ['web-v2', 'Current', 1, 1],
      ['web-v1', 'Old', 3, 2],
    ]);
  });

  it('has its Pods, those that are not available first and with what they wait for, those on their way out not', () => {
    const [, stable] = at({}).replicaSets!;
    const made = { createdAt: NOW - 120_000, node: 'node-1' };
    assert.deepEqual(stable?.pods, [
      { name: 'web-v1-c', trouble: 'CrashLoopBackOff', ...made },
      { name: 'web-v1-a', trouble: undefined, ...made },
      { name: 'web-v1-b', trouble: undefined, ...made },
    ]);
  });

  it('without a Deployment is its head alone', () => {
    const { release, replicaSets, state } = releaseView(factsWithout(rollout(progressing())), NOW);
    assert.deepEqual({ release, replicaSets, state }, { release: undefined, replicaSets: undefined, state: 'Waiting' });
  });
});
