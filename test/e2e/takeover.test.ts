// Moving from OpenKruise Rollouts in the middle of a release, as docs/migrating-from-openkruise.md says it: by the real helm and kubectl.
import assert from 'node:assert/strict';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startSandbox, type Sandbox } from '@tranche/sandbox';
import { DEPLOYMENTS, REPLICA_SETS, ROLLOUTS } from '../../src/api/resources.ts';
import type { Deployment, Pod, ReplicaSet, Rollout } from '../../src/api/types.ts';
import { runPlugin, type Result } from '../cli/support.ts';
import { startProgram, until, type TestProgram } from '../main/cluster.ts';
import * as kruise from '../support/openkruise.ts';
import { temporaryFolder } from '../support/processes.ts';

import { writeFile } from 'node:fs/promises';
import { Client } from './harness/client.ts';
import { freePort, operatorKubeconfig } from './harness/cluster.ts';

const chart = fileURLToPath(new URL('../../charts/tranche', import.meta.url));
const theirs = fileURLToPath(new URL('openkruise', import.meta.url));

const REPLICAS = 10;
const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
/** As its user wrote it. */
const STRATEGY = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2, maxUnavailable: '10%' } };
const UNAVAILABLE = 1;

const manifest = (image: string): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', labels: { team: 'a' } },
  spec: {
    replicas: REPLICAS,
    minReadySeconds: 0,
    progressDeadlineSeconds: 300,
    strategy: STRATEGY,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app', image }] } },
  },
});

