// Installs another program on a control plane, and starts it with the flags of its own Deployment.
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { KubeObject } from '@tranche/sandbox/types';
import { NAMESPACES } from '../../../src/api/resources.ts';
import type { ApiClient } from '../../../src/kube/client.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { withToken } from '../../../test/support/certificates.ts';
import { start, temporaryFolder } from '../../../test/support/processes.ts';
import { apply, isInstalled, tokenOf } from './apply.ts';
import type { ControlPlane } from './control-plane.ts';
import type { RunningProgram } from './subject.ts';

export interface PeerInstallation {
  readonly name: string;
  readonly namespace: string;
  readonly account: string;
  /** With the Deployment, which is not created. */
  readonly objects: readonly KubeObject[];
  /** The container of the program in its Deployment. */
  readonly container: string;
  readonly program: string;
  /** `own`: of the container. */
  readonly flags: (own: readonly string[]) => readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly ready: (output: string) => boolean;
}

/** Resolves when it is ready. */
export async function startPeer(
  plane: ControlPlane,
  api: ApiClient,
  { name, namespace, account, objects, container, program, flags, env, ready }: PeerInstallation,
): Promise<RunningProgram> {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
  await api.request({ method: 'POST', path: pathOf(NAMESPACES), body });
  await apply(plane, namespace, objects.filter(isInstalled));
  const kubeconfig = path.join(temporaryFolder(`bench-${name}`), 'kubeconfig');
  const token = await tokenOf(api, namespace, account);
  writeFileSync(kubeconfig, withToken(await readFile(plane.kubeconfig, 'utf8'), token), { mode: 0o600 });
  const args = [...flags(flagsOf(objects, container)), `--kubeconfig=${kubeconfig}`];
  return start(name, program, args, { ready, env: { PATH: process.env['PATH'], ...env } });
}

function flagsOf(objects: readonly KubeObject[], container: string): readonly string[] {
  const containers = objects
    .filter(({ kind }) => kind === 'Deployment')
    .flatMap(({ spec }) => spec.template.spec.containers as readonly { name: string; args?: readonly string[] }[]);
  const found = containers.find(({ name }) => name === container);
  if (!found) throw new Error(`no Deployment has a container ${container}`);
  return found.args ?? [];
}
