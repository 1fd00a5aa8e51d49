// Gives memory back to the system when a burst of work is over.
import { performance, type EventLoopUtilization } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

const LOOK_EVERY_MS = 15_000;
/** The program rests if it has worked for less than this part of the time since the last look. */
const AT_REST = 0.01;
/** Less is not worth the pause of a collection. */
const WORTH = { bytes: 8 * 2 ** 20, part: 0.15 } as const;
/** A larger heap would stop the program for too long. */
const MAX_HEAP_BYTES = 100 * 2 ** 20;

export interface Machine {
  /** The resident set of the process. */
  readonly rssBytes: () => number;
  /** Objects in the heap, with garbage. */
  readonly heapBytes: () => number;
  /** The part of the time since the last call in which the program worked, from 0 to 1. */
  readonly busy: () => number;
  readonly collect: () => void;
}

/**
 * Collects garbage when the program rests and takes more memory than after the last collection (ADR 35). Looks regularly. Returns a function that
 * stops it.
 */
export function saveMemoryAtRest(machine: Machine | undefined = thisMachine()): () => void {
  if (!machine) return () => undefined;
  let lastRss = 0;
  const timer = setInterval(() => {
    const rss = machine.rssBytes();
    const grown = rss - lastRss >= Math.max(WORTH.bytes, lastRss * WORTH.part);
    // Memory can also become less by itself.
    lastRss = Math.min(lastRss, rss);
    if (machine.busy() >= AT_REST || !grown || machine.heapBytes() > MAX_HEAP_BYTES) return;
    machine.collect();
    lastRss = machine.rssBytes();
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Undefined if node was started without --expose-gc, as outside of the image. */
function thisMachine(): Machine | undefined {
  const { gc } = globalThis;
  if (!gc) return undefined;
  let last: EventLoopUtilization = performance.eventLoopUtilization();
  return {
    rssBytes: () => process.memoryUsage.rss(),
    heapBytes: () => getHeapStatistics().used_heap_size,
    busy: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    // Only this kind gives the pages of the heap back to the system.
    collect: () => gc({ type: 'major', flavor: 'last-resort', execution: 'sync' }),
  };
}
