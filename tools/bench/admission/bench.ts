// The admission bench: compares the program as in its image with a bare express handler, on one core each.
import type { FloodPlan, FloodResult } from './flood.ts';
import type { Bench, BenchContext } from '../bench.ts';
import { canPin } from '../child.ts';
import { median } from '../stats.ts';
import { shown } from '../text.ts';
import { sample } from '../watch.ts';
import { bodiesOf, bodyOfSize, KINDS, type Body, type Kind } from './bodies.ts';
import { describeAdmission } from './describe.ts';
import { FLOOD_RATE, FLOODS } from './floods.ts';
import { sharesOf, type CpuProfile, type Share } from './profile.ts';
import {
  CONNECTIONS,
  flooded,
  load,
  loadInTurns,
  POLICIES,
  ROLLOUTS,
  startSetting,
  type Run,
  type Server,
  type Setting,
} from './setting.ts';

/** The compared servers. Tranche is one process, with and without policies. */
export const SERVERS = ['bare express', 'tranche', 'tranche, policies'] as const;
export type ServerName = (typeof SERVERS)[number];
export type Mix = Kind | 'mix';

export type Measured = Omit<Run, 'wrong'>;
export interface ThroughputRun extends Measured {
  readonly server: ServerName;
  readonly body: Mix;
  /** Throughput relative to the alternating bare handler. 1 for the bare handler itself. */
  readonly ofBare: number;
}
export interface RateRun extends Measured {
  readonly server: ServerName;
  readonly rate: number;
  /** Milliseconds by which its p99 exceeds that of the alternating bare handler. 0 for the bare handler itself. */
  readonly p99BehindBare: number;
}
export interface SizeRun extends Measured {
  readonly server: ServerName;
  readonly bytes: number;
}

export interface RolloutsRun extends Measured {
  readonly server: ServerName;
  readonly rollouts: number;
}

/** Real edits at a low rate during an attack. */
export interface FloodRun extends Measured, Pick<FloodPlan, 'kind' | 'connections' | 'bytes'>, FloodResult {
  /** The highest measured value. */
  readonly rssBytes: number;
}

export interface AdmissionData {
  readonly pinned: boolean;
  readonly connections: number;
  readonly rollouts: number;
  readonly policies: number;
  readonly bodies: readonly { readonly kind: Kind; readonly bytes: number }[];
  /** Number of edited Deployments. */
  readonly deployments: number;
  readonly secondsEach: number;
  readonly rounds: number;
  readonly rateRounds: number;
  readonly throughput: readonly ThroughputRun[];
  readonly rates: readonly RateRun[];
  readonly sizes: readonly SizeRun[];
  readonly byRollouts: readonly RolloutsRun[];
  readonly shares: readonly Share[];
  /** Absent in older reports. */
  readonly floods?: readonly FloodRun[];
  /** Before the load, and after the load and a garbage collection. */
  readonly rssBytes: Readonly<Record<'bareBefore' | 'bareAfter' | 'before' | 'after', number>>;
}

interface Extent {
  /** Duration of the warm-up, at the start and after policies were created or deleted. */
  readonly warmSeconds: number;
  readonly seconds: number;
  readonly floodSeconds: number;
  /** Rounds for throughput, and for each rate: a p99 varies more. */
  readonly rounds: number;
  readonly rateRounds: number;
  readonly rates: readonly number[];
  readonly sizes: readonly number[];
  readonly rollouts: number;
  /** Numbers of Rollouts, from fewer to more than in the other runs. At least one for each edited Deployment. */
  readonly fewer: readonly number[];
  readonly more: readonly number[];
}
const FULL: Extent = {
  warmSeconds: 10,
  seconds: 3,
  floodSeconds: 15,
  rounds: 3,
  rateRounds: 5,
  rates: [250, 500, 1000, 1500, 2000, 3000, 4000],
  sizes: [9_000, 14_000, 100_000, 1_000_000],
  rollouts: ROLLOUTS,
  fewer: [60, 200],
  more: [3_000, 10_000],
};
const QUICK: Extent = {
  warmSeconds: 1,
  seconds: 1,
  floodSeconds: 3,
  rounds: 3,
  rateRounds: 1,
  rates: [100, 500],
  sizes: [9_000, 30_000],
  rollouts: 80,
  fewer: [60],
  more: [100],
};

const bodiesIn = (mix: Mix): Body[] => bodiesOf(...(mix === 'mix' ? KINDS : [mix]));

