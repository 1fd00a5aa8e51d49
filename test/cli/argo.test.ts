// Beside Argo Rollouts, whose CRD has the same short names: every command that we print is about our Rollouts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { globSync } from 'node:fs';
import { run } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { until } from '../main/cluster.ts';
import { rollout, rolloutPath, Stage, startPlayground, type Playground } from './support.ts';

const ARGO = 'rollouts.argoproj.io';
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const argoPath = '/apis/argoproj.io/v1alpha1/namespaces/shared/rollouts';
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Names, short names and scope are Argo's. */
const argoCrd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: ARGO },
  spec: {
    group: 'argoproj.io',
    scope: 'Namespaced',
    names: { kind: 'Rollout', listKind: 'RolloutList', plural: 'rollouts', singular: 'rollout', shortNames: ['ro'] },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

describe('beside the CRD of Argo Rollouts', () => {
  let playground: Playground;
  let stage: Stage;
  let kubectl: string;

  before(async () => {
    playground = await startPlayground();
    kubectl = await findTool('kubectl');
    stage = await Stage.open(playground, 'shared');
    await stage.post(CRDS, argoCrd);
    const made = async (): Promise<boolean> => {
      const metadata = { name: 'second', namespace: 'shared' };
      const body = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', metadata, spec: {} };
      return stage.post(argoPath, body).then(
        () => true,
        () => false,
      );
    };
    await until(made, () => 'Argo’s CRD is not served');
  });
  after(() => playground.stop());

  const ask = (...args: readonly string[]) =>
    run(kubectl, [...args], { env: { ...process.env, KUBECONFIG: playground.cluster.kubeconfig } });
  /** The command that a message names, as its reader would copy it. */
  const copied = (message: string, verb: string): string[] =>
    new RegExp(`kubectl ${verb} [^;,\\n]*`).exec(message)![0].trim().split(' ').slice(1);
  const there = (path: string): Promise<boolean> =>
    playground.cluster.api.request({ method: 'GET', path }).then(
      () => true,
      () => false,
    );

  it('a short name is Argo’s, which is why we print none', async () => {
    const { stdout } = await ask('get', 'rollout', '-n', 'shared', '-o', 'name');
    assert.match(stdout, /^rollout\.argoproj\.io\/second$/m);
  });

  it('the refusal of a second Rollout names a command that leaves Argo’s object alone', async () => {
    const body = { ...(rollout('shared') as { spec: object }), metadata: { name: 'rival', namespace: 'shared' } };
    const refused = await stage.post(rolloutPath('shared', '').replace(/\/$/, ''), body).then(
      () => assert.fail('it was taken'),
      (error: unknown) => (error as Error).message,
    );
    const args = copied(refused, 'delete');
    assert.deepEqual(args, ['delete', 'rollouts.rollouts.kruise.io', 'web', '-n', 'shared']);
    const { stdout, code, stderr } = await ask(...args, '--dry-run=server');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /rollout\.rollouts\.kruise\.io "web" deleted/);
  });

  it('the doctor’s command deletes ours, with Argo’s of the same name beside it', async () => {
    const second = rollout('shared') as { metadata: object; spec: { strategy: object } };
    const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'nobody' };
    await stage.post(rolloutPath('shared', '').replace(/\/$/, ''), {
      ...second,
      metadata: { name: 'second', namespace: 'shared' },
      spec: { ...second.spec, workloadRef },
    });
    const { out } = await stage.tranche('doctor');
    const line = out.split('\n').findIndex((text) => /Rollout shared\/second names Deployment nobody/.test(text));
    const { code, stderr } = await ask(...copied(out.split('\n')[line + 1] ?? '', 'delete'));
    assert.equal(code, 0, stderr);
    assert.equal(await there(rolloutPath('shared', 'second')), false, 'ours is gone');
    assert.equal(await there(`${argoPath}/second`), true, 'Argo’s is there');
  });

  it('explains our fields by the command that a refusal names', async () => {
    const { stdout } = await ask('explain', 'rollouts.spec', '--api-version=rollouts.kruise.io/v1beta1');
    assert.match(stdout, /GROUP: +rollouts\.kruise\.io[^]*workloadRef/);
  });

  it('the plugin takes our full name, and not Argo’s', async () => {
    for (const name of [
      'web',
      'rollout/web',
      'rollouts.rollouts.kruise.io/web',
      'rollout.v1beta1.rollouts.kruise.io/web',
    ])
      assert.equal((await stage.tranche('status', name)).code, 0, name);
    for (const name of ['rollouts.argoproj.io/web', 'rollout.argoproj.io/web', 'deployments.example.com/web']) {
      const { code, err } = await stage.tranche('status', name);
      assert.equal(code, 2, name);
      assert.match(err, /invalid name of a Rollout/);
    }
  });

  it('no text of the program, the plugin or the chart has a command with a short name', () => {
    const short =
      /kubectl(?: -\S+(?: \S+)?)* (?:get|delete|edit|annotate|patch|label|describe|explain|wait|replace) (?:-\S+ )*ro(?:llouts?)?(?:[ /`'"\n]|\.spec(?! --api-version))/;
    const files = globSync(['src/**/*.ts', 'charts/**/*.{txt,yaml,tpl,md}'], { cwd: root });
    assert.ok(files.length > 100);
    for (const file of files) assert.doesNotMatch(readFileSync(`${root}/${file}`, 'utf8'), short, file);
    assert.match('kubectl delete rollout web', short);
    assert.match('kubectl -n a get rollouts -A', short);
  });
});