describe('Moving from OpenKruise Rollouts in the middle of a release', function () {
  this.timeout(180_000);
  let sandbox: Sandbox;
  let client: Client;
  let url: string;
  let home: string;
  let program: TestProgram | undefined;
  /** What an observer of every change has seen. */
  const seen = { fewest: REPLICAS, unpausedRecreate: false, mostUpdated: 0 };
  let watching = false;

  const kubectl = (...args: string[]): Promise<string> => client.kubectl(args);
  const apply = (object: object, ...args: string[]): Promise<string> =>
    client.kubectl(['apply', '-f', '-', ...args], { input: JSON.stringify(object) });
  const create = (object: object): Promise<string> =>
    client.kubectl(['create', '-f', '-'], { input: JSON.stringify(object) });
  const tranche = (...args: string[]): Promise<Result> => runPlugin(args, { env: { KUBECONFIG: client.kubeconfig } });
  const web = (): Promise<Deployment> => client.get<Deployment>(DEPLOYMENTS, 'shop', 'web');
  const rollout = (): Promise<Rollout> => client.get<Rollout>(ROLLOUTS, 'shop', 'web');
  const there = async (...what: string[]): Promise<boolean> =>
    (await kubectl('get', ...what, '--ignore-not-found', '-o', 'name')).trim() !== '';
  const sizes = async (): Promise<Record<string, number>> => {
    const { items } = await client.get<{ items: ReplicaSet[] }>(REPLICA_SETS, 'shop');
    const image = ({ spec }: ReplicaSet): string =>
      (spec.template.spec as { containers: { image: string }[] }).containers[0]!.image;
    return Object.fromEntries(items.map((set) => [image(set), set.spec.replicas ?? 0]));
  };

  /** Every change of a Pod and of the Deployment, while it is being moved. */
  function observe(): void {
    const pods = new Map<string, Pod>();
    for (const pod of sandbox.cluster.store.list('/pods')) pods.set(pod.metadata.name, pod as unknown as Pod);
    watching = true;
    sandbox.cluster.store.observe(({ collection, type, object }) => {
      if (!watching) return;
      if (collection === 'apps/deployments' && object.metadata.name === 'web') {
        const { spec } = object as unknown as Deployment;
        if (spec.paused !== true && spec.strategy?.type === 'Recreate') seen.unpausedRecreate = true;
      }
      if (collection !== '/pods') return;
      if (type === 'DELETED') pods.delete(object.metadata.name);
      else pods.set(object.metadata.name, object as unknown as Pod);
      const alive = [...pods.values()].filter(
        ({ metadata }) => metadata.labels?.['app'] === 'web' && metadata.deletionTimestamp === undefined,
      );
      const ready = alive.filter(
        ({ status }) => status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true,
      );
      seen.fewest = Math.min(seen.fewest, ready.length);
      seen.mostUpdated = Math.max(
        seen.mostUpdated,
        alive.filter(({ spec }) => JSON.stringify(spec).includes('web:v2')).length,
      );
    });
  }

  before('OpenKruise, in the middle of a release', async () => {
    sandbox = await startSandbox({ readyMs: 50 });
    home = temporaryFolder('takeover');
    client = new Client(path.join(home, 'kubeconfig'), home);
    await writeFile(client.kubeconfig, sandbox.kubeconfig, { mode: 0o600 });
    url = `https://127.0.0.1:${await freePort()}`;
    await client.helm(['install', 'kruise-rollout', theirs, '--set', 'webhooks=false']);
    await kubectl('create', 'namespace', 'shop');
    await apply(manifest('web:v1'));
    await kubectl('rollout', 'status', 'deployment/web', '-n', 'shop', '--timeout=60s');
    await create(kruise.rollout({ namespace: 'shop', name: 'web' }, STEPS));
    const { items } = await client.get<{ items: ReplicaSet[] }>(REPLICA_SETS, 'shop');
    const [old] = items;
    const stable = old!.metadata.labels!['pod-template-hash']!;
    const release = {
      namespace: 'shop',
      name: 'web',
      step: 2,
      state: 'StepPaused',
      stable,
      canary: '7d9f8c6b5b',
      updated: 5,
    };
    // Paused in the same write as the new template: the native controller starts nothing.
    const metadata = kruise.onDeployment(release, { partition: '50%', rollingUpdate: STRATEGY.rollingUpdate });
    const template = { spec: { containers: [{ name: 'app', image: 'web:v2' }] } };
    const spec = { paused: true, strategy: { type: 'Recreate', rollingUpdate: null }, template };
    await kubectl('patch', 'deployment', 'web', '-n', 'shop', '-p', JSON.stringify({ metadata, spec }));
    // As its own Deployment controller makes the new ReplicaSet, and resizes both.
    const deployment = await web();
    const labels = { app: 'web', 'pod-template-hash': release.canary };
    await create({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `web-${release.canary}`,
        namespace: 'shop',
        labels,
        annotations: {
          ...metadata.annotations,
          'deployment.kubernetes.io/revision': '2',
          'deployment.kubernetes.io/desired-replicas': '10',
          'deployment.kubernetes.io/max-replicas': '12',
        },
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            name: 'web',
            uid: deployment.metadata.uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      spec: {
        replicas: 5,
        selector: { matchLabels: labels },
        template: { ...deployment.spec.template, metadata: { labels } },
      },
    });
    await kubectl('scale', 'replicaset', old!.metadata.name, '-n', 'shop', '--replicas=5');
    const status = JSON.stringify({ status: kruise.rolloutStatus(release) });
    await kubectl('patch', 'rollout', 'web', '-n', 'shop', '--subresource=status', '--type=merge', '-p', status);
    await create(kruise.batchRelease(release, STEPS, (await rollout()).metadata.uid!));
    await client.helm(['upgrade', 'kruise-rollout', theirs, '--set', 'webhooks=true']);
    await kubectl('rollout', 'status', 'deployment/kruise-rollout-controller-manager', '-n', 'kruise-rollout');
    await until(
      async () => (await web()).status?.readyReplicas === REPLICAS,
      () => 'not all Pods of both versions are ready',
    );
    assert.deepEqual(await sizes(), { 'web:v1': 5, 'web:v2': 5 });
    observe();
  });

  after(async () => {
    await program?.stop();
    await sandbox.close();
  });

  it('nothing is taken over while OpenKruise works', async () => {
    const { code, err } = await tranche('takeover', '-A');
    assert.equal(code, 1);
    assert.match(err, /the webhooks of OpenKruise Rollouts are still installed/);
  });

  it('OpenKruise stops, and nothing moves', async () => {
    await kubectl('scale', 'deployment', 'kruise-rollout-controller-manager', '-n', 'kruise-rollout', '--replicas=0');
    await kubectl('wait', '--for=delete', 'pod', '-n', 'kruise-rollout', '--all', '--timeout=60s');
    await kubectl('delete', 'mutatingwebhookconfiguration', 'kruise-rollout-mutating-webhook-configuration');
    await kubectl('delete', 'validatingwebhookconfiguration', 'kruise-rollout-validating-webhook-configuration');
    await kubectl('delete', 'secret', '-n', 'default', '-l', 'owner=helm,name=kruise-rollout');
    assert.equal((await client.helm(['list', '-A', '-q'])).trim(), '');
  });

  it('helm puts our CRD in the place of theirs, and every Rollout stays', async () => {
    const args = ['install', 'tranche', chart, '-n', 'tranche-system', '--create-namespace', '--take-ownership'];
    await client.helm([...args, '--set', `operator.enabled=false,webhook.url=${url}`], { timeoutSeconds: 60 });
    const crd = await client.json<{ spec: { conversion: { webhook: { clientConfig: object } } }; metadata: object }>([
      'get',
      'crd',
      'rollouts.rollouts.kruise.io',
    ]);
    assert.deepEqual(Object.keys(crd.spec.conversion.webhook.clientConfig).includes('service'), false);
    assert.match(JSON.stringify(crd.metadata), /"helm\.sh\/resource-policy":"keep"/);
    assert.ok(await there('rollout/web', '-n', 'shop'));
  });

  it('the operator stands aside until the Deployment is taken over, and says what to do', async () => {
    program = startProgram(await operatorKubeconfig(client, home), '--webhook-url', url);
    await program.ready();
    await until(
      async () => /kubectl tranche takeover web -n shop/.test((await rollout()).status?.message ?? ''),
      () => 'it does not say so',
    );
    const { spec } = await web();
    assert.equal(spec.paused, true);
    assert.equal(spec.strategy?.type, 'Recreate');
  });

  it('un-pausing it now, which would end every Pod, is refused', async () => {
    const { code, stderr } = await client.attempt('kubectl', ['rollout', 'resume', 'deployment/web', '-n', 'shop']);
    assert.notEqual(code, 0);
    assert.match(stderr, /resuming would delete all Pods at the same time.*kubectl tranche takeover web -n shop/s);
  });

  it('its ReplicaSets may be resized, as the takeover does where Pods are missing', async () => {
    const { items } = await client.get<{ items: ReplicaSet[] }>(REPLICA_SETS, 'shop');
    const spec = JSON.stringify({ spec: { replicas: 6 } });
    const patch = ['patch', 'replicaset', items[0]!.metadata.name, '-n', 'shop', '--type=merge', '-p', spec];
    const { code, stderr } = await client.attempt('kubectl', [...patch, '--dry-run=server']);
    assert.equal(code, 0, stderr);
  });

  it('doctor names the one command', async () => {
    const { code, out } = await tranche('doctor', '-n', 'shop');
    assert.equal(code, 1);
    assert.match(out, /^ {4}kubectl tranche takeover web -n shop$/m);
  });

  it('a dry run says what would happen, and changes nothing', async () => {
    const before = await web();
    const { code, out, err } = await tranche('takeover', '-A', '--dry-run=server');
    assert.equal(code, 0, err);
    assert.match(
      out,
      /taken over: the Deployment stays held with 5 of 10 Pods updated, and Rollout web continues with step 2 of 3/,
    );
    assert.deepEqual((await web()).metadata.resourceVersion, before.metadata.resourceVersion);
    assert.ok(await there('batchrelease/web', '-n', 'shop'));
  });

  it('taken over, it waits at the step in which it was, and no Pod was touched', async () => {
    const { code, out, err } = await tranche('takeover', '-A');
    assert.equal(code, 0, err + out);
    await until(
      async () => /^step 2\/3/.test((await rollout()).status?.message ?? ''),
      () => 'it does not go on with its step',
    );
    const { spec, metadata } = await web();
    assert.deepEqual(spec.strategy, { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } });
    assert.equal(spec.paused, true);
    assert.deepEqual(
      Object.keys(metadata.annotations ?? {}).filter(
        (key) => key.includes('deployment-strategy') || key.includes('control-info'),
      ),
      [],
    );
    assert.deepEqual(await sizes(), { 'web:v1': 5, 'web:v2': 5 });
    assert.equal(seen.fewest, REPLICAS);
    assert.equal(await there('batchrelease/web', '-n', 'shop'), false);
  });

  it('again, it finds nothing to do', async () => {
    const { code, out } = await tranche('takeover', '-A');
    assert.equal(code, 0);
    assert.match(out, /no leftovers of OpenKruise Rollouts on workloads in any namespace/);
  });

  it('the release goes on and ends, with the Deployment as its user wrote it', async () => {
    let last = '';
    const { code, err } = await tranche('approve', 'web', '-n', 'shop');
    assert.equal(code, 0, err);
    await until(
      async () => {
        const { status } = await rollout();
        last = JSON.stringify([status, await web(), await sizes()]);
        return status?.history?.[0]?.outcome === 'Completed';
      },
      () => last + JSON.stringify(program?.lines.slice(-12)),
      30,
    );
    const { spec, metadata } = await web();
    assert.deepEqual(spec.strategy, STRATEGY);
    assert.equal(spec.paused, undefined);
    assert.equal(spec.progressDeadlineSeconds, 300);
    const left = [...Object.keys(metadata.annotations ?? {}), ...Object.keys(metadata.labels ?? {})].filter((key) =>
      /rollouts\.kruise\.io|tranche\.dev/.test(key),
    );
    assert.deepEqual(left.toSorted(), ['rollouts.kruise.io/workload-type']);
    assert.deepEqual(await sizes(), { 'web:v1': 0, 'web:v2': 10 });
  });

  it('all along no more Pods were missing than its user allows, and it was never un-paused in Recreate', () => {
    watching = false;
    assert.ok(seen.fewest >= REPLICAS - UNAVAILABLE, `${seen.fewest} of ${REPLICAS} Pods were ready`);
    assert.equal(seen.unpausedRecreate, false);
  });

  it('what is left of OpenKruise goes, and Rollouts stay', async () => {
    await kubectl('delete', 'namespace', 'kruise-rollout', '--timeout=60s');
    await kubectl('delete', 'crd', 'batchreleases.rollouts.kruise.io', '--timeout=60s');
    assert.ok(await there('rollout/web', '-n', 'shop'));
    const { code, out } = await tranche('doctor', '-n', 'shop');
    assert.equal(code, 0, out);
  });
});
