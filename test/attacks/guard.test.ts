// The chart's guard policies, in an API server without a webhook: who may end the hold of a workload, for every kind that they protect.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startSandbox, type Sandbox } from '@tranche/sandbox';
import { asDigest } from '../support/digests.ts';
import * as keys from '../../src/api/keys.ts';
import type { KubeObject, Workload } from '../../src/api/types.ts';
import type { ApiClient } from '../../src/kube/client.ts';
import { deploymentKind } from '../../src/engine/workload/deployment/kind.ts';
import { statefulSetKind } from '../../src/engine/workload/statefulset/kind.ts';
import { createApi } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { pathOf } from '../../src/kube/path.ts';
import { render, type Manifest } from '../charts/render.ts';
import { makeUser } from '../cli/support.ts';
import { FIXTURES } from '../operator/kinds/fixtures.ts';
import { template } from '../operator/world.ts';
import { temporaryFolder } from '../support/processes.ts';

const NAMESPACE = 'shop';
const POLICIES = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
const ROLES = `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/roles`;
const EVERYTHING = { apiGroups: ['apps'], resources: ['*'], verbs: ['*'] };
const APPROVE = { apiGroups: ['rollouts.kruise.io'], resources: ['rollouts'], verbs: ['approve'] };
const MERGE = 'application/merge-patch+json';

const partitionOf = (partition: number): object => ({ updateStrategy: { rollingUpdate: { partition } } });

async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await ask();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

const guards = (manifests: readonly Manifest[]): Manifest[] =>
  manifests.filter(({ kind, metadata }) => kind.startsWith('ValidatingAdmissionPolicy') && /guard/.test(metadata.name));
const isGuarded = (manifests: readonly Manifest[], plural: string): boolean =>
  JSON.stringify(guards(manifests)).includes(`"resources":["${plural}"]`);

