// What docs/gitops.md gives to Argo CD and Flux, taken from the page, against the objects of every state of a release.
import assert from 'node:assert/strict';
import { json as jq } from 'jq-wasm';
import { LuaFactory } from 'wasmoon';
import { parse } from 'yaml';
import { compile } from '@tranche/sandbox/cel';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import { deploymentPath, rollout, startPlayground, Stage, type Playground } from '../cli/support.ts';
import { Client } from '../e2e/harness/client.ts';
import { until } from '../main/cluster.ts';
import { temporaryFolder } from '../support/processes.ts';
import { readPage } from './page.ts';
import { desiredDeployment, playStates, type Manifest, type Snapshot } from './states.ts';

/** What each state is to be called: by Argo CD, by Flux while it waits for a person or not, and by Flux when it waits for the end. */
const EXPECTED: Readonly<Record<string, readonly [argo: string, flux: string, fluxToTheEnd: string]>> = {
  'at rest': ['Healthy', 'current', 'current'],
  // Until the operator has looked, the Rollout says what was before.
  'held, the operator has not seen it': ['Healthy', 'current', 'current'],
  moving: ['Progressing', 'inProgress', 'inProgress'],
  'waiting for approval': ['Suspended', 'current', 'inProgress'],
  'waiting for its time': ['Progressing', 'current', 'inProgress'],
  'waiting for a window': ['Suspended', 'current', 'inProgress'],
  frozen: ['Suspended', 'current', 'inProgress'],
  stalled: ['Degraded', 'failed', 'failed'],
  done: ['Healthy', 'current', 'current'],
  'rolled back by a person': ['Healthy', 'current', 'current'],
  'failed, rolled back by onFailure': ['Degraded', 'current', 'current'],
  disabled: ['Healthy', 'current', 'current'],
  'no Deployment': ['Progressing', 'inProgress', 'inProgress'],
  'new, without a status': ['Progressing', 'waits', 'waits'],
  'being deleted': ['Progressing', 'inProgress', 'inProgress'],
  'changed, the operator has not seen it': ['Progressing', 'inProgress', 'inProgress'],
};

const manifests = readPage('docs/gitops.md')
  .blocks.filter(({ language }) => language === 'yaml')
  .map(({ text }) => parse(text) as Record<string, never>);
const ofKind = <T>(kind: string): T => manifests.find((one) => one['kind'] === kind) as T;

const application = ofKind<{ spec: { ignoreDifferences: { kind: string; jqPathExpressions: string[] }[] } }>(
  'Application',
);
const [rule] = application.spec.ignoreDifferences;
const script = Object.entries(ofKind<{ data: Record<string, string> }>('ConfigMap').data).find(([key]) =>
  key.endsWith('health.rollouts.kruise.io_Rollout'),
)![1];
type Expressions = Readonly<Record<'inProgress' | 'failed' | 'current', string>>;
const [expressions] = ofKind<{ spec: { healthCheckExprs: Expressions[] } }>('Kustomization').spec.healthCheckExprs;
const toTheEnd = { ...expressions!, ...(manifests.find((one) => one['kind'] === undefined) as Partial<Expressions>) };

/** As Argo CD: the object is the global `obj`, the script returns a table. */
async function argoHealth(objects: readonly object[]): Promise<{ status: string; message: string }[]> {
  const lua = await new LuaFactory().createEngine();
  try {
    return objects.map((object) =>
      lua.doStringSync(`obj = ${luaOf(object)}\nlocal function health()\n${script}\nend\nreturn health()`),
    );
  } finally {
    lua.global.close();
  }
}

