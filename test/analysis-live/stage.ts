// A cluster whose Pods serve, a Deployment in it, and what live tests of the analysis do with them.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startSandbox, type Sandbox, type SandboxOptions } from '@tranche/sandbox';
import { DEPLOYMENTS, PODS, SERVICES } from '../../src/api/resources.ts';
import type { Deployment, Pod } from '../../src/api/types.ts';
import { createApi, type ApiClient } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { getObject } from '../../src/kube/get.ts';
import { pathOf } from '../../src/kube/path.ts';
import { until } from '../main/cluster.ts';
import { temporaryFolder } from '../support/processes.ts';

export const NAMESPACE = 'default';
const namespace = NAMESPACE;

export interface LiveCluster {
  readonly sandbox: Sandbox;
  readonly kubeconfig: string;
  readonly api: ApiClient;
  close(): Promise<void>;
}

export async function startLiveCluster(options: SandboxOptions = {}): Promise<LiveCluster> {
  const sandbox = await startSandbox({ readyMs: 100, serve: true, ...options });
  const kubeconfig = path.join(temporaryFolder('live'), 'kubeconfig');
  await writeFile(kubeconfig, sandbox.kubeconfig, { mode: 0o600 });
  const connection = await connect({ type: 'kubeconfig', files: [kubeconfig] });
  const api = createApi({ connection, userAgent: 'test', fieldManager: 'test' });
  return {
    sandbox,
    kubeconfig,
    api,
    async close() {
      api.close();
      await sandbox.close();
    },
  };
}

/** A Deployment of this image behind the Service `web`. `name`: of the Deployment. */
export async function deploy({ api }: LiveCluster, name: string, image: string, replicas: number): Promise<void> {
  const labels = { app: 'web', version: name };
  // Until all clients know that a Pod ends.
  const lifecycle = { preStop: { sleep: { seconds: 2 } } };
  const container = { name: 'web', image, ports: [{ containerPort: 8080 }], lifecycle };
  await api.request({
    method: 'POST',
    path: pathOf(DEPLOYMENTS, { namespace }),
    body: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    },
  });
  await until(
    async () => (await deploymentOf(api, name)).status?.availableReplicas === replicas,
    () => `${replicas} available Pods of ${name}`,
  );
}

export const deploymentOf = (api: ApiClient, name: string): Promise<Deployment> =>
  getObject<Deployment>(api, DEPLOYMENTS, { namespace, name });

export const setImage = (api: ApiClient, name: string, image: string): Promise<unknown> =>
  api.request({
    method: 'PATCH',
    path: pathOf(DEPLOYMENTS, { namespace, name }),
    contentType: 'application/strategic-merge-patch+json',
    body: { spec: { template: { spec: { containers: [{ name: 'web', image }] } } } },
  });

export const createService = ({ api }: LiveCluster): Promise<unknown> =>
  api.request({
    method: 'POST',
    path: pathOf(SERVICES, { namespace }),
    body: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
  });

/** Pods by the label `version`. */
export async function podsOf({ api }: LiveCluster, version: string): Promise<readonly Pod[]> {
  const list = await api.request({
    method: 'GET',
    path: pathOf(PODS, { namespace }),
    query: { labelSelector: `version=${version}` },
  });
  return (list as { readonly items: readonly Pod[] }).items;
}
