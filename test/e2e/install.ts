// `make install`: installs the chart for a program that runs outside the cluster.
import { endAllOnSignals, temporaryFolder } from '../support/processes.ts';
import { Client } from './harness/client.ts';
import { checkReachable, installChart, readTarget } from './harness/cluster.ts';
import { reportAndExit } from './harness/exit.ts';

endAllOnSignals();
try {
  const { kubeconfig, webhookUrl, namespace } = readTarget('install');
  const client = new Client(kubeconfig, temporaryFolder('install'));
  await checkReachable(client);
  process.stdout.write(await installChart(client, webhookUrl, namespace));
} catch (error) {
  await reportAndExit(error);
}
