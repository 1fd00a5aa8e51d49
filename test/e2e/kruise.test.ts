// Workloads of OpenKruise with the real program, the chart, kubectl and the plugin. The controllers of OpenKruise are stand-ins (test/support/kruise).
import assert from 'node:assert/strict';
import { PODS as ALL_PODS, ROLLOUTS } from '../../src/api/resources.ts';
import type { Pod, Rollout } from '../../src/api/types.ts';
import { EVERY } from '../../src/engine/workload/partition/shape.ts';
import { runPlugin } from '../cli/support.ts';
import type { Kruise } from '../support/kruise/common.ts';
import { CLONE_SET_DEFINITION, DAEMON_SET_DEFINITION, STATEFUL_SET_DEFINITION } from '../support/kruise/crds.ts';
import { keepNodes } from '../support/kruise/nodes.ts';
import { startPolling } from '../support/kruise/polling.ts';
import { until } from '../main/cluster.ts';
import { RELEASE_NAMESPACE } from './harness/cluster.ts';
import { makeNamespace, theCluster } from './harness/session.ts';

const PATIENCE_SECONDS = 60;
const PODS = 4;

/** How each kind is written, and what its fields are during and after a release. */
interface Case {
  readonly kind: string;
  readonly apiVersion: string;
  readonly resource: string;
  readonly definition: object;
  /** The user's strategy. */
  readonly strategy: object;
  /** The partition that holds every Pod, and that of the first step. */
  readonly held: unknown;
  readonly first: unknown;
  readonly partitionOf: (workload: Kruise) => unknown;
}

const CASES: readonly Case[] = [
  {
    kind: 'CloneSet',
    apiVersion: 'apps.kruise.io/v1alpha1',
    resource: 'clonesets.apps.kruise.io',
    definition: CLONE_SET_DEFINITION,
    strategy: { partition: 1, maxUnavailable: 1 },
    held: '100%',
    first: '75%',
    partitionOf: ({ spec }) => spec.updateStrategy?.partition,
  },
  {
    kind: 'StatefulSet',
    apiVersion: 'apps.kruise.io/v1beta1',
    resource: 'statefulsets.apps.kruise.io',
    definition: STATEFUL_SET_DEFINITION,
    strategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } },
    held: EVERY,
    first: 3,
    partitionOf: ({ spec }) => spec.updateStrategy?.rollingUpdate?.partition,
  },
  {
    kind: 'DaemonSet',
    apiVersion: 'apps.kruise.io/v1alpha1',
    resource: 'daemonsets.apps.kruise.io',
    definition: DAEMON_SET_DEFINITION,
    strategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } },
    held: EVERY,
    first: 3,
    partitionOf: ({ spec }) => spec.updateStrategy?.rollingUpdate?.partition,
  },
];

const restart = async (...flags: readonly string[]): Promise<void> => {
  const { client, killProgram, startProgram } = theCluster();
  await killProgram();
  // The program that was killed has not given the lead up.
  await client.kubectl(['delete', 'lease', 'tranche', '-n', RELEASE_NAMESPACE, '--ignore-not-found']);
  await startProgram(flags);
};

