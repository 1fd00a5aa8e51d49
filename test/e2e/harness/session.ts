// The one cluster that all acceptance tests of a run share, and a namespace for each suite.
import { beforeEnd } from '../../support/processes.ts';
import { InputError, startCluster, type Cluster } from './cluster.ts';

let cluster: Cluster | undefined;

/** Starts the cluster that KUBECONFIG names, or the embedded one. An empty variable is none. */
export async function openSession(): Promise<void> {
  const { KUBECONFIG: kubeconfig, WEBHOOK_URL: webhookUrl } = process.env;
  if (kubeconfig && !webhookUrl)
    throw new InputError(
      `KUBECONFIG is set (${kubeconfig}) and WEBHOOK_URL is not: give both, or unset KUBECONFIG to use the embedded cluster.`,
    );
  cluster = await startCluster({ kubeconfig, webhookUrl });
}

/** The cluster of this run. */
export function theCluster(): Cluster {
  if (!cluster) throw new Error('No cluster: run the acceptance tests with --require test/e2e/hooks.ts.');
  return cluster;
}

/** A fresh namespace; it goes at the end. */
export async function makeNamespace(name: string): Promise<string> {
  const namespace = `tranche-e2e-${name}-${Date.now().toString(36)}`;
  const { client, embedded } = theCluster();
  // The embedded cluster goes with all that is in it.
  if (!embedded)
    beforeEnd(() => client.kubectl(['delete', 'namespace', namespace, '--ignore-not-found'], { timeoutSeconds: 180 }));
  await client.kubectl(['create', 'namespace', namespace]);
  return namespace;
}