describe('the guard policies of the chart', () => {
  let sandbox: Sandbox;
  let manifests: readonly Manifest[];
  let admin: ApiClient;
  let editor: ApiClient;
  let approver: ApiClient;

  before(async () => {
    manifests = await render('admissionPolicies.guard=true', 'admissionPolicies.hold=false');
    sandbox = await startSandbox({ readyMs: 50 });
    const file = path.join(temporaryFolder('guard'), 'kubeconfig');
    await writeFile(file, sandbox.kubeconfig, { mode: 0o600 });
    const clientOf = async (kubeconfig: string): Promise<ApiClient> =>
      createApi({
        connection: await connect({ type: 'kubeconfig', files: [kubeconfig] }),
        userAgent: 'test',
        fieldManager: 'test',
      });
    admin = await clientOf(file);
    const post = (where: string, body: object): Promise<unknown> =>
      admin.request({ method: 'POST', path: where, body });
    await post('/api/v1/namespaces', { metadata: { name: NAMESPACE } });
    for (const body of guards(manifests))
      await post(body.kind === 'ValidatingAdmissionPolicy' ? POLICIES : POLICIES.replace(/ies$/, 'ybindings'), body);
    const user = async (name: string, rules: readonly object[]): Promise<ApiClient> => {
      await post(ROLES, { metadata: { name, namespace: NAMESPACE }, rules });
      return clientOf(await makeUser({ api: admin, sandbox }, NAMESPACE, name, { kind: 'Role', name }));
    };
    editor = await user('editor', [EVERYTHING]);
    approver = await user('approver', [EVERYTHING, APPROVE]);
  });
  after(async () => {
    for (const client of [admin, editor, approver]) client.close();
    await sandbox.close();
  });

  it('protect Deployments and the other native kinds', () => {
    for (const { kind } of FIXTURES)
      if (kind.resource.apiVersion === 'apps/v1')
        assert.ok(isGuarded(manifests, kind.resource.plural), kind.resource.plural);
  });

  for (const { kind, spec, loosen } of FIXTURES) {
    const { resource } = kind;
    // The embedded API server has no kinds of CRDs here.
    if (resource.apiVersion !== 'apps/v1') continue;
    const where = (name: string) => pathOf(resource, { namespace: NAMESPACE, name });

    describe(`of a ${resource.kind}`, () => {
      let name: string;
      let count = 0;
      const read = async (): Promise<Workload> =>
        (await admin.request({ method: 'GET', path: where(name) })) as Workload;
      const patch = (by: ApiClient, body: object): Promise<unknown> =>
        by.request({ method: 'PATCH', path: where(name), contentType: MERGE, body });
      const refused = async (body: object, why: RegExp, by = editor): Promise<void> => {
        const { spec: before } = await read();
        await assert.rejects(patch(by, body), why);
        assert.deepEqual((await read()).spec, before);
      };

      beforeEach('a held one', async () => {
        name = `held-${++count}`;
        const body = {
          apiVersion: resource.apiVersion,
          kind: resource.kind,
          metadata: { name },
          spec: { ...spec(3), selector: { matchLabels: { app: 'demo' } }, template: template('v1') },
        };
        await admin.request({ method: 'POST', path: pathOf(resource, { namespace: NAMESPACE }), body });
        const hold = { rollout: 'web', stable: asDigest('v1'), bypassed: '' };
        for (const effect of kind.holdNow(await read(), hold)) {
          assert.ok(effect.kind === 'Patch' && 'metadata' in effect.patch);
          const { resourceVersion: _, ...metadata } = effect.patch.metadata as {
            labels?: object;
            resourceVersion?: string;
          };
          const labels = { ...metadata.labels, [keys.WORKLOAD_TYPE]: kind.workloadType };
          await patch(admin, { ...effect.patch, metadata: { ...metadata, labels } });
        }
        assert.ok(kind.readHold(await read()), 'it is held');
      });

      it('nobody removes the record or the label', async () => {
        for (const by of [editor, approver]) {
          await refused({ metadata: { annotations: { [keys.HELD]: null } } }, /cannot be removed during a release/, by);
          await refused({ metadata: { labels: { [keys.WORKLOAD_TYPE]: null } } }, /cannot be removed while/, by);
        }
      });

      it('only a user with the verb approve ends the hold', async () => {
        await refused({ spec: loosen }, /requires the verb approve/);
        await patch(approver, { spec: loosen });
      });

      it('only a user with the verb approve gives it back', async () => {
        const giveBack = JSON.parse((await read()).metadata.annotations?.[keys.GIVE_BACK] ?? '') as object;
        await refused(giveBack, /requires the verb approve/);
        await patch(approver, giveBack);
        assert.equal(kind.readHold(await read()), undefined);
      });

      if (kind === deploymentKind)
        it('only a user with the verb approve gives it more surge, but for the webhook, which notes it', async () => {
          const surge = { strategy: { rollingUpdate: { maxSurge: 2 } } };
          await refused({ spec: surge }, /requires the verb approve/);
          await patch(editor, { metadata: { labels: { [keys.BUDGET]: 'surge-2.unavailable-1' } }, spec: surge });
        });

      it('nobody without the verb approve gives it back in parts: the record with a change that ends no hold, then the hold', async () => {
        // As in a step: some Pods are granted.
        if (kind === statefulSetKind) await patch(approver, { spec: partitionOf(1) });
        const before = (await read()).spec;
        for (const spec of [
          { strategy: { rollingUpdate: { maxUnavailable: 2 } }, minReadySeconds: 1 },
          { updateStrategy: { rollingUpdate: { maxUnavailable: 2 } } },
          partitionOf(2),
        ]) {
          const parts = { metadata: { annotations: { [keys.HELD]: null } }, spec };
          await patch(editor, parts).catch(() => undefined);
          await patch(editor, { spec: loosen }).catch(() => undefined);
          assert.ok(kind.readHold(await read()), JSON.stringify(spec));
        }
        assert.deepEqual((await read()).spec, before);
      });

      it('nobody changes a key of Tranche through the subresource status, and its controller writes the status', async () => {
        const before = (await read()).metadata;
        const write = (by: ApiClient, body: object): Promise<unknown> =>
          by.request({
            method: 'PATCH',
            path: pathOf(resource, { namespace: NAMESPACE, name, subresource: 'status' }),
            contentType: MERGE,
            body,
          });
        for (const metadata of [
          { annotations: { [keys.HELD]: null } },
          { annotations: { [keys.GLASS_BROKEN]: '{}' } },
          { annotations: { [keys.IN_PROGRESSING]: '{"rolloutName":"mine"}' } },
        ])
          await assert.rejects(write(approver, { metadata }), /cannot be changed through the subresource status/);
        await write(editor, { metadata: { annotations: { mine: 'x' } }, status: { observedGeneration: 1 } });
        const { annotations, labels } = (await read()).metadata;
        assert.deepEqual([annotations?.['mine'], labels], ['x', before.labels]);
        for (const key of [keys.HELD, keys.GLASS_BROKEN, keys.IN_PROGRESSING])
          assert.equal(annotations?.[key], before.annotations?.[key], key);
      });

      it('everybody who may edit it edits the rest, and scales it', async () => {
        await patch(editor, { metadata: { annotations: { mine: 'x' } } });
        if ('replicas' in spec(3)) await patch(editor, { spec: { replicas: 5 } });
        await patch(editor, { spec: { template: { metadata: { labels: { app: 'demo', more: 'x' } } } } });
        assert.ok(kind.readHold(await read()), 'a new template stays held');
      });

      it('one that is not in a release is its user’s', async () => {
        await patch(approver, JSON.parse((await read()).metadata.annotations?.[keys.GIVE_BACK] ?? '') as object);
        await patch(editor, { spec: loosen });
      });
    });
  }

  it('nobody scales, deletes or takes a ReplicaSet of a Deployment during a release while no webhook answers', async () => {
    const create = (where: string, body: object): Promise<unknown> =>
      admin.request({ method: 'POST', path: where, body });
    const crd = manifests.find(({ metadata }) => metadata.name === 'rollouts.rollouts.kruise.io')!;
    await create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd);
    const rollouts = `/apis/rollouts.kruise.io/v1beta1/namespaces/${NAMESPACE}/rollouts`;
    await eventually(() => admin.request({ method: 'GET', path: rollouts }));
    const metadata = { name: 'web' };
    const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
    const spec = { workloadRef, strategy: { canary: { steps: [{ replicas: 1 }] } } };
    await create(rollouts, { apiVersion: 'rollouts.kruise.io/v1beta1', kind: 'Rollout', metadata, spec });
    for (const one of manifests.filter((each) => /-replicasets$/.test(each.metadata.name)))
      await create(one.kind === 'ValidatingAdmissionPolicy' ? POLICIES : POLICIES.replace(/ies$/, 'ybindings'), one);
    const sets = `/apis/apps/v1/namespaces/${NAMESPACE}/replicasets`;
    const own = { replicas: 1, selector: { matchLabels: { app: 'demo' } }, template: template('v1') };
    const kind = { apiVersion: 'apps/v1', kind: 'Deployment' };
    await create(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments`, { ...kind, metadata, spec: own });
    const name = await eventually(async () => {
      const { items } = (await admin.request({ method: 'GET', path: sets })) as { items: KubeObject[] };
      const isOfWeb = ({ metadata: { ownerReferences: [owner] = [] } }: KubeObject): boolean => owner?.name === 'web';
      return items.find(isOfWeb)!.metadata.name;
    });
    const canaryStatus = { stableRevision: name.slice('web-'.length), currentStepState: 'StepUpgrade' };
    const body = { status: { phase: 'Progressing', canaryStatus } };
    await admin.request({ method: 'PATCH', path: `${rollouts}/web/status`, contentType: MERGE, body });
    const merge = (path: string, changes: object): Promise<unknown> =>
      editor.request({ method: 'PATCH', path, contentType: MERGE, body: changes });
    const byController = /only the Deployment controller may change its ReplicaSets/;
    await assert.rejects(editor.request({ method: 'DELETE', path: `${sets}/${name}` }), byController);
    await assert.rejects(merge(`${sets}/${name}/scale`, { spec: { replicas: 9 } }), byController);
    const edit = { spec: { template: template('v2') } };
    const path = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/web`;
    await admin.request({ method: 'PATCH', path, contentType: MERGE, body: edit });
    const superseded = await eventually(async () => {
      const { items } = (await admin.request({ method: 'GET', path: sets })) as { items: KubeObject[] };
      return items.find(({ metadata: { name: other } }) => other.startsWith('web-') && other !== name)!.metadata.name;
    });
    await assert.rejects(merge(`${sets}/${superseded}/scale`, { spec: { replicas: 9 } }), byController);
    for (const other of ['web-api', 'web-7-bcd', 'webbcd']) {
      const object = { ...kind, kind: 'ReplicaSet', metadata: { name: other }, spec: { ...own, replicas: 0 } };
      await create(sets, object);
      await merge(`${sets}/${other}/scale`, { spec: { replicas: 1 } });
    }
    await assert.rejects(
      merge(`${sets}/${name}/status`, { metadata: { ownerReferences: null } }),
      /cannot be changed through the subresource status/,
    );
  });
});
