// A cluster in a folder: it is the same after a kill at any moment.
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject } from '../../src/core/types.ts';
import { DataError } from '../../src/data.ts';
import { startSandbox, type Sandbox } from '../../src/index.ts';
import { call, credentials } from './support.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
interface Body {
  subsets?: { addresses?: unknown[] }[];
  status?: { disruptionsAllowed?: number };
}
const WIDGETS = '/apis/example.com/v1/namespaces/default/widgets';
const widgets = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
};

describe('a cluster in a folder', () => {
  const folders: string[] = [];
  let folder: string;
  let sandbox: Sandbox;
  let kubeconfig: string;

  before(async () => {
    folder = temporaryFolder();
    sandbox = await startSandbox({ data: folder });
    ({ kubeconfig } = sandbox);
  });
  after(async () => {
    await sandbox.close();
    for (const each of folders) rmSync(each, { recursive: true });
  });

  const temporaryFolder = (): string => {
    folders.push(mkdtempSync(path.join(tmpdir(), 'sandbox-data-')));
    return folders.at(-1)!;
  };

  /** With the kubeconfig of the first start throughout. Rejects with the Status of a refusal. */
  const request = async (
    method: string,
    where: string,
    body?: object,
    type = 'application/json',
  ): Promise<KubeObject> => {
    const { server, admin } = credentials(kubeconfig);
    const headers = { 'content-type': type };
    const answer = await call<KubeObject>(
      `${server}${where}`,
      { ...admin, method, headers },
      body && JSON.stringify(body),
    );
    if (answer.status >= 400) throw answer.body;
    return answer.body;
  };
  const get = (where: string): Promise<KubeObject> => request('GET', where);
  const post = (where: string, body: object): Promise<KubeObject> => request('POST', where, body);
  const configMap = (name: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });

  const again = async (): Promise<void> => {
    const port = Number(new URL(sandbox.url).port);
    await sandbox.close();
    sandbox = await startSandbox({ data: folder, port });
  };

  it('is the same after a restart: objects, revisions, kinds, the kubeconfig and tokens', async () => {
    await post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', widgets);
    await until(
      () =>
        get(WIDGETS).then(
          () => true,
          () => false,
        ),
      () => 'not served',
    );
    const widget = await post(WIDGETS, { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'one' } });
    const kept = await post(CONFIG_MAPS, configMap('kept'));
    const gone = await post(CONFIG_MAPS, configMap('gone'));
    await request('DELETE', `${CONFIG_MAPS}/gone`);
    const wanted = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } };
    const { status } = (await post('/api/v1/namespaces/kube-system/serviceaccounts/default/token', wanted)) as {
      status: { token: string };
    } & KubeObject;

    await again();

    assert.deepEqual(await get(`${CONFIG_MAPS}/kept`), kept);
    assert.deepEqual(await get(`${WIDGETS}/one`), widget);
    await assert.rejects(get(`${CONFIG_MAPS}/gone`), { code: 404 });
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: status.token } };
    const told = (await post('/apis/authentication.k8s.io/v1/tokenreviews', review)) as {
      status?: { authenticated?: boolean };
    };
    assert.equal(told.status?.authenticated, true);
    const later = await post(CONFIG_MAPS, configMap('later'));
    assert.ok(Number(later.metadata.resourceVersion) > Number(gone.metadata.resourceVersion) + 1);
  });

  it('continues to reconcile existing objects', async () => {
    const labels = { app: 'web' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'app:v1' }] } };
    const spec = { replicas: 2, selector: { matchLabels: labels }, template };
    await post(DEPLOYMENTS, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec });
    const service = { selector: labels, ports: [{ port: 80 }] };
    await post('/api/v1/namespaces/default/services', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: service,
    });
    const budget = { minAvailable: 1, selector: { matchLabels: labels } };
    const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
    await post(BUDGETS, {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web' },
      spec: budget,
    });
    const all = async (count: number): Promise<void> => {
      const state = async (): Promise<unknown[]> => {
        const endpoints = (await get('/api/v1/namespaces/default/endpoints/web')) as Body;
        const { status } = (await get(`${BUDGETS}/web`)) as Body;
        return [endpoints.subsets?.[0]?.addresses?.length, status?.disruptionsAllowed];
      };
      let last: unknown;
      const reached = async (): Promise<boolean> => {
        last = await state().catch(String);
        return JSON.stringify(last) === JSON.stringify([count, count - 1]);
      };
      await until(reached, () => JSON.stringify(last));
    };
    await all(2);
    await again();
    await request('PATCH', `${DEPLOYMENTS}/web`, { spec: { replicas: 3 } }, 'application/merge-patch+json');
    await all(3);
  });

  it('ends older watches, like a restarted API server', async () => {
    const before = (await post(CONFIG_MAPS, configMap('before'))).metadata.resourceVersion!;
    await post(CONFIG_MAPS, configMap('after'));
    await again();
    const { server, admin } = credentials(kubeconfig);
    const query = new URLSearchParams({ watch: 'true', resourceVersion: before });
    // The only line is the end of the watch, so the whole body is one JSON value.
    const { body } = await call<{ type: string; object: { code: number } }>(`${server}${CONFIG_MAPS}?${query}`, admin);
    assert.deepEqual([body.type, body.object.code], ['ERROR', 410]);
  });

  it('ignores an incomplete line, and refuses an invalid journal', async () => {
    const journal = path.join(folder, 'journal.jsonl');
    appendFileSync(journal, '{"revision":99999,"coll');
    await again();
    assert.equal((await get(`${CONFIG_MAPS}/kept`)).metadata.name, 'kept');
    const other = temporaryFolder();
    writeFileSync(path.join(other, 'journal.jsonl'), `${readFileSync(journal, 'utf8').slice(0, 20)}\nand so on\n`);
    await assert.rejects(startSandbox({ data: other }), DataError);
  });
});

/** Waits for what must come, and says what there is when it does not. */
async function until(condition: () => Promise<boolean>, state: () => string, seconds = 20): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) assert.fail(`did not happen within ${seconds} s: ${state()}`);
    await sleep(20);
  }
}
