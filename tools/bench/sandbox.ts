// The embedded cluster with the chart's objects, as a process of its own. Arguments: URL of the program's webhooks, and how long a Pod
// takes to be ready, in milliseconds.
import { startCluster } from '../../test/main/cluster.ts';
import { endAllOnSignals } from '../../test/support/processes.ts';
import { sayReady } from './child.ts';

const [webhookUrl, readyMs] = process.argv.slice(2);
endAllOnSignals();
const { kubeconfig } = await startCluster(webhookUrl, { readyMs: Number(readyMs) });
sayReady({ kubeconfig });
