// The one cluster that all acceptance tests of a run share, and a namespace for each suite.
import { beforeEnd, endAll, temporaryFolder, wasInterrupted } from '../../support/processes.ts';
import { Client } from './client.ts';
import { InputError, startCluster, type Cluster } from './cluster.ts';
import { leftovers } from './leftovers.ts';

let cluster: Cluster | undefined;

/** Starts the cluster that KUBECONFIG names, or the embedded one. An empty variable is none. */
export async function openSession(): Promise<void> {
  const { KUBECONFIG: kubeconfig, WEBHOOK_URL: webhookUrl } = process.env;
  if (kubeconfig && !webhookUrl)
    throw new InputError(
      `KUBECONFIG is set (${kubeconfig}) and WEBHOOK_URL is not: give both, or unset KUBECONFIG to use the embedded cluster.`,
    );
  cluster = await startCluster({
    kubeconfig,
    webhookUrl,
    say: (text) => void process.stdout.write(kubeconfig ? `${text}\n` : ''),
  });
}

/** The cluster of this run. */
export function theCluster(): Cluster {
  if (!cluster) throw new Error('No cluster: run the acceptance tests with --require test/e2e/hooks.ts.');
  return cluster;
}

/** On a cluster of the user's: what is to be deleted. */
const namespaces: string[] = [];

/** A fresh namespace; it goes at the end. */
export async function makeNamespace(name: string): Promise<string> {
  // The tests go on for a moment while everything is removed.
  if (wasInterrupted()) throw new Error('interrupted');
  const namespace = `tranche-e2e-${name}-${Date.now().toString(36)}`;
  const { client, embedded } = theCluster();
  // The embedded cluster goes with all that is in it.
  if (!embedded && namespaces.push(namespace) === 1)
    beforeEnd(() =>
      // All at once: each takes some seconds.
      client.kubectl(['delete', 'namespace', ...namespaces.splice(0), '--ignore-not-found'], { timeoutSeconds: 300 }),
    );
  await client.kubectl(['create', 'namespace', namespace]);
  return namespace;
}

/** Undoes all of it, and returns the objects of cluster scope that are left on a cluster of the user's. */
export async function closeSession(): Promise<string[]> {
  const { client, embedded, before } = theCluster();
  await endAll();
  // With a home of its own: the client's is gone.
  return embedded ? [] : leftovers(new Client(client.kubeconfig, temporaryFolder('after')), before);
}
