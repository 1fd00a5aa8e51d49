// A replica behind the chart's Service, as a process of its own: as in a cluster, but for where the cluster is. Arguments: a kubeconfig,
// then flags. OpenTelemetry's variables are taken from the environment.
// It starts in half of the time.
import '../support/client-library.ts';
import { flushCompileCache } from 'node:module';
import { readConfig } from '../../src/app/config.ts';
import { runProgram } from '../../src/app/run.ts';
import { createLogger } from '../../src/telemetry/logger.ts';

const [kubeconfig, ...flags] = process.argv.slice(2);
const ports = ['--webhook-port', '0', '--metrics-port', '0'];
const config = readConfig([...ports, ...flags], {
  ...process.env,
  KUBERNETES_SERVICE_HOST: '127.0.0.1',
  POD_NAME: `pod-${process.pid}`,
});
if (config === 'help') throw new Error('not a run');
// Who is killed writes nothing at its end: with NODE_COMPILE_CACHE the next one starts in half the time.
flushCompileCache();
const ending = new AbortController();
process.on('SIGTERM', () => ending.abort());
await runProgram({
  config: { ...config, cluster: { type: 'kubeconfig', files: [kubeconfig!] } },
  version: '0.0.0-test',
  logger: createLogger(config.logLevel),
  signal: ending.signal,
});
