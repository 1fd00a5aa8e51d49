// Measures a process through /proc: memory, CPU, open files and sockets. Linux only. It does not affect the process.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface Sample {
  /** performance.now() of this process. */
  readonly atMs: number;
  readonly rssBytes: number;
  /** User and system time since the start of the process, in ticks of 10 ms. */
  readonly cpuSeconds: number;
  /** Open file descriptors, including sockets. */
  readonly handles: number;
  readonly sockets: number;
}

let ticksPerSecond: number | undefined;
const ticks = (): number => (ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })));

/** Throws if the process does not exist or has ended. */
export function sample(pid: number): Sample {
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (rss === undefined) throw new Error(`process ${pid} has ended`);
  const handles = readdirSync(`/proc/${pid}/fd`);
  return {
    atMs: performance.now(),
    rssBytes: Number(rss) * 1024,
    cpuSeconds: cpuOf(`/proc/${pid}/stat`),
    handles: handles.length,
    sockets: handles.filter((handle) => linkOf(`/proc/${pid}/fd/${handle}`).startsWith('socket:')).length,
  };
}

/** How often the main thread has waited for something so far. */
export const wakeUpsOf = (pid: number): number =>
  Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/** CPU time of each thread, by name. Node's main thread is the first. */
export function threadsOf(pid: number): { name: string; cpuSeconds: number }[] {
  return readdirSync(`/proc/${pid}/task`).map((task) => ({
    name: readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8').trim(),
    cpuSeconds: cpuOf(`/proc/${pid}/task/${task}/stat`),
  }));
}

function cpuOf(file: string): number {
  const stat = readFileSync(file, 'utf8');
  // The name in parentheses may contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticks();
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return ''; // It was closed in the meantime.
  }
}

/** Samples a process regularly until it ends or until `stop`, which returns all samples. */
export function watch(pid: number, everyMs: number, onSample?: (sample: Sample) => void): () => readonly Sample[] {
  const samples: Sample[] = [];
  const take = (): void => {
    try {
      samples.push(sample(pid));
      onSample?.(samples.at(-1)!);
    } catch {
      clearInterval(timer);
    }
  };
  const timer = setInterval(take, everyMs);
  take();
  return () => {
    clearInterval(timer);
    return samples;
  };
}

/** Number of busy cores between two samples. 1 = one core was always busy. */
export const coresBetween = (from: Sample, to: Sample): number =>
  (to.cpuSeconds - from.cpuSeconds) / ((to.atMs - from.atMs) / 1000);

export interface LoopDelay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Delay of timers in the event loop of this process. */
export function watchEventLoop(): () => LoopDelay {
  const resolutionMs = 5;
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  // The histogram contains the whole time between two ticks of its timer.
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolutionMs);
  return () => {
    histogram.disable();
    return {
      p50Ms: late(histogram.percentile(50)),
      p99Ms: late(histogram.percentile(99)),
      maxMs: late(histogram.max),
    };
  };
}
