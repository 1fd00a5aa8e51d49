// Applies objects of manifests on a control plane, and gets tokens of service accounts.
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '@tranche/sandbox/types';
import type { Resource } from '../../../src/api/resources.ts';
import type { ApiClient } from '../../../src/kube/client.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { run } from '../../../test/support/processes.ts';
import { findTool } from '../../../test/support/tools.ts';
import type { ControlPlane } from './control-plane.ts';

const ACCOUNTS: Resource = { apiVersion: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts' };
/** The bench starts the program itself. */
const NOT_INSTALLED: ReadonlySet<string> = new Set(['Deployment', 'Job', 'CronJob', 'Pod', 'PodDisruptionBudget']);

export const isInstalled = ({ kind }: KubeObject): boolean => !NOT_INSTALLED.has(kind);

/** Objects of a manifest with several documents. */
export const objectsIn = (manifest: string): KubeObject[] =>
  parseAllDocuments(manifest).flatMap((document) => {
    const object = document.toJS() as KubeObject | null;
    return object === null ? [] : [object];
  });

export async function apply(
  { kubeconfig }: ControlPlane,
  namespace: string,
  objects: readonly KubeObject[],
): Promise<void> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  const args = ['apply', '--server-side', '-n', namespace, '--kubeconfig', kubeconfig, '-f', '-'];
  const { code, stderr } = await run(await findTool('kubectl'), args, { input });
  if (code !== 0) throw new Error(`kubectl: ${stderr}`);
}

interface ClientConfig {
  service?: { port?: number };
}

/** There is no network of Services: the API server calls the webhooks on this machine, by the name of the Service. */
export function reachable(object: KubeObject, port: number): KubeObject {
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

export async function tokenOf(api: ApiClient, namespace: string, name: string): Promise<string> {
  const spec = { expirationSeconds: 7200 };
  const { status } = (await api.request({
    method: 'POST',
    path: pathOf(ACCOUNTS, { namespace, name, subresource: 'token' }),
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
  })) as { status: { token: string } };
  return status.token;
}
