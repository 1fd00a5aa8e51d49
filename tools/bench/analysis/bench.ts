// Measures the analysis of releases: the judgement of a very large Deployment, and many releases with checks at once.
import { fileURLToPath } from 'node:url';
import type { AnalysisCheck } from '../../../src/api/analysis.ts';
import { run } from '../../../test/support/processes.ts';
import type { Bench } from '../bench.ts';
import { startChild } from '../child.ts';
import { measureReleases, type ReleaseFigure, type ReleaseOptions } from '../operator/measure.ts';
import { imageFlags } from '../plain.ts';
import { describeAnalysis } from './describe.ts';
import type { FoldFigure, FoldOptions } from './fold.ts';
import { BAD, TOTAL } from './pods.ts';

export interface AnalysisData {
  readonly folds: readonly FoldFigure[];
  /** The same run without and with checks. */
  readonly without: ReleaseFigure;
  readonly with: ReleaseFigure;
}

const LARGE = { fresh: 1_000, stable: 9_000, looks: 60 } as const;
/** Four hours of a Deployment of usual size: one question is about many looks. */
const USUAL = { fresh: 30, stable: 270, looks: 480 } as const;
const FOLDS: readonly FoldOptions[] = [
  { ...LARGE, live: true },
  { ...LARGE, live: false },
  { ...USUAL, live: false },
];

/** Two checks that have one of their selectors in common. */
const CHECKS: readonly AnalysisCheck[] = [
  { name: 'errors', intervalSeconds: 30, ratio: { bad: BAD, total: TOTAL, limit: '1%', timesStable: 2 } },
  {
    name: 'timeouts',
    intervalSeconds: 30,
    ratio: { bad: 'http_requests_total{code=~"504"}', total: TOTAL, limit: '1%' },
  },
];

/** As many Pods become Ready per second as in the bench of the operator. All releases are in progress before the first one ends. */
const SETUP = { replicas: 9, jitter: [0.25, 1.75], perSecond: 4 } as const;
const FULL: ReleaseOptions = { ...SETUP, releases: 1_000, readyMs: 81_000, timeoutSeconds: 1_200 };
const QUICK: ReleaseOptions = { ...SETUP, releases: 100, readyMs: 6_000, timeoutSeconds: 120 };

const root = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

export const analysisBench: Bench<AnalysisData> = {
  name: 'analysis',
  title: 'Analysis',
  async run({ quick, progress }) {
    progress('compiling the program as for the image');
    const args = [root('node_modules/typescript/bin/tsc'), '-p', root('tsconfig.build.json')];
    const built = await run(process.execPath, args, { timeoutSeconds: 180 });
    if (built.code !== 0) throw new Error(`the program does not compile:\n${built.stdout}`);
    const folds: FoldFigure[] = [];
    for (const options of FOLDS) {
      const figure = await measureFold(options);
      progress(
        `${options.fresh + options.stable} Pods ${options.live ? 'live' : 'again'}: ${figure.lookMs.p50.toFixed(1)} ms of CPU time a look`,
      );
      folds.push(figure);
    }
    const options = quick ? QUICK : FULL;
    const without = await measureReleases(options, progress);
    return { folds, without, with: await measureReleases({ ...options, checks: CHECKS }, progress) };
  },
  describe: describeAnalysis,
};

/** In a process with the flags of the image, because its heap decides how often garbage is collected. */
async function measureFold(options: FoldOptions): Promise<FoldFigure> {
  const nodeFlags = ['--disable-warning=ExperimentalWarning', ...imageFlags(), '--expose-gc'];
  const script = new URL('./fold.ts', import.meta.url);
  const child = await startChild<FoldFigure>('fold', script, [JSON.stringify(options)], { core: 1, nodeFlags });
  return child.said;
}
