// Runs the embedded cluster as a process that can be killed and restarted: all its data are in a directory. Prints one line when it is ready.
import { flushCompileCache } from 'node:module';
import { parseArgs } from 'node:util';
import { startSandbox } from '@tranche/sandbox';
import { writeKubeconfig } from '@tranche/sandbox/kubeconfig';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    port: { type: 'string', default: '0' },
    /** Target of the webhooks' Service. */
    service: { type: 'string' },
    kubeconfig: { type: 'string' },
    'ready-ms': { type: 'string', default: '100' },
    nodes: { type: 'string', default: '3' },
  },
});
const sandbox = await startSandbox({
  data: values.data!,
  port: Number(values.port),
  readyMs: Number(values['ready-ms']),
  nodes: Number(values.nodes),
  resolveService: () => ({ host: '127.0.0.1', port: Number(values.service) }),
});
writeKubeconfig(values.kubeconfig!, sandbox.kubeconfig);
// A killed process writes nothing at its end.
flushCompileCache();
process.stdout.write(`ready at ${sandbox.url}\n`);
