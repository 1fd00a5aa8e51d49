// Runs the program against the cluster, idle and with many releases at once, and returns the measurements.
import type { AnalysisCheck } from '../../../src/api/analysis.ts';
import { summarize, type Summary } from '../stats.ts';
import type { ReleaseResults } from './observer.ts';
import {
  startClusterProcess,
  startProgramProcess,
  startSourceProcess,
  type ClusterProcess,
  type Delay,
  type Usage,
} from './processes.ts';
import type { Tally } from './requests.ts';

type Say = (line: string) => void;
type Calls = Readonly<Record<string, number>>;

const sleep = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
/** Time after the start in which the program becomes the leader and reconciles each Rollout once. */
const SETTLE_SECONDS = 10;

interface Counted {
  readonly calls: Calls;
  readonly mostWatches: number;
  readonly utilization: number;
  readonly requestMs: Summary;
  readonly delayMs: Delay;
}

export interface IdleFigure {
  readonly deployments: number;
  /** From the start of the process until it is ready. */
  readonly readyMs: number;
  /** Until it was ready and had reconciled each Rollout. */
  readonly startCpuMs: number;
  readonly startCalls: Calls;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  /** Heap size after a garbage collection. */
  readonly heapBytes: number;
  readonly cpuMsPerMinute: number;
  readonly callsPerMinute: Calls;
}

export interface IdleData {
  /** Size of the JSON of one object from the API server. */
  readonly bytes: Readonly<Record<string, number>>;
  readonly figures: readonly IdleFigure[];
}

/** Starts one program after the other, with more Deployments each time. */
export async function measureIdle(sizes: readonly number[], seconds: number, say: Say): Promise<IdleData> {
  const cluster = await startClusterProcess(20, [1, 1]);
  const figures: IdleFigure[] = [];
  try {
    const maker = await startProgramProcess(cluster);
    const bytes = (await cluster.call('makeSeed', 30)) as Record<string, number>;
    await maker.stop();
    await cluster.call('stopControllers');
    let made = 0;
    for (const size of sizes) {
      await cluster.call('copy', made, size - 1);
      made = size - 1;
      await cluster.call('reset');
      const program = await startProgramProcess(cluster);
      await sleep(SETTLE_SECONDS);
      const { calls: startCalls } = (await cluster.call('counted')) as Counted;
      await cluster.call('reset');
      const before = await program.usage();
      await sleep(seconds);
      const after = await program.usage();
      const { calls } = (await cluster.call('counted')) as Counted;
      const collected = await program.usage('collect');
      await program.stop();
      const figure: IdleFigure = {
        deployments: size,
        readyMs: program.readyMs,
        startCpuMs: before.cpuMs,
        startCalls,
        rssBytes: after.rss,
        peakRssBytes: after.peakRss,
        heapBytes: collected.heapUsed,
        cpuMsPerMinute: ((after.cpuMs - before.cpuMs) / seconds) * 60,
        callsPerMinute: Object.fromEntries(
          Object.entries(calls).map(([call, count]) => [call, Math.round((count / seconds) * 60)]),
        ),
      };
      say(`${size} idle: RSS ${mib(figure.rssBytes)}, ready in ${(figure.readyMs / 1000).toFixed(1)} s`);
      figures.push(figure);
    }
    return { bytes, figures };
  } finally {
    await cluster.stop();
  }
}

export interface ReleaseOptions {
  readonly releases: number;
  /** Replicas per Deployment. Each of three steps releases a third of them. */
  readonly replicas: number;
  /** Mean time until a Pod is Ready, and the range of factors for it. */
  readonly readyMs: number;
  readonly jitter: readonly [number, number];
  readonly timeoutSeconds: number;
  /** Releases that start per second. 0 = as many as possible. */
  readonly perSecond: number;
  /** Checks of each release. They ask a source in a process of its own. All have the same interval. */
  readonly checks?: readonly AnalysisCheck[];
}

/** What the source of metrics was asked. */
export interface SourceFigure extends Tally {
  /** Requests in this time before the first release and after the last one. */
  readonly idle: { readonly seconds: number; readonly before: number; readonly after: number };
  /** Number of checks with each verdict at the end of their release. */
  readonly verdicts: Readonly<Record<string, number>>;
}

export interface ReleaseFigure extends ReleaseOptions {
  readonly finished: number;
  /** From the first patch until the last release is done. */
  readonly wallMs: number;
  readonly eachMs: Summary;
  /** Sum over the batches of a release: the time of the slowest Pod from its creation to Ready. */
  readonly podsOwnMs: Summary;
  readonly reactionMs: Summary;
  readonly clustersPartMs: Summary;
  readonly beginMs: Summary;
  readonly cpuMsPerBatch: number;
  readonly callsPerBatch: Calls;
  readonly mostWatches: number;
  readonly rssBytes: { readonly before: number; readonly most: number; readonly after: number };
  /** Worst period of two seconds. */
  readonly operatorDelayMs: Delay;
  /** Utilization of the event loop: median and maximum of all periods of two seconds. */
  readonly operatorBusy: { readonly median: number; readonly most: number };
  readonly clusterBusy: { readonly mean: number; readonly most: number };
  readonly clusterDelayMs: Delay;
  readonly clusterRequestMs: Summary;
  readonly source?: SourceFigure;
}

