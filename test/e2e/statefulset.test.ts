// A StatefulSet with the real program, the chart, kubectl and the plugin: steps, a rollback, and a user's own partition.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { PODS, ROLLOUTS, STATEFUL_SETS, type Resource } from '../../src/api/resources.ts';
import type { Pod, Rollout, StatefulSet } from '../../src/api/types.ts';
import { until } from '../main/cluster.ts';
import * as kruise from '../support/openkruise.ts';
import { run, type Result } from '../support/processes.ts';
import { makeNamespace, theCluster } from './harness/session.ts';

const plugin = fileURLToPath(new URL('../../src/plugin.ts', import.meta.url));
const ALL = 2147483647;
/** An image that exists on a real cluster. Version v1 is 3.1. */
const IMAGE = 'registry.k8s.io/pause:';
const SECONDS = 60;

const manifestOf = (version: string): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      serviceName: 'db',
      replicas: 4,
      selector: { matchLabels: { app: 'db' } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } },
      template: {
        metadata: { labels: { app: 'db' } },
        spec: { containers: [{ name: 'main', image: `${IMAGE}${version.replace('v', '3.')}` }] },
      },
    },
  });

describe('A StatefulSet', function () {
  this.timeout(240_000);
  let namespace: string;

  const kubectl = (args: readonly string[], input?: string): Promise<string> =>
    theCluster().client.kubectl([...args, '-n', namespace], input === undefined ? {} : { input });
  const json = <T>(args: readonly string[]): Promise<T> => theCluster().client.json<T>([...args, '-n', namespace]);
  const get = <T>(resource: Resource, name?: string): Promise<T> =>
    theCluster().client.get<T>(resource, namespace, name);
  const set = (): Promise<StatefulSet> => get<StatefulSet>(STATEFUL_SETS, 'db');
  const rollout = (): Promise<Rollout> => get<Rollout>(ROLLOUTS, 'db');
  const partition = async (): Promise<number | undefined> =>
    (await set()).spec.updateStrategy?.rollingUpdate?.partition;
  const images = async (): Promise<string> => {
    const { items } = await get<{ items: (Pod & { spec: { containers: { image: string }[] } })[] }>(PODS);
    return items
      .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      .map(({ spec }) => spec.containers[0]!.image.replace(`${IMAGE}3.`, 'v'))
      .join(' ');
  };
  const tranche = (...args: string[]): Promise<Result> =>
    run(process.execPath, [plugin, ...args, '-n', namespace], {
      env: theCluster().client.environment(),
      timeoutSeconds: 90,
    });
  const untilState = (state: string): Promise<void> =>
    until(
      async () => (await rollout()).status?.canaryStatus?.currentStepState === state,
      () => `not ${state}`,
      SECONDS,
    );
  const untilPhase = (phase: string): Promise<void> =>
    until(
      async () =>
        (await rollout()).status?.phase === phase && !(await set()).metadata.annotations?.['tranche.dev/held'],
      () => `not ${phase}`,
      SECONDS,
    );
  const apply = (input: string): Promise<unknown> => kubectl(['apply', '-f', '-'], input);

  before(async () => {
    namespace = await makeNamespace('statefulset');
    await apply(manifestOf('v1'));
    await apply(
      JSON.stringify({
        apiVersion: 'rollouts.kruise.io/v1beta1',
        kind: 'Rollout',
        metadata: { name: 'db' },
        spec: {
          workloadRef: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db' },
          strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '100%' }] } },
        },
      }),
    );
    await untilPhase('Healthy');
  });

  it('is held in the answer to the change, and released in steps', async () => {
    const dry = await kubectl(['apply', '--dry-run=server', '-o', 'json', '-f', '-'], manifestOf('v2'));
    const answer = JSON.parse(dry) as StatefulSet;
    assert.equal(answer.spec.updateStrategy?.rollingUpdate?.partition, ALL);
    await apply(manifestOf('v2'));
    await untilState('StepPaused');
    assert.deepEqual([await images(), await partition()], ['v1 v1 v1 v2', 3]);
    const shown = await tranche('status', 'statefulset/db');
    assert.match(shown.stdout, /StatefulSet db, namespace tranche-e2e-/);
    assert.match(shown.stdout, /ControllerRevisions[^]*db-3 +available/);
    await apply(manifestOf('v2'));
    assert.equal(await partition(), 3, 'applied again, the manifest does not break the hold');
    assert.equal((await tranche('approve', 'db')).code, 0);
    await untilPhase('Healthy');
    assert.deepEqual([await images(), await partition()], ['v2 v2 v2 v2', 1]);
  });

  it('goes back with undo, during a release', async () => {
    await apply(manifestOf('v3'));
    await untilState('StepPaused');
    assert.equal(await images(), 'v2 v2 v2 v3');
    const undone = await tranche('undo', 'db');
    assert.match(
      undone.stdout,
      /StatefulSet db has the template of revision \d+ \(db-\w+\) again: the release is cancelled/,
    );
    await untilPhase('Healthy');
    assert.deepEqual([await images(), await partition()], ['v2 v2 v2 v2', 1]);
    assert.match((await tranche('history', 'db')).stdout, /RolledBack/);
  });

  it('is given back when its Rollout is deleted, with its user’s partition in effect', async () => {
    await apply(manifestOf('v4'));
    await untilState('StepPaused');
    await kubectl(['delete', 'rollouts.rollouts.kruise.io', 'db', '--wait=true']);
    assert.deepEqual([await partition(), (await set()).metadata.annotations?.['tranche.dev/held']], [1, undefined]);
    await until(
      async () => (await images()) === 'v2 v4 v4 v4',
      () => 'its own partition is not in effect',
      SECONDS,
    );
  });

  it('that OpenKruise left in the middle of a release is taken over, with the partition that its user names', async () => {
    const name = 'cache';
    const manifest = (version: string, partition: number, metadata: object = {}): string =>
      JSON.stringify({
        ...(JSON.parse(manifestOf(version).replaceAll('db', name)) as object),
        metadata: { name, ...metadata },
      }).replace(/"partition":1\b/, `"partition":${partition}`);
    const status = async (): Promise<NonNullable<StatefulSet['status']>> =>
      (await json<StatefulSet>(['get', 'statefulset', name])).status ?? {};
    const untilSet = (what: string, is: (now: NonNullable<StatefulSet['status']>) => boolean): Promise<void> =>
      until(
        async () => is(await status()),
        () => what,
        40,
      );
    await apply(manifest('v1', 0));
    await untilSet('not ready', ({ readyReplicas }) => readyReplicas === 4);
    const { currentRevision: stable = '' } = await status();
    const left = kruise.onDeployment({ name, stable, updated: 1 }, { partition: 1, rollingUpdate: {} });
    const annotations = Object.fromEntries(
      Object.entries(left.annotations ?? {}).filter(([key]) => /in-progressing|control-info/.test(key)),
    );
    const labels = { 'rollouts.kruise.io/stable-revision': stable };
    await apply(manifest('v2', 3, { labels, annotations }));
    await untilSet('not updated', ({ updatedReplicas, readyReplicas }) => updatedReplicas === 1 && readyReplicas === 4);
    assert.equal((await tranche('init', `statefulset/${name}`, '--steps', '1,100%', '--apply')).code, 0);
    await until(
      async () => /kubectl tranche takeover statefulset\/cache/.test((await tranche('status', name)).stdout),
      () => 'the Rollout does not say so',
      SECONDS,
    );
    assert.match((await tranche('doctor')).stdout, /left StatefulSet \S+\/cache between two versions/);
    const taken = await tranche('takeover', `statefulset/${name}`, '--partition', '1');
    assert.match(
      `${taken.stdout}${taken.stderr}`,
      /^StatefulSet \S+\/cache: taken over: .* with 1 of 4 Pods updated, and Rollout cache starts with step 1 of 2\n$/,
    );
    await until(
      async () => (await tranche('approve', name)).code === 0,
      () => 'it cannot be approved',
      SECONDS,
    );
    await untilSet('not updated', ({ updatedReplicas, readyReplicas }) => updatedReplicas === 4 && readyReplicas === 4);
    await until(
      async () =>
        (await json<StatefulSet>(['get', 'statefulset', name])).spec.updateStrategy?.rollingUpdate?.partition === 1,
      () => 'its partition is not restored',
      SECONDS,
    );
    assert.match((await tranche('takeover')).stdout, /no leftovers of OpenKruise Rollouts on workloads/);
  });
});
