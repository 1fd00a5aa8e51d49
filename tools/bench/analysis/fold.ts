// Measures the judgement of one check in a process of its own: live, or again from the start as after a restart. Argument: FoldOptions as JSON.
import type { AnalysisCheck } from '../../../src/api/analysis.ts';
import type { Release, Series } from '../../../src/engine/analysis/query.ts';
import { dueRange, findingOf, nextReadAt, see, startWatch, type Range } from '../../../src/engine/analysis/watch.ts';
import { readAnswer } from '../../../src/metric-sources/prometheus.ts';
import { mostLooks } from '../../../src/operator/evidence.ts';
import { sayReady } from '../child.ts';
import { summarize, type Summary } from '../stats.ts';
import { answerText, BAD, FRESH, makePods, STABLE, TOTAL } from './pods.ts';

export interface FoldOptions {
  readonly fresh: number;
  readonly stable: number;
  readonly looks: number;
  /** True: one look at a time, as they come. False: all of them, as after a restart. */
  readonly live: boolean;
}

export interface FoldFigure extends FoldOptions {
  /** Questions to the source, and the most looks that one of them is about. */
  readonly asked: number;
  readonly mostLooks: number;
  /** The fold alone: each look, and each time that it holds the event loop. */
  readonly lookMs: Summary;
  readonly blockMs: Summary;
  /** An answer from its text to its numbers, which holds the event loop as well. */
  readonly answerMs: Summary;
  readonly answerBytes: number;
  /** After a garbage collection, with what is kept between two looks. `most`: before one. */
  readonly heapBytes: { readonly before: number; readonly after: number; readonly most: number };
  readonly verdict: string;
}

const START = 1_800_000_000_000;
const CHECK: AnalysisCheck = { name: 'errors', ratio: { bad: BAD, total: TOTAL, limit: '1%', timesStable: 2 } };
const RELEASE: Release = {
  namespace: 'shop',
  workload: 'checkout',
  pods: 'app=checkout',
  rolloutID: 'r1',
  revision: FRESH,
  stableRevision: STABLE,
  startedAt: START,
  ratioChecks: 1,
};

/** CPU time of this thread. What other processes do at the same time does not change it much. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function heap(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}

function measure(options: FoldOptions): FoldFigure {
  const pods = makePods(RELEASE.workload, options.fresh, options.stable, START);
  const most = mostLooks(pods.length);
  const figures = { lookMs: [] as number[], blockMs: [] as number[], answerMs: [] as number[] };
  let [asked, largest, bytes, mostHeap] = [0, 0, 0, 0];
  const answer = (which: 'total' | 'bad', { fromMs, toMs, stepMs }: Range): readonly Series[] => {
    const sampled = pods.map(({ name, createdAt }) => ({ name, fromMs: createdAt }));
    const text = answerText(which, sampled, fromMs, toMs, stepMs);
    bytes = Math.max(bytes, text.length);
    const began = cpuMs();
    const found = readAnswer(200, text);
    figures.answerMs.push(cpuMs() - began);
    if ('unknown' in found) throw new Error(found.unknown);
    return found;
  };
  const before = heap();
  let watch = startWatch(CHECK, RELEASE);
  const end = options.looks * 30_000 + nextReadAt(watch) - 30_000;
  for (let now = options.live ? nextReadAt(watch) : end; now <= end; now = nextReadAt(watch)) {
    for (let range = dueRange(watch, now, most); range; range = dueRange(watch, now, most)) {
      const answers = [answer('total', range), answer('bad', range)];
      const looks = Math.round((range.toMs - watch.lastAt) / range.stepMs);
      const began = cpuMs();
      watch = see(watch, range, answers, pods);
      findingOf(watch);
      const ms = cpuMs() - began;
      figures.blockMs.push(ms);
      figures.lookMs.push(...Array.from({ length: looks }, () => ms / looks));
      [asked, largest] = [asked + 1, Math.max(largest, looks)];
      mostHeap = Math.max(mostHeap, process.memoryUsage().heapUsed);
    }
  }
  const { lookMs, blockMs, answerMs } = figures;
  return {
    ...options,
    asked,
    mostLooks: largest,
    lookMs: summarize(lookMs),
    blockMs: summarize(blockMs),
    answerMs: summarize(answerMs),
    answerBytes: bytes,
    heapBytes: { before, after: heap(), most: mostHeap },
    verdict: findingOf(watch).verdict,
  };
}

sayReady(measure(JSON.parse(process.argv[2]!) as FoldOptions));
