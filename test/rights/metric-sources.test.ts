// The sources of checks with the chart's rights: they use each of them, ask for none beside them, and say which one is missing.
import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { startSandbox, type Sandbox } from '@tranche/sandbox';
import { ApiError } from '@tranche/sandbox/types';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startMetricSources, type StartedMetricSources } from '../../src/app/metric-sources.ts';
import { createApi, type ApiClient } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { silent } from '../../src/kube/log.ts';
import { findReleaseObject } from '../../src/metric-sources/objects.ts';
import type { Query } from '../../src/metric-sources/source.ts';
import { temporaryFolder } from '../support/processes.ts';
import { until } from '../main/cluster.ts';
import { render } from '../charts/render.ts';
import { granted, isFor, isForChecks, show, watchRequests, type Grant } from './grants.ts';

const NAMESPACE = 'tranche-system';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const PATHS: Readonly<Record<string, string>> = {
  CustomResourceDefinition: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  ServiceAccount: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`,
  ClusterRole: `${RBAC}/clusterroles`,
  ClusterRoleBinding: `${RBAC}/clusterrolebindings`,
  Role: `${RBAC}/namespaces/${NAMESPACE}/roles`,
  RoleBinding: `${RBAC}/namespaces/${NAMESPACE}/rolebindings`,
};
const SECRETS = 'analysis.secrets={tests}';
const { signal } = new AbortController();

describe('the rights of the sources of checks', function () {
  let sandbox: Sandbox;
  let admin: ApiClient;
  let api: ApiClient;
  let started: StartedMetricSources | undefined;
  let rights: Grant[];
  let used: Set<string>;
  let without: Grant | undefined;
  const beyond: string[] = [];

  const clientOf = async (config: unknown): Promise<ApiClient> => {
    const file = path.join(temporaryFolder('sources'), 'kubeconfig');
    await writeFile(file, JSON.stringify(config), { mode: 0o600 });
    const connection = await connect({ type: 'kubeconfig', files: [file] });
    return createApi({ connection, userAgent: 'test', fieldManager: 'test' });
  };

  before(async () => {
    sandbox = await startSandbox({ readyMs: 50 });
    const config = parse(sandbox.kubeconfig) as object;
    admin = await clientOf(config);
    const post = (at: string, body: unknown) => admin.request({ method: 'POST', path: at, body });
    await post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    for (const body of await render(SECRETS)) {
      const isOther = body.kind === 'CustomResourceDefinition' && body.metadata.name !== 'metricsources.tranche.dev';
      const at = PATHS[body.kind]?.replace(NAMESPACE, body.metadata.namespace ?? NAMESPACE);
      if (at && !isOther) await post(at, body);
    }
    const token = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    const { status } = (await post(`${PATHS['ServiceAccount']}/tranche/token`, token)) as { status: { token: string } };
    api = await clientOf({ ...config, users: [{ name: 'admin', user: { token: status.token } }] });
    const metadata = { name: 'tests' };
    await post(`/api/v1/namespaces/${NAMESPACE}/secrets`, { apiVersion: 'v1', kind: 'Secret', metadata });
    const spec = { web: { url: 'http://tests.invalid', secretName: 'tests' } };
    const source = { apiVersion: 'tranche.dev/v1alpha1', kind: 'MetricSource', metadata, spec };
    await until(
      () =>
        post('/apis/tranche.dev/v1alpha1/metricsources', source).then(
          () => true,
          () => false,
        ),
      () => 'the MetricSource cannot be created',
    );
    const secret = { group: '', resource: 'secrets', verb: 'get' };
    rights = [...(await granted(SECRETS)).filter(isForChecks), secret];
    watchRequests(sandbox.cluster, `system:serviceaccount:${NAMESPACE}:tranche`, (asked) => {
      if (!asked.resourceRequest) return;
      const grant = rights.find((one) => isFor(one, asked));
      if (grant) used.add(show(grant) + grant.group);
      else beyond.push(`${asked.verb} ${asked.resource}`);
      if (grant && grant === without)
        throw new ApiError({ kind: 'Status', code: 403, reason: 'Forbidden', message: 'no' } as never);
    });
  });
  beforeEach(() => (used = new Set()));
  afterEach(async () => {
    await started?.stop();
    without = started = undefined;
  });
  after(async () => {
    admin.close();
    api.close();
    await sandbox.close();
  });

  const ask = async (query: Query, name: string): Promise<string> => {
    const source = started!.sources.get(name, 'default');
    if ('unknown' in source) return source.unknown;
    const answer = await source.range(query, 0, 0, 1, signal);
    return 'unknown' in answer ? answer.unknown : '';
  };
  /** What all sources say. */
  async function said(): Promise<string[]> {
    started = startMetricSources({
      api,
      namespace: NAMESPACE,
      namespaces: { get: () => undefined },
      guarded: false,
      logger: silent,
      metrics: { watchRestart() {}, watchDrift() {} },
    });
    const pods = { namespace: 'default', pods: 'app=web' };
    const job = { apiVersion: 'batch/v1', kind: 'Job', namespace: 'default', rolloutID: 'v1' };
    const object = await findReleaseObject(api, job, signal);
    return [
      await ask({ kind: 'PodResource', ...pods, resource: 'cpu' }, 'kubernetes'),
      await ask({ kind: 'PodMetric', ...pods, metric: 'queue_length' }, 'kubernetes'),
      await ask({ kind: 'External', namespace: 'default', metric: 'orders', selector: undefined }, 'kubernetes'),
      object && 'unknown' in object ? String(object.unknown) : '',
    ];
  }
  const readsSecret = (): Promise<string> =>
    ask({ kind: 'Web', namespace: 'default', path: '/', jsonPath: '.a' }, 'tests');

  it('are all used, and none is missed', async () => {
    const answers = await said();
    assert.doesNotMatch(answers.join(), /forbidden/);
    await until(
      async () => !/MetricSource/.test(await readsSecret()),
      () => 'the MetricSource is not found',
    );
    await until(
      () => used.size === rights.length,
      () => `used: ${[...used].join()} of ${rights.map(show).join()}`,
    );
    assert.deepEqual(beyond, []);
  });

  it('are each missed aloud', async () => {
    const messages: Record<string, string> = {};
    for (const grant of rights.filter(({ resource }) => !['metricsources', 'secrets'].includes(resource))) {
      without = grant;
      messages[`${show(grant)} ${grant.group}`] = (await said()).filter((text) => text.startsWith('forbidden')).join();
      await started?.stop();
    }
    assert.deepEqual(messages, {
      'list pods metrics.k8s.io': 'forbidden: no permission to read metrics.k8s.io',
      'get * custom.metrics.k8s.io':
        'forbidden: no permission to read custom.metrics.k8s.io (value analysis.customMetrics of the chart)',
      'list * external.metrics.k8s.io':
        'forbidden: no permission to read external.metrics.k8s.io (value analysis.customMetrics of the chart)',
      'list jobs batch':
        'forbidden: Tranche may not list jobs of batch/v1; create a ClusterRole with this right and the label tranche.dev/aggregate-to-conditions: "true"',
    });
  });

  it('says which Secret it may not read', async () => {
    without = rights.find(({ resource }) => resource === 'secrets');
    await said();
    let answer = '';
    await until(
      async () => /^forbidden/.test((answer = await readsSecret())),
      () => answer,
    );
    assert.equal(
      answer,
      'forbidden: Tranche may not read Secret tests; add it to the value analysis.secrets of the chart',
    );
  });

  it('says that the MetricSources cannot be read', async () => {
    without = rights.find(({ resource, verb }) => resource === 'metricsources' && verb === 'list');
    await said();
    assert.match(await readsSecret(), /^the MetricSources cannot be read yet/);
  });
});
