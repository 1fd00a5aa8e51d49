// All our processes are killed, and the webhooks stay configured: what people can still do, what nobody can, and what the operator makes of it later.
import assert from 'node:assert/strict';
import type { Deployment } from '../../src/api/types.ts';
import { runPlugin } from '../cli/support.ts';
import { RELEASE_NAMESPACE } from './harness/cluster.ts';
import { makeNamespace, theCluster } from './harness/session.ts';
import { checkSame, expectSoon, observe, settingsOf, type Observation } from './observe.ts';
import { batchDone, changeVersion, deploymentManifest, REPLICAS, rolloutManifest } from '../demo/walkthrough.ts';

describe('An outage', function () {
  this.timeout(240_000);
  let namespace: string;
  let before: unknown;
  let alive = true;
  const NAME = 'workload-demo';
  const ROLLOUT = 'rollouts-demo';
  const AS_ED = ['--as', 'ed'] as const;
  const kubectl = (args: readonly string[], input?: string) => theCluster().client.kubectl(args, { input });
  const asEd = (args: readonly string[]) =>
    theCluster().client.attempt('kubectl', [...args, '-n', namespace, ...AS_ED]);
  const tranche = (...args: readonly string[]) =>
    runPlugin([...args, '-n', namespace], { env: { KUBECONFIG: theCluster().client.kubeconfig } });
  const deployment = (): Promise<Deployment> =>
    theCluster().client.json<Deployment>(['get', 'deployment', NAME, '-n', namespace]);
  const soon = (expected: string, reached: (seen: Observation) => boolean) =>
    expectSoon(() => observe(theCluster().client, namespace), { expected, reached, withinSeconds: 90 });
  const allOf = (version: string) =>
    soon(`all Pods of ${version}`, ({ pods, readyPods }) => pods[version] === REPLICAS && readyPods === REPLICAS);
  const ends = (outcome: string) =>
    soon(`the outcome ${outcome}`, ({ rollout }) => {
      return rollout?.status?.phase === 'Healthy' && rollout.status.history?.[0]?.outcome === outcome;
    });
  const image = (tag: string): Promise<string> =>
    kubectl(['set', 'image', `deployment/${NAME}`, `busybox=busybox:${tag}`, '-n', namespace]);
  const moves = ({ deployment: seen }: Observation): boolean =>
    seen?.spec.paused !== true && seen?.spec.minReadySeconds === 2147483646;

  beforeEach(async () => {
    namespace = await makeNamespace('outage');
    await kubectl(['apply', '-f', '-'], deploymentManifest(namespace));
    // A version whose Pods were never all available is not one that was completed.
    await kubectl(['rollout', 'status', `deployment/${NAME}`, '-n', namespace, '--timeout=60s']);
    await kubectl(['apply', '-f', '-'], rolloutManifest(namespace));
    await kubectl(['create', 'rolebinding', 'ed', '-n', namespace, '--clusterrole=edit', '--user=ed']);
    const seen = await soon('a Healthy Rollout', ({ readyPods, rollout }) => {
      return readyPods === REPLICAS && rollout?.status?.phase === 'Healthy';
    });
    before = settingsOf(seen.deployment);
  });
  const kill = async (): Promise<void> => {
    alive = false;
    await theCluster().killProgram();
  };
  const revive = async (): Promise<void> => {
    // The program that was killed has not given the lead up.
    await kubectl(['delete', 'lease', 'tranche', '-n', RELEASE_NAMESPACE]);
    await theCluster().startProgram();
    alive = true;
  };
  afterEach(async () => {
    if (!alive) await revive();
    await kubectl(['delete', 'rollouts.rollouts.kruise.io,deployments.apps', '--all', '-n', namespace]);
  });
  const asItWas = async (): Promise<void> => checkSame('the user’s settings', settingsOf(await deployment()), before);
  /** The API server pauses new templates itself: Kubernetes 1.34 and newer. */
  const holdsItself = async (): Promise<boolean> =>
    (await theCluster().client.attempt('kubectl', ['get', 'mutatingadmissionpolicies', 'tranche-hold'])).code === 0;

  const release = async (): Promise<void> => {
    await kubectl(changeVersion(namespace, 'version-2'));
    await expectSoon(() => observe(theCluster().client, namespace), batchDone(1, 1, 'version-2'));
  };
  const moving = async (): Promise<void> => {
    await image('broken');
    await soon('a batch in motion', moves);
  };
  for (const [state, reach] of Object.entries({
    'held between two steps': release,
    'moving in its first step': moving,
  })) {
    it(`${state}: abort goes back by itself, and the operator records it later`, async () => {
      await reach();
      await kill();
      const { code, out, err } = await tranche('abort', ROLLOUT);
      assert.equal(code, 0, err);
      assert.match(out, /no webhook and no operator answered: Deployment workload-demo was given back/);
      await allOf('version-1');
      await asItWas();
      await revive();
      await ends('RolledBack');
      await asItWas();
    });
  }

  it('an editor puts the template back, and somebody who may approve does the rest with the same command', async () => {
    await release();
    await kill();
    const by = await tranche('abort', ROLLOUT, ...AS_ED);
    assert.equal(by.code, 4, by.out + by.err);
    assert.match(
      by.err,
      /the template is restored, but Deployment workload-demo stays paused.* requires the verb "approve"/,
    );
    assert.equal((await deployment()).spec.paused, true);
    const { code, out, err } = await tranche('abort', ROLLOUT);
    assert.equal(code, 0, err);
    assert.match(out, /already has the stable version, and is still held/);
    await allOf('version-1');
  });

  it('a release that was resumed by somebody is recorded as such', async () => {
    await release();
    await kill();
    await kubectl(['rollout', 'resume', `deployment/${NAME}`, '-n', namespace]);
    await allOf('version-2');
    await revive();
    await ends('Bypassed');
    assert.match((await tranche('history', ROLLOUT)).out, /Bypassed \(the Deployment was resumed during the release\)/);
  });

  it('a new template is held by the API server, and an editor has no way to get it out', async function () {
    if (!(await holdsItself())) return this.skip();
    await kill();
    const patch = (body: object) => asEd(['patch', 'deployment', NAME, '--type=merge', '-p', JSON.stringify(body)]);
    const evil = await asEd(['set', 'image', `deployment/${NAME}`, 'busybox=busybox:evil']);
    assert.equal(evil.code, 0, evil.stderr);
    assert.equal((await deployment()).spec.paused, true);
    const annotate = (key: string, value: string | null): object => ({ metadata: { annotations: { [key]: value } } });
    const recreate = { type: 'Recreate', rollingUpdate: null };
    const template = { metadata: { annotations: { again: 'yes' } } };
    const unanswered = /failed calling webhook "enrolled\.deployments\.tranche\.dev"/;
    const table: readonly (readonly [what: string, body: object, why: RegExp])[] = [
      ['un-pauses it', { spec: { paused: false } }, /requires the verb approve/],
      ['removes the pause', { spec: { paused: null } }, /requires the verb approve/],
      ['removes the note of the API server', annotate('tranche.dev/paused-unseen', null), /while a new template waits/],
      [
        'removes the note and the pause',
        { ...annotate('tranche.dev/paused-unseen', null), spec: { paused: null } },
        /requires the verb approve/,
      ],
      [
        'gives it more surge',
        { spec: { strategy: { rollingUpdate: { maxSurge: '1000%' } } } },
        /requires the verb approve/,
      ],
      ['takes the strategy that cannot be held', { spec: { strategy: recreate } }, unanswered],
      ['takes that strategy with another template', { spec: { template, strategy: recreate } }, unanswered],
      ['breaks the glass in another name', annotate('tranche.dev/glass-broken', '{"user":"ann"}'), unanswered],
      ['writes another author', annotate('tranche.dev/changed-by', 'ann'), unanswered],
      ['names its own Rollout', annotate('rollouts.kruise.io/in-progressing', '{"rolloutName":"mine"}'), unanswered],
      ['writes a record', annotate('tranche.dev/held', '{"v":1,"rollout":"x","user":{},"stable":"x"}'), unanswered],
      ['leaves the Rollout', { metadata: { labels: { 'rollouts.kruise.io/workload-type': null } } }, unanswered],
    ];
    for (const [what, body, why] of table) {
      const { code, stderr } = await patch(body);
      assert.notEqual(code, 0, what);
      assert.match(stderr, why, what);
    }
    // Another template stays paused as well.
    const other = await asEd(['set', 'image', `deployment/${NAME}`, 'busybox=busybox:evil2']);
    assert.equal(other.code, 0, other.stderr);
    assert.equal((await deployment()).spec.paused, true);
    assert.deepEqual((await observe(theCluster().client, namespace)).pods, { 'version-1': REPLICAS });
  });

  it('a template that was put back before anything came of the new one is resumed when the operator returns', async function () {
    if (!(await holdsItself())) return this.skip();
    await kill();
    await kubectl(changeVersion(namespace, 'version-2'));
    await kubectl(changeVersion(namespace, 'version-1'));
    assert.equal((await deployment()).spec.paused, true);
    await revive();
    await soon('a Deployment that is not paused', (seen) => seen.deployment?.spec.paused !== true);
    await asItWas();
    assert.equal((await deployment()).metadata.annotations?.['tranche.dev/paused-unseen'], undefined);
  });

  it('a version within the rollbackWindow that is put back meanwhile is restored when the operator returns', async function () {
    if (!(await holdsItself())) return this.skip();
    const spec = { strategy: { canary: { rollbackWindow: { revisions: 1 } } } };
    const rollout = ['rollouts.rollouts.kruise.io', ROLLOUT, '-n', namespace];
    await kubectl(['patch', ...rollout, '--type=merge', '-p', JSON.stringify({ spec })]);
    await release();
    const finished = await tranche('finish', ROLLOUT);
    assert.equal(finished.code, 0, finished.err);
    await ends('Completed');
    await kill();
    const { code, out, err } = await tranche('undo', ROLLOUT);
    assert.equal(code, 0, err);
    assert.match(out, /no webhook answered, so the API server holds it until one does; .*kubectl rollout resume/);
    await revive();
    await ends('Restored');
    await allOf('version-1');
    await asItWas();
  });

  it('undo --now needs the verb approve, and gets by without anything of ours', async function () {
    if (!(await holdsItself())) return this.skip();
    await release();
    const finished = await tranche('finish', ROLLOUT);
    assert.equal(finished.code, 0, finished.err);
    await ends('Completed');
    await kill();
    const { code, out, err } = await tranche('undo', ROLLOUT, '--now');
    assert.equal(code, 0, err);
    assert.match(out, /no webhook and no operator answered: Deployment workload-demo was given back/);
    await allOf('version-1');
    await asItWas();
  });
});
