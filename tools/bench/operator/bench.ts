// Measures the operator: its costs while idle, and with many releases at once.
import type { Bench } from '../bench.ts';
import { builtProgram } from '../plain.ts';
import { describeOperator } from './describe.ts';
import { measureIdle, measureReleases, type IdleData, type ReleaseFigure, type ReleaseOptions } from './measure.ts';

export interface OperatorData {
  readonly idle: IdleData;
  readonly releases: readonly ReleaseFigure[];
}

const STEPS = { replicas: 30, jitter: [0.25, 1.75] } as const;
/** Releases start at a rate. With more releases the Pods are slower, so that the embedded cluster, a single process, can keep up. */
const PACE = 4;
const FULL: readonly ReleaseOptions[] = [
  { ...STEPS, releases: 10, perSecond: PACE, readyMs: 10_000, timeoutSeconds: 120 },
  { ...STEPS, releases: 100, perSecond: PACE, readyMs: 45_000, timeoutSeconds: 420 },
  { ...STEPS, releases: 1_000, perSecond: PACE, readyMs: 270_000, timeoutSeconds: 2_400 },
  { ...STEPS, releases: 100, perSecond: 0, readyMs: 10_000, timeoutSeconds: 180 },
];
const QUICK: readonly ReleaseOptions[] = [
  { ...STEPS, releases: 10, perSecond: PACE, readyMs: 2_000, timeoutSeconds: 60 },
];

export const operatorBench: Bench<OperatorData> = {
  name: 'operator',
  title: 'Operator',
  async run({ quick, progress }) {
    progress('compiling the program as for the image');
    await builtProgram();
    const idle = await measureIdle(quick ? [10, 100] : [100, 1_000, 10_000], quick ? 10 : 30, progress);
    const releases: ReleaseFigure[] = [];
    for (const options of quick ? QUICK : FULL) releases.push(await measureReleases(options, progress));
    return { idle, releases };
  },
  describe: describeOperator,
};
