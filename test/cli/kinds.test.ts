// The commands of the plugin, the same for every kind of workload: against one cluster with the operator at work.
import assert from 'node:assert/strict';
import { pathOf } from '../../src/kube/path.ts';
import type { Rollout } from '../../src/api/types.ts';
import { until } from '../main/cluster.ts';
import { FIXTURES, type KindFixture } from '../operator/kinds/fixtures.ts';
import { template } from '../operator/world.ts';
import { rolloutPath, runPlugin, startPlayground, type Playground } from './support.ts';

const MERGE = 'application/merge-patch+json';
/** The embedded cluster has the native kinds. */
const NATIVE = FIXTURES.filter(({ kind }) => kind.resource.apiVersion === 'apps/v1');

describe('kubectl tranche', () => {
  let playground: Playground;
  before(async () => (playground = await startPlayground(...NATIVE.flatMap(({ flags = [] }) => flags))));
  after(() => playground.stop());

  for (const fixture of NATIVE)
    describe(`on a ${fixture.kind.resource.kind}`, () => commands(fixture, () => playground));

  it('takes the only workload with a name, and says the forms of names where there are several', async () => {
    const namespace = 'several-kinds';
    await post(playground, '/api/v1/namespaces', { metadata: { name: namespace } });
    for (const fixture of NATIVE) await make(playground, fixture, namespace, 'one');
    const first = await playground.tranche('init', 'one', '-n', namespace);
    assert.match(first.out, /kind: Deployment/, 'a name alone is a Deployment');
    const others = NATIVE.filter(({ kind }) => kind.resource.kind !== 'Deployment');
    await make(playground, others[0]!, namespace, 'two');
    const only = await playground.tranche('init', 'two', '-n', namespace);
    assert.match(only.out, new RegExp(`kind: ${others[0]!.kind.resource.kind}`));
    const none = await playground.tranche('init', 'three', '-n', namespace);
    assert.match(none.err, /no Deployment "three" in namespace "several-kinds"/);
    const wrong = await playground.tranche('init', 'job/one', '-n', namespace);
    assert.match(wrong.err, /invalid name of a workload "job\/one": write NAME, deployment\/NAME.* or /);
    const completed = await playground.tranche('__complete', '--', 'init', '-n', namespace, '');
    const names = NATIVE.map(({ kind: { resource } }) =>
      resource.kind === 'Deployment' ? 'one' : `${resource.kind.toLowerCase()}/one`,
    );
    for (const name of names) assert.ok(completed.out.split('\n').includes(name), completed.out);
    const short = await playground.tranche('__complete', '--', 'status', '-n', namespace, 'sts/');
    assert.match(short.out, /^sts\/one$/m);
  });
});

const post = ({ cluster }: Playground, path: string, body: object): Promise<unknown> =>
  cluster.api.request({ method: 'POST', path, body });

const make = (playground: Playground, { kind, spec }: KindFixture, namespace: string, name: string): Promise<unknown> =>
  post(playground, pathOf(kind.resource, { namespace }), {
    apiVersion: kind.resource.apiVersion,
    kind: kind.resource.kind,
    metadata: { name },
    spec: { ...spec(4), selector: { matchLabels: { app: 'demo' } }, template: template('v1') },
  });

