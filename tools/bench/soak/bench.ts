// The soak: continuous releases, while memory and handles of the program are measured. A leak fails the run. PLANT_LEAK=1 plants a leak to test this.
import type { Bench, BenchContext } from '../bench.ts';
import { freePort } from '../../../test/support/ports.ts';
import { startClusterProcess, startProgramProcess } from '../program.ts';
import type { Point } from '../stats.ts';
import { MIB } from '../text.ts';
import { sample } from '../watch.ts';
import { describeSoak } from './describe.ts';
import { startDrive } from './drive.ts';
import { judge, type Rule, type Verdict } from './judge.ts';

const WORKLOADS = 10;
const TICK_MS = 200;
const DEFAULT_SECONDS = 90;
const QUICK_SECONDS = 30;
/** Number of points of a run, independent of its duration. */
const POINTS = 90;
/** Warm-up, in which caches, pools and compiled code grow to their final size. */
const WARM_SHARE = 1 / 3;
const MAX_WARM_SECONDS = 300;

/** Each value is taken after a garbage collection. */
export interface SoakPoint {
  readonly seconds: number;
  readonly releases: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** Open file descriptors. */
  readonly handles: number;
  readonly sockets: number;
  /** Active timers, sockets and requests of the event loop. */
  readonly resources: number;
}

export type What = 'rssBytes' | 'heapBytes' | 'handles' | 'sockets' | 'resources';
export const RULES: Readonly<Record<What, Rule>> = {
  rssBytes: { absolute: 16 * MIB, share: 0.05 },
  heapBytes: { absolute: 2 * MIB, share: 0.05 },
  handles: { absolute: 6, share: 0.1 },
  sockets: { absolute: 6, share: 0.1 },
  resources: { absolute: 12, share: 0.1 },
};

export interface SoakData {
  readonly workloads: number;
  readonly seconds: number;
  readonly warmSeconds: number;
  readonly planted: boolean;
  readonly points: readonly SoakPoint[];
  /** Growth per release. */
  readonly verdicts: Readonly<Record<What, Verdict>>;
  readonly clusterRssBytes: number;
}

async function run({ quick, seconds: wanted, progress }: BenchContext): Promise<SoakData> {
  const seconds = wanted ?? (quick ? QUICK_SECONDS : DEFAULT_SECONDS);
  const planted = (process.env['PLANT_LEAK'] ?? '') !== '';
  progress(`starts a cluster and the program${planted ? ', which leaks 1 MB with each release' : ''}`);
  const port = await freePort();
  const cluster = await startClusterProcess(port, 50);
  const program = await startProgramProcess(cluster, port);
  const drive = await startDrive(cluster.api, WORKLOADS);

  const points: SoakPoint[] = [];
  const began = performance.now();
  const elapsed = (): number => (performance.now() - began) / 1000;
  const every = seconds / POINTS;
  let leaked = 0;
  while (elapsed() < seconds) {
    const tick = performance.now();
    await drive.tick();
    for (; planted && leaked < drive.ended; leaked++) await program.leak();
    if (elapsed() >= points.length * every) {
      const { heapUsed, external, resources } = await program.memory();
      const { rssBytes, handles, sockets } = sample(program.pid);
      const at = { seconds: elapsed(), releases: drive.ended };
      points.push({ ...at, rssBytes, heapBytes: heapUsed + external, handles, sockets, resources });
      if (points.length % 15 === 1) {
        const [rss, heap] = [rssBytes, heapUsed + external].map((bytes) => (bytes / MIB).toFixed(1));
        progress(`${drive.ended} releases, RSS ${rss} MiB, heap ${heap} MiB, ${handles} handles, ${sockets} sockets`);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, TICK_MS - (performance.now() - tick))));
  }
  cluster.api.close();
  const warmSeconds = Math.min(seconds * WARM_SHARE, MAX_WARM_SECONDS);
  const judged = points.filter((point) => point.seconds > warmSeconds);
  if (drive.ended === 0) throw new Error(`no release ended in ${seconds} s`);
  const verdictOn = (what: What): Verdict =>
    judge(
      judged.map((point): Point => [point.releases, point[what]]),
      RULES[what],
    );
  return {
    workloads: WORKLOADS,
    seconds,
    warmSeconds,
    planted,
    points,
    verdicts: {
      rssBytes: verdictOn('rssBytes'),
      heapBytes: verdictOn('heapBytes'),
      handles: verdictOn('handles'),
      sockets: verdictOn('sockets'),
      resources: verdictOn('resources'),
    },
    clusterRssBytes: sample(cluster.pid).rssBytes,
  };
}

export const soakBench: Bench<SoakData> = {
  name: 'soak',
  title: 'Soak',
  run,
  describe: describeSoak,
  failure({ verdicts }) {
    const leaking = Object.entries(verdicts).filter(([, { leaks }]) => leaks);
    if (leaking.length === 0) return undefined;
    return leaking
      .map(
        ([what, { slope, growth }]) =>
          `${what} leak ${slope.toPrecision(3)} a release, ${growth.toPrecision(3)} so far`,
      )
      .join('; ');
  },
};
