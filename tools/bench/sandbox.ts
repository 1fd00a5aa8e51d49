// Runs the embedded cluster with the chart's objects as a separate process. Arguments: the URL of the program's webhooks, and the time until a
// Pod is ready, in milliseconds.
import { startCluster } from '../../test/main/cluster.ts';
import { endAllOnSignals } from '../../test/support/processes.ts';
import { sayReady } from './child.ts';

const [webhookUrl, readyMs] = process.argv.slice(2);
endAllOnSignals();
const { kubeconfig } = await startCluster(webhookUrl, { readyMs: Number(readyMs) });
sayReady({ kubeconfig });
