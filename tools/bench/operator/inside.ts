// Loaded into the program's process before the program: provides a service account like in a Pod, and reports the costs of the process.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';

const IN_POD = '/var/run/secrets/kubernetes.io/serviceaccount';
const account = process.env['BENCH_SERVICE_ACCOUNT']!;
const { readFile } = fs.promises;
fs.promises.readFile = ((file: string, ...rest: []) =>
  readFile(typeof file === 'string' ? file.replace(IN_POD, account) : file, ...rest)) as typeof readFile;
syncBuiltinESMExports();

/** Enabled when it is asked for: it wakes the process 100 times a second, which is more than an idle program does by itself. */
const delay = monitorEventLoopDelay({ resolution: 10 });
let utilization = performance.eventLoopUtilization();

process.on('message', ({ id, method }: { id: number; method: 'usage' | 'collect' | 'watchDelay' }) => {
  if (method === 'watchDelay') delay.enable();
  if (method === 'collect') (globalThis as { gc?: () => void }).gc?.();
  const now = performance.eventLoopUtilization();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
  const result = {
    cpuMs: (user + system) / 1000,
    rss,
    heapUsed,
    heapTotal,
    arrayBuffers,
    external,
    peakRss: process.resourceUsage().maxRSS * 1024,
    utilization: performance.eventLoopUtilization(now, utilization).utilization,
    handles: process.getActiveResourcesInfo().length,
    delayMs: {
      p50: delay.percentile(50) / 1e6,
      p95: delay.percentile(95) / 1e6,
      p99: delay.percentile(99) / 1e6,
      max: delay.max / 1e6,
    },
  };
  utilization = now;
  delay.reset();
  process.send!({ id, result });
});
process.channel?.unref();
