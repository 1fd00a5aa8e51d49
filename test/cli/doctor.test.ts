// `kubectl tranche doctor`: with everything in order, with one thing wrong after the other, and with the operator gone.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { GIVE_BACK, HELD } from '../../src/api/keys.ts';
import { giveBackPatch } from '../../src/engine/workload/deployment/hold.ts';
import type { Deployment, Held } from '../../src/api/types.ts';
import { issueCa } from '../../src/tls/issue.ts';
import { run } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { until } from '../main/cluster.ts';
import {
  deployment,
  deploymentPath,
  golden,
  rolloutPath,
  runPlugin,
  Stage,
  startPlayground,
  type Playground,
} from './support.ts';

const VALIDATING = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/tranche';
const MUTATING = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/tranche';

describe('kubectl tranche doctor', function () {
  let playground: Playground;
  let stage: Stage;

  before(async () => {
    playground = await startPlayground();
    stage = await Stage.open(playground, 'ward');
    await stage.release('web:v2');
    await stage.waits(1);
  });
  after(() => playground.stop());

  /** The command that the doctor names, run as its reader would. */
  const mend = async (out: string, finding: RegExp): Promise<void> => {
    const lines = out.split('\n');
    const command = lines[lines.findIndex((line) => finding.test(line)) + 1]?.trim() ?? '';
    assert.match(command, /^kubectl /, out);
    if (command.startsWith('kubectl tranche ')) {
      const { code, err } = await playground.tranche(...command.split(' ').slice(2));
      assert.equal(code, 0, err);
      return;
    }
    const kubectl = await findTool('kubectl');
    const env = { ...process.env, KUBECONFIG: playground.cluster.kubeconfig };
    await promisify(execFile)('sh', ['-c', command.replace(/^kubectl/, `"${kubectl}"`)], { env });
  };

  it('finds nothing wrong where everything is in order', async () => {
    const result = await stage.tranche('doctor');
    assert.equal(result.code, 0, result.out + result.err);
    golden('doctor-well', ['doctor -n ward', result]);
    const { what } = (JSON.parse((await stage.tranche('doctor', '-o', 'json')).out) as { what: string }[])[0]!;
    assert.match(what, /^Kubernetes v1\./);
  });

  it('finds what OpenKruise has left behind, and its command mends it', async () => {
    const path = '/apis/apps/v1/namespaces/ward/deployments';
    const left = deployment('ward', 'shop:v1') as { metadata: object; spec: object };
    await stage.post(path, {
      ...left,
      metadata: {
        name: 'shop',
        namespace: 'ward',
        annotations: {
          'rollouts.kruise.io/deployment-strategy':
            '{"rollingStyle":"Partition","rollingUpdate":{"maxSurge":3},"partition":1}',
        },
        labels: { 'rollouts.kruise.io/controlled-by-advanced-deployment-controller': 'true' },
      },
      spec: { ...left.spec, paused: true, strategy: { type: 'Recreate' } },
    });
    const result = await stage.tranche('doctor');
    assert.equal(result.code, 1);
    golden('doctor-openkruise', ['doctor -n ward', result]);
    await mend(result.out, /OpenKruise Rollouts left Deployment ward\/shop/);
    const mended = (await playground.cluster.api.request({
      method: 'GET',
      path: deploymentPath('ward', 'shop'),
    })) as Deployment;
    assert.deepEqual(mended.spec.strategy, {
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: 3, maxUnavailable: '25%' },
    });
    assert.equal(mended.spec.paused ?? false, false);
    assert.equal((await stage.tranche('doctor')).code, 0);
  });

  it('finds Rollouts in a namespace that the webhooks do not reach, whoever has written their selectors', async () => {
    const { api } = playground.cluster;
    const before = (await api.request({ method: 'GET', path: MUTATING })) as {
      webhooks: { name: string; namespaceSelector?: { matchExpressions?: object[] } }[];
    };
    const write = (webhooks: object): Promise<unknown> =>
      api.request({ method: 'PATCH', path: MUTATING, contentType: 'application/merge-patch+json', body: { webhooks } });
    // As managed clusters do, to keep every webhook away from what is theirs.
    const expression = { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['ward'] };
    await write(
      before.webhooks.map((webhook) => ({
        ...webhook,
        namespaceSelector: {
          matchExpressions: [...(webhook.namespaceSelector?.matchExpressions ?? []), expression],
        },
      })),
    );
    const result = await stage.tranche('doctor');
    await write(before.webhooks);
    assert.equal(result.code, 1);
    golden('doctor-unreached', ['doctor -n ward', result]);
    assert.equal((await stage.tranche('doctor')).code, 0);
  });

  it('finds a Rollout of a kind that this installation does not release, and its command enables it', async () => {
    const { api } = playground.cluster;
    const rollouts = '/apis/rollouts.kruise.io/v1beta1/namespaces/ward/rollouts';
    const body = {
      apiVersion: 'rollouts.kruise.io/v1beta1',
      kind: 'Rollout',
      metadata: { name: 'clones' },
      spec: {
        workloadRef: { apiVersion: 'apps.kruise.io/v1alpha1', kind: 'CloneSet', name: 'clones' },
        strategy: { canary: { steps: [{ replicas: '20%' }] } },
      },
    };
    await api.request({ method: 'POST', path: rollouts, body });
    const found = async () => (await stage.tranche('doctor', '--system-namespace', 'tranche-system')).out;
    const finding =
      /✗ Rollout ward\/clones releases nothing: this installation does not release CloneSets of apps\.kruise\.io: set openkruiseWorkloads\.enabled in the values of the chart\n +helm upgrade .* --reuse-values --set openkruiseWorkloads\.enabled=true/;
    await until(
      async () => finding.test(await found()),
      () => 'no finding',
    ).catch(async () => assert.match(await found(), finding));
    await api.request({ method: 'DELETE', path: `${rollouts}/clones` });
  });

  it('finds webhooks without a CA, with one that has ended, one that ends soon, and one that is none', async () => {
    const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
    const now = Date.now();
    const days = (from: number, count: number) => issueCa(now + from * 86_400_000, count);
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    const runs: Parameters<typeof golden>[1][] = [];
    for (const [what, caBundle] of [
      ['no CA', undefined],
      ['a CA that has ended', encode((await days(-30, 10)).cert)],
      ['a CA that ends soon', encode((await days(-30, 35)).cert)],
      ['both', encode((await days(-30, 10)).cert + (await days(0, 100)).cert)],
      ['what is no certificate', encode('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')],
    ] as const) {
      const rules = [
        { apiGroups: ['nobody.example'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['nothings'] },
      ];
      await stage.post(path, {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingWebhookConfiguration',
        metadata: { name: 'stray' },
        webhooks: [
          {
            name: 'rollouts.tranche.dev',
            admissionReviewVersions: ['v1'],
            clientConfig: { url: 'https://127.0.0.1:1/validate', ...(caBundle === undefined ? {} : { caBundle }) },
            sideEffects: 'None',
            failurePolicy: 'Ignore',
            rules,
          },
        ],
      });
      const result = await stage.tranche('doctor');
      await playground.cluster.api.request({ method: 'DELETE', path: `${path}/stray` });
      const lines = result.out.split('\n');
      const at = lines.findIndex((line) => line.includes('stray:'));
      const found = lines.slice(at).filter((line, i) => i === 0 || (i === 1 && line.startsWith('    ')));
      runs.push([`doctor   # ${what}`, { ...result, out: `${found.join('\n')}\n` }]);
    }
    golden('doctor-ca', ...runs);
    assert.deepEqual(
      runs.map(([, { code }]) => code),
      [1, 1, 0, 0, 1],
    );
  });

  it('finds an operator of another version than the rest, with another image, and without Pods', async () => {
    const labels = { 'app.kubernetes.io/name': 'tranche', 'app.kubernetes.io/version': '0.0.9' };
    const path = '/apis/apps/v1/namespaces/tranche-system/deployments';
    await stage.post(path, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'tranche', namespace: 'tranche-system', labels },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'x' } },
        template: {
          metadata: { labels: { app: 'x', 'app.kubernetes.io/name': 'tranche' } },
          spec: { containers: [{ name: 'x', image: 'registry.example:5000/tranche:broken' }] },
        },
      },
    });
    let out = '';
    let code = 0;
    await until(
      async () => {
        ({ out, code } = await stage.tranche('doctor', '--context', 'sandbox'));
        return out.includes('cannot be pulled');
      },
      () => out,
    );
    await playground.cluster.api.request({ method: 'DELETE', path: `${path}/tranche` });
    assert.equal(code, 1);
    assert.match(
      out,
      /✗ image registry\.example:5000\/tranche:broken cannot be pulled \((ErrImagePull|ImagePullBackOff).*\), so 2 Pods of Tranche do not start: push it to this registry, .*\n +helm upgrade tranche charts\/tranche --namespace tranche-system --reuse-values --set operator\.image\.repository=REGISTRY\/tranche,operator\.image\.tag=TAG --kube-context sandbox\n/,
    );
    assert.match(
      out,
      /✗ parts of the installation have different versions: the CustomResourceDefinition 0\.1\.0, .*the operator 0\.0\.9\n +helm upgrade/,
    );
    assert.match(out, /✗ 0 of 2 Pods of the operator are available\n +kubectl get pods -n tranche-system/);
    assert.match(
      out,
      /- the operator runs image registry\.example:5000\/tranche:broken, but its chart has version 0\.0\.9/,
    );
  });

  it('waits until a problem is gone, and says what it waits for', async () => {
    const { api } = playground.cluster;
    const { metadata, ...configuration } = (await api.request({ method: 'GET', path: VALIDATING })) as {
      metadata: { name: string; labels: object };
    };
    await api.request({ method: 'DELETE', path: VALIDATING });
    const over = await stage.tranche('doctor', '--wait', '0s');
    assert.equal(over.code, 1);
    assert.match(
      over.out,
      /✗ no validatingwebhookconfiguration of Tranche exists: changes of Rollouts, ReleasePolicies and ReplicaSets are not checked\n/,
    );
    assert.doesNotMatch(over.out, /changes are not held/);
    let mended: Promise<unknown> | undefined;
    const hearErr = (err: string): void => {
      if (!err.endsWith('are not checked\n')) return;
      const { name, labels } = metadata;
      mended ??= stage.post(path.dirname(VALIDATING), { ...configuration, metadata: { name, labels } });
    };
    const env = { KUBECONFIG: playground.cluster.kubeconfig };
    const waited = await runPlugin(['doctor', '-n', 'ward', '--wait=5m'], { env, hearErr });
    await mended;
    assert.equal(waited.code, 0, waited.out);
    assert.match(waited.err, /^\d problems?, waiting for \S+ more:\n  no validatingwebhookconfiguration/);
    assert.match(waited.out, /\n\nno problems\n$/);
    const usage = await stage.tranche('doctor', '--wait', 'soon');
    assert.deepEqual(
      [usage.code, usage.err],
      [2, 'error: invalid --wait "soon": write a duration such as 90s, 10m or 1h30m\n'],
    );
    const ctrlC = new AbortController();
    await stage.post(path.dirname(VALIDATING), {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 'stray' },
      webhooks: [
        {
          name: 'rollouts.tranche.dev',
          admissionReviewVersions: ['v1'],
          clientConfig: { url: 'https://127.0.0.1:1/validate' },
          sideEffects: 'None',
          failurePolicy: 'Ignore',
          rules: [{ apiGroups: ['x'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['x'] }],
        },
      ],
    });
    const stopped = await runPlugin(['doctor', '-n', 'ward', '--wait=5m'], {
      env,
      signal: ctrlC.signal,
      hearErr: () => ctrlC.abort(),
    });
    await api.request({ method: 'DELETE', path: `${path.dirname(VALIDATING)}/stray` });
    assert.equal(stopped.code, 130);
  });

  it('tells somebody with few rights what was not checked', async () => {
    const { out, code } = await stage.tranche('doctor', '--kubeconfig', await playground.viewer('ward'));
    assert.match(out, /- you may not read CustomResourceDefinitions: not checked/);
    assert.match(out, /1 Rollout, 1 held Deployment in namespace ward/);
    assert.equal(code, 0, out);
  });

  it('tells somebody with no rights at all that nothing could be checked, and does not fail', async () => {
    const nobody = await stage.tranche('doctor', '--as', 'nobody', '--as-group', 'system:authenticated');
    golden('doctor-nobody', ['doctor   # as nobody', nobody]);
    assert.equal(nobody.code, 0, nobody.out);
    const elsewhere = await playground.tranche('doctor', '-n', 'not-there');
    assert.match(elsewhere.out, /- namespace not-there does not exist, choose another one with -n/);
  });

  it('works when the operator is gone, and its commands give every Deployment back', async () => {
    await playground.program.stop();
    const alone = await stage.tranche('doctor', '--system-namespace', 'tranche-system');
    assert.equal(alone.code, 1);
    golden('doctor-alone', ['doctor -n ward   # the operator is gone', alone]);
    await mend(alone.out, /does not reach the webhooks/);
    await until(
      async () =>
        (await playground.cluster.api.request({ method: 'GET', path: MUTATING }).catch(() => undefined)) === undefined,
      () => 'the webhooks are still there',
    );
    await mend(alone.out, /ward\/web is held by Rollout web until an operator runs/);
    const freed = await stage.deployment();
    assert.equal(freed.metadata.annotations?.[HELD], undefined);
    assert.equal(freed.spec.paused ?? false, false);
    await until(
      async () => (await stage.deployment()).status?.updatedReplicas === 4,
      () => 'it does not go on natively',
    );
  });

  it('finds a hold whose Rollout is gone', async () => {
    const { metadata, spec } = await stage.deployment();
    const held = JSON.stringify({
      v: 1,
      rollout: 'gone',
      user: { paused: null, maxSurge: '25%', maxUnavailable: 1, minReadySeconds: null, progressDeadlineSeconds: 600 },
      stable: 'x',
    });
    const name = 'orphan';
    await stage.post('/apis/apps/v1/namespaces/ward/deployments', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        name,
        namespace: 'ward',
        annotations: { [HELD]: held, [GIVE_BACK]: giveBackPatch(JSON.parse(held) as Held) },
      },
      spec: {
        ...spec,
        paused: true,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      },
    });
    assert.equal(metadata.name, 'web');
    const { out } = await stage.tranche('doctor');
    await mend(out, /ward\/orphan is held by Rollout gone, which does not exist/);
    const freed = (await playground.cluster.api.request({
      method: 'GET',
      path: deploymentPath('ward', name),
    })) as Deployment;
    assert.equal(freed.metadata.annotations?.[HELD], undefined);
    assert.equal(freed.spec.paused ?? false, false);
    assert.equal(freed.spec.strategy?.rollingUpdate?.maxSurge, '25%');
  });

  it('finds a Rollout whose deletion waits for an operator, and its command ends it', async () => {
    const { api } = playground.cluster;
    const patch = { metadata: { finalizers: ['rollouts.kruise.io/rollout', 'example.com/mine'] } };
    await stage.patch(rolloutPath('ward'), patch);
    await api.request({ method: 'DELETE', path: rolloutPath('ward') });
    const stuck = await stage.tranche('doctor', '--system-namespace', 'tranche-system');
    assert.equal(stuck.code, 1);
    const finding = /✗ Rollout ward\/web is being deleted since \d+s ago, and stays until an operator runs/;
    assert.match(stuck.out, finding);
    await mend(stuck.out, finding);
    const others = await stage.tranche('doctor', '--system-namespace', 'tranche-system');
    assert.match(
      others.out,
      /- Rollout ward\/web is being deleted since \d+s ago: it waits until other programs remove the finalizers example\.com\/mine\n/,
    );
    await stage.patch(rolloutPath('ward'), { metadata: { finalizers: null } });
    await until(
      async () =>
        (await api.request({ method: 'GET', path: rolloutPath('ward') }).catch(() => undefined)) === undefined,
      () => 'the Rollout is still there',
    );
  });

  it('works when the CRDs are gone', async () => {
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    for (const name of ['rollouts.rollouts.kruise.io', 'releasepolicies.tranche.dev'])
      await playground.cluster.api.request({ method: 'DELETE', path: `${path}/${name}` });
    await until(
      async () => (await stage.tranche('list')).code !== 0,
      () => 'the CRD is still there',
    );
    const gone = await stage.tranche('doctor');
    golden('doctor-no-crd', ['list', await stage.tranche('list')], ['doctor   # without CRDs', gone]);
    assert.equal(gone.code, 1);
  });

  it('names the one command that frees a Deployment when everything of ours is gone, the CRD with every Rollout too', async () => {
    const { api } = playground.cluster;
    const crd = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rollouts.rollouts.kruise.io';
    assert.equal(await api.request({ method: 'GET', path: crd }).catch(() => undefined), undefined);
    const validating = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/tranche';
    await api.request({ method: 'DELETE', path: validating }).catch(() => undefined);
    const user = { paused: null, maxSurge: '25%', maxUnavailable: 0, minReadySeconds: 5, progressDeadlineSeconds: 90 };
    const left = {
      resting: {
        budget: { maxSurge: 0, maxUnavailable: 1 },
        spec: { paused: true, minReadySeconds: 5, progressDeadlineSeconds: 90 },
      },
      moving: {
        budget: { maxSurge: 0, maxUnavailable: 2 },
        spec: { paused: false, minReadySeconds: 2147483646, progressDeadlineSeconds: 2147483647 },
      },
      byhand: {
        budget: { maxSurge: 0, maxUnavailable: 1 },
        spec: { paused: true, minReadySeconds: 5, progressDeadlineSeconds: 90 },
      },
    };
    const get = (name: string): Promise<Deployment> =>
      api.request({ method: 'GET', path: deploymentPath('ward', name) }) as Promise<Deployment>;
    const make = async (name: keyof typeof left): Promise<void> => {
      const { budget, spec } = left[name];
      const held = JSON.stringify({ v: 1, rollout: 'web', user, stable: 'x', budget });
      const base = deployment('ward', 'web:v1') as Deployment;
      await stage.post('/apis/apps/v1/namespaces/ward/deployments', {
        ...base,
        metadata: {
          name,
          namespace: 'ward',
          annotations: { [HELD]: held, [GIVE_BACK]: giveBackPatch(JSON.parse(held) as Held) },
        },
        spec: { ...base.spec, ...spec, strategy: { type: 'RollingUpdate', rollingUpdate: budget } },
      });
    };
    const isAsWritten = async (name: string): Promise<void> => {
      const { metadata, spec } = await get(name);
      assert.equal(metadata.annotations?.[HELD], undefined);
      assert.equal(spec.paused ?? false, false);
      assert.equal(spec.minReadySeconds, 5);
      assert.equal(spec.progressDeadlineSeconds, 90);
      assert.deepEqual(spec.strategy?.rollingUpdate, { maxSurge: '25%', maxUnavailable: 0 });
    };
    await make('resting');
    await make('moving');
    const gone = await stage.tranche('doctor', '--system-namespace', 'tranche-system');
    assert.equal(gone.code, 1);
    golden('doctor-gone', ['doctor -n ward   # everything of ours is gone', gone]);
    for (const name of ['resting', 'moving']) {
      await mend(gone.out, new RegExp(`ward/${name} is held by Rollout web, which does not exist`));
      await isAsWritten(name);
    }
    // The same without the plugin, as docs/emergencies.md says it.
    const page = await readFile(new URL('../../docs/emergencies.md', import.meta.url), 'utf8');
    const byHand = /## Give it back[^]*?```sh\n([^`]*)```/.exec(page)?.[1];
    assert.ok(byHand, 'docs/emergencies.md says how');
    await make('byhand');
    const command = byHand.replaceAll('deployment WEB', 'deployment -n ward byhand');
    const env = { ...process.env, KUBECONFIG: playground.cluster.kubeconfig };
    const { code, stderr } = await run(
      'sh',
      ['-c', command.replaceAll('kubectl ', `"${await findTool('kubectl')}" `)],
      { env },
    );
    assert.equal(code, 0, stderr);
    await isAsWritten('byhand');
  });
});