describe('Workloads of OpenKruise', function () {
  this.timeout(240_000);
  let stop: (() => Promise<void>) | undefined;

  before('the chart with openkruiseWorkloads, on a cluster without the CRDs', async () => {
    const { client, upgradeChart } = theCluster();
    await upgradeChart(['openkruiseWorkloads.enabled=true']);
    await restart('--openkruise-workloads', 'true');
    stop = await startPolling(client.kubeconfig);
  });
  after(async () => {
    const { upgradeChart } = theCluster();
    await stop?.();
    await upgradeChart([]);
    await restart();
  });

  for (const { kind, apiVersion, resource, definition, strategy, held, first, partitionOf } of CASES)
    describe(`${kind} of ${apiVersion}`, () => {
      let namespace: string;
      let removeNodes: (() => Promise<void>) | undefined;
      const kubectl = (args: readonly string[], input?: string): Promise<string> =>
        theCluster().client.kubectl([...args, '-n', namespace], { input });
      const [plural = ''] = resource.split('.');
      const workload = (): Promise<Kruise> =>
        theCluster().client.get<Kruise>({ apiVersion, kind, plural }, namespace, 'web');
      const rollout = (): Promise<Rollout> => theCluster().client.get<Rollout>(ROLLOUTS, namespace, 'web');
      const tranche = (...args: readonly string[]) =>
        runPlugin([...args, '-n', namespace], { env: { KUBECONFIG: theCluster().client.kubeconfig } });
      const sizes = async (): Promise<string> => {
        const { items } = await theCluster().client.get<{
          items: (Pod & { spec: { containers: { image: string }[] } })[];
        }>(ALL_PODS, namespace);
        const images = items
          .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
          .map(({ spec }) => spec.containers[0]!.image.replace('web:', ''));
        return images.toSorted().join(' ');
      };
      const soon = async (what: string, reached: () => Promise<boolean>): Promise<void> => {
        await until(reached, () => `not reached: ${what}`, PATIENCE_SECONDS);
      };
      const isAt = (state: string) => async (): Promise<boolean> =>
        (await rollout()).status?.canaryStatus?.currentStepState === state;
      const ended = (outcome: string) => async (): Promise<boolean> => {
        const { status } = await rollout();
        const found = await workload();
        return (
          status?.phase === 'Healthy' &&
          status.history?.[0]?.outcome === outcome &&
          found.metadata.annotations?.['tranche.dev/held'] === undefined
        );
      };
      const manifest = (version: string): string =>
        JSON.stringify({
          apiVersion,
          kind,
          metadata: { name: 'web' },
          spec: {
            ...(kind !== 'DaemonSet' && { replicas: PODS }),
            selector: { matchLabels: { app: 'web' } },
            updateStrategy: strategy,
            template: {
              metadata: { labels: { app: 'web' } },
              spec: { containers: [{ name: 'main', image: `web:${version}` }] },
            },
          },
        });
      const apply = (input: string): Promise<string> => kubectl(['apply', '-f', '-'], input);
      const rolloutManifest = JSON.stringify({
        apiVersion: 'rollouts.kruise.io/v1beta1',
        kind: 'Rollout',
        metadata: { name: 'web' },
        spec: {
          workloadRef: { apiVersion, kind, name: 'web' },
          strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '100%' }] } },
        },
      });
      const install = async (): Promise<void> => {
        const { client } = theCluster();
        await client.kubectl(['apply', '-f', '-'], { input: JSON.stringify(definition) });
        await client.kubectl(['wait', '--for=condition=Established', `crd/${resource}`, '--timeout=30s']);
      };

      before(async () => {
        namespace = await makeNamespace('kruise');
        // A DaemonSet has a Pod on each node.
        if (kind === 'DaemonSet') removeNodes = await keepNodes(theCluster().client, PODS);
      });
      after(async () => {
        await theCluster().client.kubectl(['delete', 'crd', resource, '--ignore-not-found'], { timeoutSeconds: 60 });
        await removeNodes?.();
      });

      it('waits for its CustomResourceDefinition, and says so', async () => {
        await apply(rolloutManifest);
        await soon('it says what it waits for', async () =>
          /waiting for CustomResourceDefinition/.test((await rollout()).status?.message ?? ''),
        );
        assert.match((await rollout()).status!.message!, new RegExp(`no ${kind}s of apps.kruise.io: .*${resource}$`));
      });

      it('is released when the definition is installed, without a restart', async () => {
        await install();
        await soon('it can be created', async () => (await apply(manifest('v1')).catch(() => '')) !== '');
        await soon('it is enrolled and at rest', async () => (await rollout()).status?.phase === 'Healthy');
        await soon('all Pods run', async () => (await sizes()) === 'v1 v1 v1 v1');
      });

      it('is held in the answer to the change, and released in steps', async () => {
        const dry = await kubectl(['apply', '--dry-run=server', '-o', 'json', '-f', '-'], manifest('v2'));
        assert.equal(partitionOf(JSON.parse(dry) as Kruise), held);
        await apply(manifest('v2'));
        await soon('the first step is done', isAt('StepPaused'));
        assert.deepEqual([await sizes(), partitionOf(await workload())], ['v1 v1 v1 v2', first]);
        const shown = await tranche('status', `${resource}/web`);
        assert.equal(shown.code, 0, shown.err);
        assert.match(shown.out, new RegExp(`${kind} web`));
        await apply(manifest('v2'));
        assert.equal(partitionOf(await workload()), first, 'applied again, the manifest does not break the hold');
        const approved = await tranche('approve', 'web');
        assert.equal(approved.code, 0, approved.err);
        await soon('it is completed', ended('Completed'));
        assert.deepEqual([await sizes(), partitionOf(await workload())], ['v2 v2 v2 v2', 1]);
      });

      it('goes back with undo, during a release', async () => {
        await apply(manifest('v3'));
        await soon('the first step is done', isAt('StepPaused'));
        assert.equal(await sizes(), 'v2 v2 v2 v3');
        const undone = await tranche('undo', 'web');
        assert.equal(undone.code, 0, undone.err);
        await soon('it is rolled back', ended('RolledBack'));
        assert.deepEqual([await sizes(), partitionOf(await workload())], ['v2 v2 v2 v2', 1]);
      });

      it('is given back when its Rollout is deleted', async () => {
        await apply(manifest('v4'));
        await soon('the first step is done', isAt('StepPaused'));
        await kubectl(['delete', 'rollouts.rollouts.kruise.io', 'web', '--wait=true']);
        const { metadata } = await workload();
        assert.deepEqual([partitionOf(await workload()), metadata.annotations?.['tranche.dev/held']], [1, undefined]);
        await soon('its own partition is in effect', async () => (await sizes()) === 'v2 v4 v4 v4');
      });

      it('whose definition is removed during a release says so, and goes on when it is back', async () => {
        await apply(rolloutManifest);
        // Its own partition keeps a Pod, which is a release for the new Rollout.
        await soon('a step is done', isAt('StepPaused'));
        await theCluster().client.kubectl(['delete', 'crd', resource, '--wait=true'], { timeoutSeconds: 60 });
        await soon('it says what it waits for', async () =>
          /waiting for CustomResourceDefinition/.test((await rollout()).status?.message ?? ''),
        );
        const { out, code } = await tranche('list', '-A');
        assert.equal(code, 0, out);
        await install();
        await soon('it can be created again', async () => (await apply(manifest('v1')).catch(() => '')) !== '');
        await soon('it is at rest', async () => (await rollout()).status?.phase === 'Healthy');
      });
    });
});