function commands(fixture: KindFixture, playgroundNow: () => Playground): void {
  const { resource, words } = fixture.kind;
  const noun = resource.kind;
  const namespace = `of-${resource.plural}`;
  const named = `${noun.toLowerCase()}/demo`;
  let playground: Playground;
  const tranche = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await playground.tranche(...args, '-n', namespace);
    assert.equal(code, 0, `${args.join(' ')}: ${out}${err}`);
    return out;
  };
  const rollout = async (): Promise<Rollout> =>
    (await playground.cluster.api.request({ method: 'GET', path: rolloutPath(namespace, 'demo') })) as Rollout;
  const release = (version: string): Promise<unknown> =>
    playground.cluster.api.request({
      method: 'PATCH',
      path: pathOf(resource, { namespace, name: 'demo' }),
      contentType: MERGE,
      body: { spec: { template: template(version) } },
    });
  const untilState = (state: string, step: number): Promise<void> =>
    until(
      async () => {
        const { canaryStatus } = (await rollout()).status ?? {};
        return canaryStatus?.currentStepState === state && canaryStatus.currentStepIndex === step;
      },
      () => `not ${state} of step ${step}`,
      40,
    );
  const untilHealthy = (ends: number): Promise<void> =>
    until(
      async () => {
        const { phase, history = [] } = (await rollout()).status ?? {};
        return phase === 'Healthy' && history.filter(({ endTime }) => endTime !== undefined).length === ends;
      },
      () => 'not Healthy',
      40,
    );

  before(async () => {
    playground = playgroundNow();
    await post(playground, '/api/v1/namespaces', { metadata: { name: namespace } });
    await make(playground, fixture, namespace, 'demo');
  });

  it('init prints and makes a Rollout that names it', async () => {
    const printed = await tranche('init', named);
    assert.match(printed, new RegExp(`Pods? of ${noun} demo`));
    assert.match(printed, new RegExp(`kind: ${noun}\\n`));
    const made = await tranche('init', named, '--steps', '1,100%', '--apply');
    assert.match(made, new RegExp(`the next change of ${noun} demo goes through the steps`));
    await until(
      async () => (await rollout()).status?.completedVersions?.length === 1,
      () => 'the version that runs does not count as completed',
      40,
    );
    const again = await playground.tranche('init', named, '-n', namespace);
    assert.match(again.err, new RegExp(`${noun} "demo" already has Rollout "demo"`));
  });

  it('list, status, plan and doctor show it while a step waits', async () => {
    assert.match(await tranche('plan', 'demo'), new RegExp(`of ${noun} demo in 2 steps`));
    await release('v2');
    await untilState('StepPaused', 1);
    const shown = noun === 'Deployment' ? 'demo' : named;
    assert.match(await tranche('list'), new RegExp(`^NAME +WORKLOAD .*\\ndemo +${shown} +1/2 `));
    const status = await tranche('status', named);
    assert.match(status, new RegExp(`${noun} demo, namespace ${namespace}`));
    assert.ok(status.includes(words.keeper), status);
    assert.match(await tranche('status', 'demo'), new RegExp(`${noun} demo, namespace ${namespace}`));
    assert.match((await playground.tranche('doctor')).out, new RegExp(`1 held ${noun}`));
  });

  it('status and approve need no more than the role of an approver', async () => {
    const as = await playground.approver(namespace);
    const asApprover = (...args: string[]) => runPlugin([...args, '-n', namespace], { env: { KUBECONFIG: as } });
    const shown = await asApprover('status', named);
    assert.match(shown.out, /\(you may\)/, shown.err);
    assert.equal((await asApprover('list')).code, 0);
    const approved = await asApprover('approve', named, '--dry-run=server');
    assert.match(approved.out, /step 1 of 2 of demo is approved/, approved.err);
  });

  it('pause and resume stop it and let it go on', async () => {
    await tranche('pause', named);
    await until(
      async () => /paused/.test((await rollout()).status?.message ?? ''),
      () => 'not paused',
      40,
    );
    await tranche('resume', named);
    await untilState('StepPaused', 1);
  });

  it('undo puts the stable version back at once, and history says so', async () => {
    assert.match(
      await tranche('undo', named),
      new RegExp(`${noun} demo has the template of revision \\d+ .* again: the release is cancelled`),
    );
    await untilHealthy(1);
    assert.match(await tranche('history', named), /RolledBack/);
  });

  it('retry releases again what was rolled back, and abort ends that', async () => {
    assert.match(await tranche('retry', named), /again/);
    await untilState('StepPaused', 1);
    await tranche('abort', named);
    await untilHealthy(2);
  });

  it('approve and finish complete it, and undo then goes through the steps', async () => {
    await release('v2');
    await untilState('StepPaused', 1);
    assert.match(await tranche('approve', named, '--step', '1'), /step 1 of 2 of demo is approved/);
    await untilHealthy(3);
    assert.match(await tranche('undo', named), /demo has the template of revision \d+/);
    await untilState('StepPaused', 1);
    assert.match(await tranche('abort', named), /demo has the template of revision \d+/);
    await untilHealthy(4);
  });

  it('undo --now restores a completed version without steps', async () => {
    assert.match(await tranche('undo', named, '--now'), /restored immediately, without steps/);
    await untilHealthy(5);
    assert.match(await tranche('history', named), /Restored/);
  });

  it('lint and plan judge files, without a cluster', async () => {
    const { apiVersion, kind } = resource;
    const workload = {
      apiVersion,
      kind,
      metadata: { name: 'demo' },
      spec: { ...fixture.spec(4), selector: { matchLabels: { app: 'demo' } }, template: template('v1') },
    };
    const written = {
      apiVersion: 'rollouts.kruise.io/v1beta1',
      kind: 'Rollout',
      metadata: { name: 'demo' },
      spec: {
        workloadRef: { apiVersion, kind, name: 'demo' },
        strategy: { canary: { steps: [{ replicas: 9 }, { replicas: '100%' }] } },
      },
    };
    const stdin = [workload, written].map((one) => JSON.stringify(one)).join('\n---\n');
    const linted = await runPlugin(['lint', '-'], { stdin });
    assert.equal(linted.code, 0, `${linted.out}${linted.err}`);
    const planned = await runPlugin(['plan', '-f', '-'], { stdin });
    assert.match(planned.out, new RegExp(`of ${noun} demo in `), planned.err);
  });

  it('restart releases its Pods again', async () => {
    assert.match(await tranche('restart', named), new RegExp(`the Pods of ${noun} demo are restarted as a release`));
    await untilState('StepPaused', 1);
    await tranche('finish', named);
    await untilHealthy(6);
  });
}
