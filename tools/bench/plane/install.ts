// Installs the chart of a checkout on a control plane, and starts its program as the chart's Deployment does.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '@tranche/sandbox/types';
import { NAMESPACES, SECRETS, type Resource } from '../../../src/api/resources.ts';
import type { ApiClient } from '../../../src/kube/client.ts';
import { pathOf } from '../../../src/kube/path.ts';
import {
  ACCOUNT,
  JOB_ACCOUNT,
  MountedSecret,
  runJob,
  TLS_SECRET,
  withToken,
} from '../../../test/support/certificates.ts';
import { freePort } from '../../../test/support/ports.ts';
import { run, temporaryFolder } from '../../../test/support/processes.ts';
import { findTool } from '../../../test/support/tools.ts';
import { launchProgram, type LaunchedProgram } from '../operator/processes.ts';
import { builtProgram, imageEnv, imageFlags } from '../plain.ts';
import { readFile } from 'node:fs/promises';
import type { ControlPlane } from './control-plane.ts';

const NAMESPACE = 'tranche-system';
export const OPERATOR_USER = `system:serviceaccount:${NAMESPACE}:${ACCOUNT}`;
const ACCOUNTS: Resource = { apiVersion: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts' };
/** The bench starts the program itself. */
const NOT_INSTALLED: ReadonlySet<string> = new Set(['Deployment', 'Job', 'CronJob', 'Pod', 'PodDisruptionBudget']);

interface ClientConfig {
  service?: { port?: number };
}

/** Installs the chart, and starts the program. Resolves when it is ready. */
export async function startInstalled(plane: ControlPlane, api: ApiClient, checkout: string): Promise<LaunchedProgram> {
  const port = await freePort();
  const objects = await render(plane, checkout);
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
  await api.request({ method: 'POST', path: pathOf(NAMESPACES), body });
  await apply(
    plane,
    objects.filter(({ kind }) => !NOT_INSTALLED.has(kind)).map((object) => reachable(object, port)),
  );

  const kubeconfig = await readFile(plane.kubeconfig, 'utf8');
  await runJob(withToken(kubeconfig, await tokenOf(api, JOB_ACCOUNT)), NAMESPACE);
  const mounted = new MountedSecret();
  const { data } = (await api.request({
    method: 'GET',
    path: pathOf(SECRETS, { namespace: NAMESPACE, name: TLS_SECRET }),
  })) as { data: Record<string, string> };
  await mounted.show(data);
  const folder = temporaryFolder('bench-account');
  const files = { token: await tokenOf(api, ACCOUNT), 'ca.crt': plane.ca, namespace: NAMESPACE };
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(folder, file), text, { mode: 0o600 });

  const { args, env } = containerOf(objects);
  return launchProgram({
    account: { port: String(plane.port), folder },
    main: fileURLToPath(await builtProgram(checkout)),
    nodeFlags: imageFlags(checkout),
    env: { ...imageEnv(checkout), ...env },
    args: args
      .filter((flag) => !/^--(webhook-port|metrics-port|tls-dir)=/.test(flag))
      .concat(`--webhook-port=${port}`, '--metrics-port=0', `--tls-dir=${mounted.folder}`),
  });
}

async function render({ kubeconfig }: ControlPlane, checkout: string): Promise<KubeObject[]> {
  const chart = path.join(checkout, 'charts/tranche');
  const args = ['template', 'tranche', chart, '-n', NAMESPACE, '--dry-run=server', '--kubeconfig', kubeconfig];
  const { code, stdout, stderr } = await run(await findTool('helm'), args);
  if (code !== 0) throw new Error(`helm: ${stderr}`);
  return parseAllDocuments(stdout).flatMap((document) => {
    const object = document.toJS() as KubeObject | null;
    return object === null ? [] : [object];
  });
}

async function apply({ kubeconfig }: ControlPlane, objects: readonly KubeObject[]): Promise<void> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  const args = ['apply', '--server-side', '-n', NAMESPACE, '--kubeconfig', kubeconfig, '-f', '-'];
  const { code, stderr } = await run(await findTool('kubectl'), args, { input });
  if (code !== 0) throw new Error(`kubectl: ${stderr}`);
}

/** There is no network of Services: the API server calls the webhooks on this machine, by the name of the Service. */
function reachable(object: KubeObject, port: number): KubeObject {
  if (object.kind === 'Service') return { ...object, spec: { type: 'ExternalName', externalName: 'localhost' } };
  const configs = [
    ...((object['webhooks'] ?? []) as readonly { clientConfig: ClientConfig }[]).map(
      ({ clientConfig }) => clientConfig,
    ),
    ...(object.kind === 'CustomResourceDefinition'
      ? [(object.spec.conversion?.webhook?.clientConfig ?? {}) as ClientConfig]
      : []),
  ];
  for (const { service } of configs) if (service) service.port = port;
  return object;
}

async function tokenOf(api: ApiClient, name: string): Promise<string> {
  const spec = { expirationSeconds: 7200 };
  const { status } = (await api.request({
    method: 'POST',
    path: pathOf(ACCOUNTS, { namespace: NAMESPACE, name, subresource: 'token' }),
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
  })) as { status: { token: string } };
  return status.token;
}

/** Flags and variables of the program in the chart's Deployment. */
function containerOf(objects: readonly KubeObject[]): { args: string[]; env: NodeJS.ProcessEnv } {
  const deployment = objects.find(({ kind }) => kind === 'Deployment');
  const container = deployment?.spec.template.spec.containers[0] as
    { readonly args: readonly string[]; readonly env: readonly { name: string; value?: string }[] } | undefined;
  if (!container) throw new Error('the chart has no Deployment of the program');
  const fields: NodeJS.ProcessEnv = { POD_NAMESPACE: NAMESPACE, POD_NAME: 'tranche-bench' };
  const env = Object.fromEntries(container.env.map(({ name, value }) => [name, value ?? fields[name]]));
  const args = container.args.map((flag) => flag.replace(/\$\((\w+)\)/g, (_, name: string) => env[name] ?? ''));
  return { args, env };
}
