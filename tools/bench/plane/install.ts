// Installs the chart of a checkout on a control plane, and starts its program as the chart's Deployment does.
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KubeObject } from '@tranche/sandbox/types';
import { NAMESPACES, SECRETS } from '../../../src/api/resources.ts';
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
import { apply, isInstalled, objectsIn, reachable, tokenOf } from './apply.ts';
import type { ControlPlane } from './control-plane.ts';

const NAMESPACE = 'tranche-system';
export const OPERATOR_USER = `system:serviceaccount:${NAMESPACE}:${ACCOUNT}`;

/** Installs the chart, and starts the program. Resolves when it is ready. */
export async function startInstalled(plane: ControlPlane, api: ApiClient, checkout: string): Promise<LaunchedProgram> {
  const port = await freePort();
  const objects = await render(plane, checkout);
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
  await api.request({ method: 'POST', path: pathOf(NAMESPACES), body });
  await apply(
    plane,
    NAMESPACE,
    objects.filter(isInstalled).map((object) => reachable(object, port)),
  );

  const kubeconfig = await readFile(plane.kubeconfig, 'utf8');
  await runJob(withToken(kubeconfig, await tokenOf(api, NAMESPACE, JOB_ACCOUNT)), NAMESPACE);
  const mounted = new MountedSecret();
  const { data } = (await api.request({
    method: 'GET',
    path: pathOf(SECRETS, { namespace: NAMESPACE, name: TLS_SECRET }),
  })) as { data: Record<string, string> };
  await mounted.show(data);
  const folder = temporaryFolder('bench-account');
  const files = { token: await tokenOf(api, NAMESPACE, ACCOUNT), 'ca.crt': plane.ca, namespace: NAMESPACE };
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
  return objectsIn(stdout);
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