function luaOf(value: unknown): string {
  if (value === null || value === undefined) return 'nil';
  if (Array.isArray(value)) return `{${value.map(luaOf).join(',')}}`;
  if (typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.entries(value).map(([key, one]) => `[${JSON.stringify(key)}]=${luaOf(one)}`)}}`;
}

/** As kustomize-controller: in this order the first that is true; one that cannot be evaluated is waited for. */
function fluxStatus(object: Rollout, checks: Expressions): string {
  const variables = Object.fromEntries(Object.entries(object));
  const all = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];
  try {
    for (const name of ['inProgress', 'failed', 'current'] as const)
      if (compile(checks[name], { variables: all }).evaluate(variables) === true) return name;
    return 'none of them';
  } catch {
    return 'waits';
  }
}

/** As Argo CD compares: what Git has, with what is live; what Git does not have is no difference. */
function differences(desired: unknown, live: unknown, at = ''): string[] {
  if (Array.isArray(desired))
    return desired.flatMap((one, i) => differences(one, (live as unknown[] | undefined)?.[i], `${at}[${i}]`));
  if (typeof desired === 'object' && desired !== null)
    return Object.entries(desired).flatMap(([key, one]) =>
      differences(one, (live as Record<string, unknown> | undefined)?.[key], `${at}.${key}`),
    );
  return desired === live || (desired === false && live === undefined) ? [] : [at];
}

const ignoring = (objects: readonly object[]): Promise<unknown[]> =>
  jq(objects as never, `map(del(${rule!.jqPathExpressions.join(', ')}))`) as Promise<unknown[]>;

const imageOf = ({ spec }: Deployment): string =>
  (spec.template.spec as { containers: { image: string }[] }).containers[0]!.image;
const gitOf = (deployment: Deployment, borrowed?: object): Manifest =>
  desiredDeployment(deployment.metadata.namespace!, imageOf(deployment), borrowed);

describe('docs/gitops.md', () => {
  let playground: Playground;
  let snapshots: readonly Snapshot[];

  before(async () => {
    playground = await startPlayground();
    snapshots = await playStates(playground);
  });
  after(() => playground.stop());

  it('is looked at in every state', () => {
    assert.deepEqual(snapshots.map(({ state }) => state).sort(), Object.keys(EXPECTED).sort());
  });

  it('gives Argo CD a health check that is right about each', async () => {
    const said = await argoHealth(snapshots.map(({ rollout }) => rollout));
    for (const [i, { state }] of snapshots.entries()) {
      assert.equal(said[i]?.status, EXPECTED[state]![0], state);
      assert.ok(said[i].message, `${state}: no message`);
    }
  });

  it('gives Flux expressions that are right about each', () => {
    for (const { state, rollout } of snapshots) {
      const [, flux, end] = EXPECTED[state]!;
      assert.equal(fluxStatus(rollout, expressions!), flux, state);
      assert.equal(fluxStatus(rollout, toTheEnd), end, `${state}, waiting for the end`);
    }
  });

  it('gives Argo CD rules under which no state differs from Git, and some do without them', async () => {
    const without = snapshots.filter(({ deployment }) => differences(gitOf(deployment), deployment).length > 0);
    const git = await ignoring(snapshots.map(({ deployment }) => gitOf(deployment)));
    const live = await ignoring(
      snapshots.map(({ deployment: { apiVersion, kind, metadata, spec } }) => ({
        apiVersion,
        kind,
        metadata: { ...metadata, managedFields: [] },
        spec,
      })),
    );
    for (const [i, { state }] of snapshots.entries()) assert.deepEqual(differences(git[i], live[i]), [], state);
    const differ = without.map(({ state }) => state);
    for (const state of ['held, the operator has not seen it', 'moving', 'waiting for approval', 'stalled'])
      assert.ok(differ.includes(state), `${state} differs`);
    for (const state of ['at rest', 'done', 'rolled back by a person', 'disabled'])
      assert.ok(!differ.includes(state), `${state} does not differ`);
  });

  it('says truly that each of the rules is needed, and none where Git has none of the fields', async () => {
    const paths = new Set<string>();
    for (const { state, deployment } of snapshots) {
      for (const at of differences(gitOf(deployment), deployment)) paths.add(at);
      assert.deepEqual(differences(gitOf(deployment, {}), deployment), [], state);
    }
    for (const expression of rule!.jqPathExpressions)
      assert.ok(
        [...paths].some((at) => at.startsWith(expression)),
        expression,
      );
  });

  it('says truly that the first hold is not in the name of tranche', () => {
    const { deployment } = snapshots.find(({ state }) => state === 'held, the operator has not seen it')!;
    const managers = (deployment.metadata as { managedFields?: { manager: string; fieldsV1: object }[] }).managedFields;
    const owner = managers?.find(({ fieldsV1 }) => JSON.stringify(fieldsV1).includes('"f:maxSurge"'))?.manager;
    assert.notEqual(owner, 'tranche');
    assert.notEqual(owner, undefined);
  });

  describe('a tool that applies the same manifest again', () => {
    const HEALS: Readonly<Record<string, readonly string[]>> = {
      'on the client': ['apply'],
      'on the server, by force': ['apply', '--server-side', '--force-conflicts', '--field-manager=argocd-controller'],
    };

    for (const [how, args] of Object.entries(HEALS)) {
      it(`${how}, holds and moves nothing, and the end is as in Git`, async () => {
        const namespace = `gitops-heals-${args.length}`;
        const steps = [{ replicas: 1 }, { replicas: '100%' }];
        const stage = await Stage.open(playground, namespace, { rollout: rollout(namespace, steps) });
        const client = new Client(playground.cluster.kubeconfig, temporaryFolder('gitops'));
        const kubectl = async (image: string, ...more: string[]): Promise<Deployment> => {
          const input = JSON.stringify(desiredDeployment(namespace, image));
          return JSON.parse(await client.kubectl([...args, ...more, '-f', '-', '-o', 'json'], { input })) as Deployment;
        };
        await kubectl('web:v1');
        await stage.reaches(({ status }) => status?.phase === 'Healthy');
        const changesNothing = async (image: string): Promise<void> => {
          for (const more of [['--dry-run=server'], []]) {
            // After a few seconds without progress, Tranche pauses it by itself, once: then again.
            let before = await stage.deployment();
            let answer = await kubectl(image, ...more);
            const hasPaused = ({ spec }: Deployment): boolean => spec.paused !== before.spec.paused;
            if (hasPaused(await stage.deployment())) {
              before = await stage.deployment();
              answer = await kubectl(image, ...more);
            }
            assert.deepEqual(answer.spec, before.spec, image);
          }
        };
        assert.equal((await kubectl('web:broken')).spec.paused, true);
        await until(
          async () => (await stage.deployment()).spec.paused !== true,
          () => 'not moving',
        );
        await changesNothing('web:broken');
        await kubectl('web:v2');
        await stage.waits(1);
        await changesNothing('web:v2');
        await stage.tranche('approve', 'web');
        await stage.ends('Completed');
        assert.deepEqual(differences(desiredDeployment(namespace, 'web:v2'), await stage.deployment()), []);
      });
    }

    it('with the live values of a hold that is over, pauses the Deployment: why RespectIgnoreDifferences is left out', async () => {
      const stage = await Stage.open(playground, 'gitops-respect');
      await stage.release('web:v2');
      await stage.waits(1);
      const { paused, strategy } = (await stage.deployment()).spec;
      await stage.tranche('finish', 'web');
      await stage.ends('Completed');
      await stage.patch(deploymentPath('gitops-respect'), { spec: { paused, strategy } });
      assert.equal((await stage.deployment()).spec.paused, true);
    });
  });
});