async function run({ quick, progress }: BenchContext): Promise<AdmissionData> {
  const extent = quick ? QUICK : FULL;
  progress(`starts a cluster, the program, and a bare express server`);
  const setting = await startSetting(extent.fewer[0] ?? extent.rollouts, extent.sizes);
  const { bare, tranche, program } = setting;
  const rssBefore = { bareBefore: sample(bare.pid).rssBytes, before: sample(tranche.pid).rssBytes };
  const measure = measurer(setting, progress);

  // Warms up the JIT compiler, which takes some ten thousand requests.
  const warm = { bodies: bodiesIn('mix'), rate: null, seconds: extent.warmSeconds };
  for (const server of SERVERS) await measure(server, warm, 'warms up');

  const byRollouts: RolloutsRun[] = [];
  const withRollouts = async (rollouts: number): Promise<void> => {
    await setting.rollouts(rollouts);
    for (const server of SERVERS) {
      const what = { bodies: bodiesIn('mix'), rate: null, seconds: extent.seconds };
      byRollouts.push({ server, rollouts, ...(await measure(server, what, `${rollouts} Rollouts`)) });
    }
  };
  for (const rollouts of [...extent.fewer, extent.rollouts]) await withRollouts(rollouts);

  const throughput: ThroughputRun[] = [];
  const rates: RateRun[] = [];
  const sizes: SizeRun[] = [];
  const { seconds } = extent;
  for (const server of SERVERS.slice(1)) {
    await measure(server, warm, 'warms up');
    /** Alternates with the bare handler. */
    const inTurns = async (body: Mix, rate: number | null): Promise<readonly [bare: Measured, ours: Measured]> => {
      const both = await loadInTurns([bare, tranche], { bodies: bodiesIn(body), rate, seconds });
      return both.map(({ wrong: _, ...result }) => result) as [Measured, Measured];
    };
    for (let round = 1; round <= extent.rounds; round++) {
      for (const body of ['mix', ...KINDS] as const) {
        const [next, ours] = await inTurns(body, null);
        progress(`${body}, round ${round}: ${shown(next.perSecond)}/s, ${server} ${shown(ours.perSecond)}/s`);
        throughput.push({ server: 'bare express', body, ofBare: 1, ...next });
        throughput.push({ server, body, ofBare: ours.perSecond / next.perSecond, ...ours });
      }
    }
    for (const rate of extent.rates) {
      for (let round = 1; round <= extent.rateRounds; round++) {
        const [next, ours] = await inTurns('mix', rate);
        const p99BehindBare = ours.latencyMs.p99 - next.latencyMs.p99;
        progress(
          `${rate}/s, round ${round}: ${server} ${shown(ours.latencyMs.p99)} ms, ${shown(p99BehindBare)} behind`,
        );
        rates.push(
          { server: 'bare express', rate, p99BehindBare: 0, ...next },
          { server, rate, p99BehindBare, ...ours },
        );
      }
      const answered = median(
        rates.filter((one) => one.server === server && one.rate === rate).map((one) => one.perSecond),
      );
      // If it cannot keep up, higher rates give no information.
      if (answered < 0.95 * rate) break;
    }
  }
  for (const bytes of extent.sizes) {
    for (const server of SERVERS.slice(0, 2)) {
      const result = await measure(server, { bodies: [bodyOfSize(bytes)], rate: null, seconds }, `${bytes} bytes`);
      sizes.push({ server, bytes, ...result });
    }
  }
  progress('profiles');
  await setting.policies(true);
  const profile = await program.profile(() => load(tranche, { bodies: bodiesIn('mix'), rate: null, seconds }));
  await program.memory();
  const floods: FloodRun[] = [];
  for (const plan of FLOODS) {
    const what = { bodies: bodiesIn('mix'), rate: FLOOD_RATE, seconds: extent.floodSeconds };
    const { wrong: _, ...result } = await flooded(tranche, plan, what);
    progress(`${plan.kind} on ${plan.connections} connections: p99 of edits ${shown(result.latencyMs.p99)} ms`);
    floods.push({ ...plan, ...result });
  }
  const rssAfter = { bareAfter: sample(bare.pid).rssBytes, after: sample(tranche.pid).rssBytes };
  for (const rollouts of extent.more) await withRollouts(rollouts);
  return {
    pinned: canPin(),
    connections: CONNECTIONS,
    rollouts: extent.rollouts,
    policies: POLICIES,
    bodies: KINDS.map((kind) => ({ kind, bytes: Buffer.byteLength(bodiesOf(kind)[0]!.text) })),
    deployments: bodiesOf(...KINDS).length,
    secondsEach: seconds,
    rounds: extent.rounds,
    rateRounds: extent.rateRounds,
    throughput,
    rates,
    sizes,
    byRollouts,
    shares: sharesOf(profile as CpuProfile),
    floods,
    rssBytes: { ...rssBefore, ...rssAfter },
  };
}

type Measure = (server: ServerName, what: Parameters<typeof load>[1], words: string) => Promise<Measured>;

/** Creates or deletes policies for the server to measure. */
const measurer = ({ bare, tranche, policies }: Setting, progress: (line: string) => void): Measure => {
  return async (name, what, words) => {
    const server: Server = name === 'bare express' ? bare : tranche;
    if (server === tranche) await policies(name === 'tranche, policies');
    const { wrong: _, ...result } = await load(server, what);
    progress(`${name}, ${words}: ${result.perSecond.toFixed(0)}/s, p99 ${result.latencyMs.p99.toFixed(2)} ms`);
    return result;
  };
};

export const admissionBench: Bench<AdmissionData> = {
  name: 'admission',
  title: 'Admission',
  run,
  describe: describeAdmission,
};
