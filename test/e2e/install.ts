// `make install`: installs the chart for a program that runs outside the cluster.
import { endAllOnSignals, temporaryFolder } from '../support/processes.ts';
import { Client } from './harness/client.ts';
import { checkReachable, InputError, installChart } from './harness/cluster.ts';
import { reportAndExit } from './harness/exit.ts';

endAllOnSignals();
try {
  const { KUBECONFIG, WEBHOOK_URL, RELEASE_NAMESPACE } = process.env;
  if (!KUBECONFIG || !WEBHOOK_URL)
    throw new InputError(
      'KUBECONFIG and WEBHOOK_URL are both needed: make install KUBECONFIG=FILE WEBHOOK_URL=https://127.0.0.1:9443',
    );
  if (!/^https:\/\/[^/?#]+\/?$/.test(WEBHOOK_URL))
    throw new InputError(
      `WEBHOOK_URL is ${WEBHOOK_URL}: write https://HOST:PORT, as the API server reaches this machine.`,
    );
  const client = new Client(KUBECONFIG, temporaryFolder('install'));
  await checkReachable(client);
  process.stdout.write(await installChart(client, WEBHOOK_URL, RELEASE_NAMESPACE || undefined));
} catch (error) {
  await reportAndExit(error);
}
