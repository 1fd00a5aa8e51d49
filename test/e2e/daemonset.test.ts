// A DaemonSet the way a newcomer meets it, on the embedded cluster or the user's: by hand without the opt-in, by evictions with it.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { DAEMON_SETS, PODS, ROLLOUTS, type Resource } from '../../src/api/resources.ts';
import type { DaemonSet, Pod, Rollout } from '../../src/api/types.ts';
import { until } from '../main/cluster.ts';
import { run, type Result } from '../support/processes.ts';
import { makeNamespace, theCluster } from './harness/session.ts';

const plugin = fileURLToPath(new URL('../../src/plugin.ts', import.meta.url));
const STRATEGY = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } };
const SECONDS = 60;

describe('A DaemonSet', function () {
  this.timeout(300_000);
  let namespace: string;
  let nodes: number;

  const kubectl = (args: readonly string[], input?: string): Promise<string> =>
    theCluster().client.kubectl([...args, '-n', namespace], input === undefined ? {} : { input });
  const json = <T>(args: readonly string[]): Promise<T> => theCluster().client.json<T>([...args, '-n', namespace]);
  const get = <T>(resource: Resource, name?: string): Promise<T> =>
    theCluster().client.get<T>(resource, namespace, name);
  const set = (): Promise<DaemonSet> => get<DaemonSet>(DAEMON_SETS, 'agent');
  const rollout = (): Promise<Rollout> => get<Rollout>(ROLLOUTS, 'agent');
  const message = async (): Promise<string> => (await rollout()).status?.message ?? '';
  const tranche = (...args: string[]): Promise<Result> =>
    run(process.execPath, [plugin, ...args, '-n', namespace], {
      env: theCluster().client.environment(),
      timeoutSeconds: 90,
    });
  const apply = (version: string): Promise<string> =>
    kubectl(
      ['apply', '-f', '-'],
      JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'agent' },
        spec: {
          selector: { matchLabels: { app: 'agent' } },
          updateStrategy: STRATEGY,
          template: {
            metadata: { labels: { app: 'agent' } },
            spec: { containers: [{ name: 'main', image: `registry.k8s.io/pause:${version}` }] },
          },
        },
      }),
    );
  /** Pods that are not terminating, by version. */
  const versions = async (): Promise<Record<string, number>> => {
    type WithImage = Pod & { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
    const { items } = await get<{ items: WithImage[] }>(PODS);
    const found: Record<string, number> = {};
    for (const { metadata, spec } of items) {
      if (metadata.deletionTimestamp !== undefined) continue;
      const version = spec.containers[0]!.image.replace('registry.k8s.io/pause:', '');
      found[version] = (found[version] ?? 0) + 1;
    }
    return found;
  };
  /** Without the versions that have no Pod. */
  const some = (sizes: Record<string, number>): Record<string, number> =>
    Object.fromEntries(Object.entries(sizes).filter(([, pods]) => pods > 0));
  const untilWaits = (step: number): Promise<void> =>
    until(
      async () => {
        const { canaryStatus } = (await rollout()).status ?? {};
        return canaryStatus?.currentStepIndex === step && canaryStatus.currentStepState === 'StepPaused';
      },
      () => `step ${step} is not done`,
      SECONDS,
    );
  const untilSaid = (what: RegExp): Promise<string> => {
    let last = '';
    return until(
      async () => what.test((last = await message())),
      () => last,
      SECONDS,
    ).then(() => last);
  };
  const untilHealthy = (): Promise<void> =>
    until(
      async () =>
        (await rollout()).status?.phase === 'Healthy' && !(await set()).metadata.annotations?.['tranche.dev/held'],
      () => 'not Healthy',
      SECONDS,
    );
  const untilVersions = (wanted: Record<string, number>): Promise<void> => {
    let last = {};
    return until(
      async () => {
        last = await versions();
        return (
          JSON.stringify(Object.entries(last).toSorted()) === JSON.stringify(Object.entries(some(wanted)).toSorted())
        );
      },
      () => JSON.stringify(last),
      SECONDS,
    );
  };

  before('a DaemonSet on all nodes, and its Rollout', async () => {
    namespace = await makeNamespace('daemonset');
    nodes = (await json<{ items: unknown[] }>(['get', 'nodes'])).items.length;
    await apply('3.8');
    await until(
      async () => (await set()).status?.numberAvailable === nodes,
      () => 'its Pods are not available',
      SECONDS,
    );
    const manifest = {
      apiVersion: 'rollouts.kruise.io/v1beta1',
      kind: 'Rollout',
      metadata: { name: 'agent' },
      spec: {
        workloadRef: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent' },
        strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '100%' }] } },
      },
    };
    await kubectl(['apply', '-f', '-'], JSON.stringify(manifest));
    await untilHealthy();
  });

  it('is held in the answer to the change, and its Rollout says which Pod its user may delete', async () => {
    await apply('3.9');
    assert.equal((await set()).spec.updateStrategy?.type, 'OnDelete');
    const said = await untilSaid(/kubectl delete pod/);
    assert.match(said, /set the value daemonSets\.evictPods of the chart, or run: kubectl delete pod agent-\w+ -n /);
    assert.deepEqual(await versions(), { '3.8': nodes });
    const shown = await tranche('status', 'daemonset/agent');
    assert.match(shown.stdout, new RegExp(`DaemonSet agent, namespace ${namespace}`));
    assert.match(shown.stdout, /kubectl delete pod agent-/);
    const command = said.slice(said.indexOf('kubectl delete pod') + 'kubectl '.length).split(' ');
    await theCluster().client.kubectl(command);
    await untilWaits(1);
    assert.deepEqual(await versions(), some({ '3.8': nodes - 1, '3.9': 1 }));
    assert.match((await tranche('status', 'daemonset/agent')).stdout, /ControllerRevisions[^]*agent-\w+ +available/);
  });

  it('keeps its hold when the manifest is applied again, and rolls back in one answer', async () => {
    await apply('3.9');
    assert.equal((await set()).spec.updateStrategy?.type, 'OnDelete');
    const undone = await tranche('undo', 'agent');
    assert.match(
      undone.stdout,
      /DaemonSet agent has the template of revision \d+ \(\w+\) again: the release is cancelled/,
    );
    assert.deepEqual((await set()).spec.updateStrategy, STRATEGY);
    await untilHealthy();
    await untilVersions({ '3.8': nodes });
    assert.match((await tranche('history', 'agent')).stdout, /RolledBack/);
  });

  describe('with the right to evict', () => {
    const restart = async (evicts: boolean): Promise<void> => {
      const { upgradeChart, killProgram, startProgram } = theCluster();
      await upgradeChart([`daemonSets.evictPods=${evicts}`]);
      await killProgram();
      await startProgram(evicts ? ['--evict-daemonset-pods', 'true'] : []);
    };
    before(() => restart(true));
    after(() => restart(false));

    it('goes through its steps, with an event for each eviction', async () => {
      await apply('3.10');
      await untilWaits(1);
      assert.deepEqual(await versions(), some({ '3.8': nodes - 1, '3.10': 1 }));
      let reasons: string[] = [];
      await until(
        async () => {
          const { items } = await json<{ items: { reason: string }[] }>(['get', 'events']);
          reasons = items.map(({ reason }) => reason);
          return reasons.includes('PodEvicted');
        },
        () => reasons.join(' '),
        SECONDS,
      );
      assert.equal((await tranche('approve', 'agent')).code, 0);
      await untilHealthy();
      await untilVersions({ '3.10': nodes });
      assert.deepEqual((await set()).spec.updateStrategy, STRATEGY);
      const { items } = await json<{ items: { metadata: { name: string } }[] }>(['get', 'controllerrevisions']);
      assert.ok(!items.some(({ metadata }) => metadata.name.includes('-stable-')), 'no copy of a template is left');
    });

    it('waits for a PodDisruptionBudget, in words, and goes on when it allows the eviction', async () => {
      const budget = {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'agent' },
        spec: { minAvailable: nodes, selector: { matchLabels: { app: 'agent' } } },
      };
      await kubectl(['apply', '-f', '-'], JSON.stringify(budget));
      await until(
        async () => {
          type Budget = {
            readonly status?: { readonly observedGeneration?: number; readonly currentHealthy?: number };
          };
          const { status } = await json<Budget>(['get', 'poddisruptionbudget', 'agent']);
          return status?.observedGeneration === 1 && status.currentHealthy === nodes;
        },
        () => 'the budget is not observed',
        SECONDS,
      );
      await apply('3.8');
      const said = await untilSaid(/refused since/);
      assert.match(
        said,
        new RegExp(`The disruption budget agent needs ${nodes} healthy pods and has ${nodes} currently`),
      );
      assert.deepEqual(await versions(), { '3.10': nodes });
      await kubectl(['delete', 'poddisruptionbudget', 'agent']);
      await untilWaits(1);
      assert.deepEqual(await versions(), some({ '3.10': nodes - 1, '3.8': 1 }));
    });

    it('is given back when its Rollout is deleted, and updated natively', async () => {
      await kubectl(['delete', 'rollouts.rollouts.kruise.io', 'agent', '--wait=true']);
      const { spec, metadata } = await set();
      assert.deepEqual([spec.updateStrategy, metadata.annotations?.['tranche.dev/held']], [STRATEGY, undefined]);
      await untilVersions({ '3.8': nodes });
    });
  });
});
