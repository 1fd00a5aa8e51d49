// All our processes are killed in the middle of a release, and the webhooks stay configured: the commands of docs/emergencies.md.
import assert from 'node:assert/strict';
import type { Deployment } from '../../src/api/types.ts';
import { RELEASE_NAMESPACE } from './harness/cluster.ts';
import { makeNamespace, theCluster } from './harness/session.ts';
import { checkSame, expectSoon, observe, settingsOf, type Observation } from './observe.ts';
import { batchDone, changeVersion, deploymentManifest, REPLICAS, rolloutManifest } from '../demo/walkthrough.ts';

/** The Deployment as it was written, whatever it was in the middle of. */
const GIVE_BACK = (name: string, namespace: string): string[] => [
  ...['get', 'deployment', name, '-n', namespace, '-o'],
  'jsonpath={.metadata.annotations.tranche\\.dev/give-back}',
];
/** The template before the release; it pauses what moves. */
const STABLE = (name: string, namespace: string): string[] => [
  ...['get', 'controllerrevisions', '-n', namespace, '-l', `tranche.dev/stable-of=${name}`, '-o'],
  'jsonpath={.items[0].data}',
];

describe('The way out with nothing of ours alive', function () {
  this.timeout(240_000);
  let namespace: string;
  let before: unknown;
  let alive = true;
  const NAME = 'workload-demo';
  const kubectl = (args: readonly string[], input?: string) => theCluster().client.kubectl(args, { input });
  const deployment = (): Promise<Deployment> =>
    theCluster().client.json<Deployment>(['get', 'deployment', NAME, '-n', namespace]);
  const soon = (expected: string, reached: (seen: Observation) => boolean) =>
    expectSoon(() => observe(theCluster().client, namespace), { expected, reached, withinSeconds: 90 });
  const image = (tag: string): Promise<string> =>
    kubectl(['set', 'image', `deployment/${NAME}`, `busybox=busybox:${tag}`, '-n', namespace]);

  beforeEach(async () => {
    namespace = await makeNamespace('way-out');
    await kubectl(['apply', '-f', '-'], deploymentManifest(namespace));
    await kubectl(['apply', '-f', '-'], rolloutManifest(namespace));
    const seen = await soon('a Healthy Rollout', ({ readyPods, rollout }) => {
      return readyPods === REPLICAS && rollout?.status?.phase === 'Healthy';
    });
    before = settingsOf(seen.deployment);
  });
  afterEach(async () => {
    if (!alive) {
      // The program that was killed has not given the lead up.
      await kubectl(['delete', 'lease', 'tranche', '-n', RELEASE_NAMESPACE]);
      await theCluster().startProgram();
    }
    alive = true;
    await kubectl(['delete', 'rollouts.rollouts.kruise.io,deployments.apps', '--all', '-n', namespace]);
  });
  const kill = async (): Promise<void> => {
    alive = false;
    await theCluster().killProgram();
  };

  const moves = (seen: Observation): boolean =>
    seen.deployment?.spec.paused !== true && seen.deployment?.spec.minReadySeconds === 2147483646;
  /** The version whose Pods never become Ready keeps a batch in motion. */
  const STATES: Readonly<Record<string, () => Promise<unknown>>> = {
    'held between two steps': async () => {
      await kubectl(changeVersion(namespace, 'version-2'));
      await expectSoon(() => observe(theCluster().client, namespace), batchDone(1, 1, 'version-2'));
    },
    'moving in its first step': async () => {
      await image('broken');
      await soon('a batch in motion', moves);
    },
    'held, with a newer template that came in the middle of a batch': async () => {
      await image('broken');
      await soon('a batch in motion', moves);
      await image('newer');
      await soon('the newer release', ({ rollout }) => (rollout?.status?.history?.length ?? 0) > 1);
    },
  };

  for (const [state, reach] of Object.entries(STATES)) {
    it(`${state}: one command gives the Deployment back as it was written`, async () => {
      await reach();
      await kill();
      const patch = await kubectl(GIVE_BACK(NAME, namespace));
      await kubectl(['patch', 'deployment', NAME, '-n', namespace, '--type=merge', '-p', patch]);
      const after = await deployment();
      checkSame('the user’s settings', settingsOf(after), before);
      assert.equal(after.spec.paused, undefined);
    });

    it(`${state}: two commands take it back to the stable version, and no further`, async () => {
      await reach();
      await kill();
      const most = (await observe(theCluster().client, namespace)).pods['version-2'] ?? 0;
      const stable = await kubectl(STABLE(NAME, namespace));
      await kubectl(['patch', 'deployment', NAME, '-n', namespace, '-p', stable]);
      const patch = await kubectl(GIVE_BACK(NAME, namespace));
      await kubectl(['patch', 'deployment', NAME, '-n', namespace, '--type=merge', '-p', patch]);
      await expectSoon(() => observe(theCluster().client, namespace), {
        expected: 'all Pods of the version before',
        reached: ({ pods, readyPods }) => pods['version-1'] === REPLICAS && readyPods === REPLICAS,
        always: ({ pods }) => ((pods['version-2'] ?? 0) > most ? `more than ${most} Pods of version-2` : undefined),
        withinSeconds: 90,
      });
      const after = await deployment();
      checkSame('the user’s settings', settingsOf(after), before);
      assert.doesNotMatch(JSON.stringify(after.spec.template), /broken|newer|version-2|patch/);
    });
  }

  it('pausing what moves is not refused, and neither is scaling', async () => {
    await image('broken');
    await soon('a batch in motion', moves);
    await kill();
    await kubectl(['rollout', 'pause', `deployment/${NAME}`, '-n', namespace]);
    await kubectl(['scale', `deployment/${NAME}`, '--replicas=7', '-n', namespace]);
    assert.equal((await deployment()).spec.replicas, 7);
  });

  it('what limits the Pods of a batch is not changed', async () => {
    await image('broken');
    await soon('a batch in motion', moves);
    await kill();
    for (const spec of [{ minReadySeconds: 1 }, { strategy: { rollingUpdate: { maxSurge: 9 } } }])
      await assert.rejects(
        kubectl(['patch', 'deployment', NAME, '-n', namespace, '-p', JSON.stringify({ spec })]),
        /enrolled\.deployments\.tranche\.dev/,
      );
  });
});
