// An embedded cluster with the chart on it, and the program run against it in this process.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startSandbox, type Sandbox, type SandboxOptions } from '@tranche/sandbox';
import type { KubeObject } from '../../src/api/types.ts';
import { readConfig } from '../../src/app/config.ts';
import type { Api } from '../../src/kube/api.ts';
import { createApi, type ApiClient } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { runProgram } from '../../src/app/run.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import { render } from '../charts/render.ts';
import { temporaryFolder } from '../support/processes.ts';
import { until } from '../support/until.ts';

export { until };

export const NAMESPACE = 'tranche-system';
/** Stands for the URL of the webhooks, so that the chart is rendered once for all clusters. */
const ANY_URL = 'https://webhooks.example:9443';

export interface TestCluster {
  readonly sandbox: Sandbox;
  readonly kubeconfig: string;
  readonly api: Api;
  close(): Promise<void>;
}

/** With the chart's objects for a program at this URL, or behind the chart's Service. */
export async function startCluster(
  webhookUrl: string | undefined,
  options: SandboxOptions = {},
  set: readonly string[] = [],
): Promise<TestCluster> {
  const sandbox = await startSandbox({ readyMs: 50, ...options });
  const kubeconfig = path.join(temporaryFolder('main'), 'kubeconfig');
  await writeFile(kubeconfig, sandbox.kubeconfig, { mode: 0o600 });
  const connection = await connect({ type: 'kubeconfig', files: [kubeconfig] });
  const api: ApiClient = createApi({ connection, userAgent: 'test', fieldManager: 'test' });
  await create(api, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  const outside = webhookUrl ? ['operator.enabled=false', `webhook.url=${ANY_URL}`] : [];
  const manifests = await render(...outside, ...set);
  const ours = JSON.parse(JSON.stringify(manifests).replaceAll(ANY_URL, webhookUrl ?? ANY_URL)) as KubeObject[];
  for (const object of ours) if (object.kind !== undefined && COLLECTIONS[object.kind]) await create(api, object);
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

/** Of the chart, what the program needs. */
const COLLECTIONS: Readonly<Record<string, string>> = {
  Service: `/api/v1/namespaces/${NAMESPACE}/services`,
  CustomResourceDefinition: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  MutatingWebhookConfiguration: '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
  ValidatingWebhookConfiguration: '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
  Namespace: '/api/v1/namespaces',
};

const create = (api: Api, body: KubeObject): Promise<unknown> =>
  api.request({ method: 'POST', path: COLLECTIONS[body.kind!]!, body });

export interface TestProgram {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[];
  /** The fields of the line that says "ready". */
  ready(): Promise<{ webhookPort: number; metricsPort: number }>;
  stop(): Promise<void>;
}

/** Flags as a user gives them; without --webhook-url it takes itself to be behind the chart's Service. */
export function startProgram(kubeconfig: string, ...flags: string[]): TestProgram {
  const lines: TestProgram['lines'] = [];
  const note =
    (level: string) =>
    (message: string, fields: object = {}): void =>
      void lines.push({ level, message, fields: { ...fields } });
  const logger: Logger = {
    debug: note('debug'),
    info: note('info'),
    warn: note('warn'),
    error: note('error'),
    child: () => logger,
  };
  const inCluster = { KUBERNETES_SERVICE_HOST: '127.0.0.1' };
  const config = readConfig(['--metrics-port', '0', '--namespace', NAMESPACE, ...flags], inCluster);
  assert.notEqual(config, 'help');
  if (config === 'help') throw new Error('not a run');
  const ending = new AbortController();
  const cluster = { type: 'kubeconfig', files: [kubeconfig] } as const;
  const running = runProgram({ config: { ...config, cluster }, version: '0.0.0-test', logger, signal: ending.signal });
  let failure: unknown;
  running.catch((error: unknown) => (failure = error));
  return {
    lines,
    async ready() {
      await until(
        () => failure !== undefined || lines.some(({ message }) => message === 'ready'),
        () => JSON.stringify(lines),
      );
      if (failure !== undefined) throw failure as Error;
      return lines.find(({ message }) => message === 'ready')!.fields as { webhookPort: number; metricsPort: number };
    },
    stop() {
      ending.abort();
      return running;
    },
  };
}