export async function measureReleases(options: ReleaseOptions, say: Say): Promise<ReleaseFigure> {
  const { releases, replicas, readyMs, jitter, timeoutSeconds, perSecond, checks } = options;
  const cluster = await startClusterProcess(readyMs, jitter);
  const source = checks && (await startSource(cluster, checks));
  try {
    const maker = await startProgramProcess(cluster);
    await cluster.call('makeSeed', replicas, checks ?? []);
    await maker.stop();
    await cluster.call('copy', 0, releases);
    const program = await startProgramProcess(cluster);
    await sleep(SETTLE_SECONDS);
    say(`${releases} Deployments with ${replicas} Pods each exist; releasing a new version of each`);
    const askedBefore = await source?.idle();
    await cluster.call('reset');
    await program.usage('watchDelay');
    const before = await program.usage('collect');
    const releasing = cluster.call('release', releases, replicas, 'v2', perSecond);
    // Errors are thrown where the promise is awaited.
    releasing.catch(() => undefined);
    const usages: Usage[] = [];
    const clusterBusy: number[] = [];
    const deadline = Date.now() + timeoutSeconds * 1000;
    for (let finished = 0, saidAt = Date.now(); finished < releases && Date.now() < deadline;) {
      await sleep(2);
      await source?.tell();
      usages.push(await program.usage());
      const progress = (await cluster.call('progress')) as { finished: number; batches: number; busy: number };
      clusterBusy.push(progress.busy);
      finished = progress.finished;
      if (Date.now() - saidAt < 10_000) continue;
      saidAt = Date.now();
      say(`${progress.batches} of ${releases * 3} batches, RSS ${mib(usages.at(-1)!.rss)}`);
    }
    await releasing;
    const after = await program.usage('collect');
    const counted = (await cluster.call('counted')) as Counted;
    const results = (await cluster.call('results')) as ReleaseResults;
    const { batches } = (await cluster.call('progress')) as { batches: number };
    const askedAfter = await source?.idle();
    await program.stop();
    const perBatch = (count: number): number => Math.round((count / batches) * 100) / 100;
    const busy = usages.map(({ utilization }) => utilization);
    say(`${results.finished} of ${releases} releases done in ${(results.wall / 1000).toFixed(0)} s`);
    return {
      ...options,
      finished: results.finished,
      wallMs: results.wall,
      eachMs: summarize(results.each),
      podsOwnMs: summarize(results.podsOwn),
      reactionMs: summarize(results.reaction),
      clustersPartMs: summarize(results.counted),
      beginMs: summarize(results.begin),
      cpuMsPerBatch: (after.cpuMs - before.cpuMs) / batches,
      callsPerBatch: Object.fromEntries(Object.entries(counted.calls).map(([call, n]) => [call, perBatch(n)])),
      mostWatches: counted.mostWatches,
      rssBytes: { before: before.rss, most: Math.max(...usages.map(({ rss }) => rss)), after: after.rss },
      operatorDelayMs: worst(usages),
      operatorBusy: { median: summarize(busy).p50, most: Math.max(...busy) },
      clusterBusy: { mean: counted.utilization, most: Math.max(...clusterBusy) },
      clusterDelayMs: counted.delayMs,
      clusterRequestMs: counted.requestMs,
      ...(source && { source: await source.figure(askedBefore!, askedAfter!) }),
    };
  } finally {
    await source?.stop();
    await cluster.stop();
  }
}

/** Longer than the default interval of a check, and the time until its look is read. */
const IDLE_SECONDS = 45;

interface RunningSource {
  /** Tells it about new and deleted Pods. Samples are asked for ten seconds after their time, so calls may be some seconds apart. */
  tell(): Promise<void>;
  /** The number of requests in an idle time. */
  idle(): Promise<number>;
  figure(before: number, after: number): Promise<SourceFigure>;
  stop(): Promise<void>;
}

async function startSource(cluster: ClusterProcess, checks: readonly AnalysisCheck[]): Promise<RunningSource> {
  const { call, url, stop } = await startSourceProcess();
  await cluster.call('useSource', url);
  const asked = async (): Promise<number> => (await call('asked')) as number;
  const tell = async (): Promise<void> => void (await call('told', await cluster.call('podsToTell')));
  return {
    tell,
    async idle() {
      await tell();
      const before = await asked();
      await sleep(IDLE_SECONDS);
      return (await asked()) - before;
    },
    async figure(before, after) {
      const counted = (await call('tally', checks.length)) as Tally;
      const verdicts = (await cluster.call('verdicts')) as SourceFigure['verdicts'];
      return { ...counted, idle: { seconds: IDLE_SECONDS, before, after }, verdicts };
    },
    stop,
  };
}

const worst = (usages: readonly Usage[]): Delay => {
  const most = (of: (delay: Delay) => number): number => Math.max(...usages.map(({ delayMs }) => of(delayMs)));
  return {
    p50: most(({ p50 }) => p50),
    p95: most(({ p95 }) => p95),
    p99: most(({ p99 }) => p99),
    max: most(({ max }) => max),
  };
};
