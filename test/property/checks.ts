// Checks in random histories: some releases are watched by a source that fails now and then, and no Pod is granted while a check is Worse.
import type { AnalysisCheck } from '../../src/api/analysis.ts';
import type { CanaryStep } from '../../src/api/types.ts';
import { SimulatedMetrics, type Trouble } from '../operator/metrics.ts';
import type { World } from '../operator/world.ts';

const ERRORS: AnalysisCheck = {
  name: 'errors',
  intervalSeconds: 5,
  warmUpSeconds: 0,
  ratio: { bad: 'bad', total: 'all', limit: '5%' },
};
const TROUBLES: readonly Trouble[] = ['down', 'hang', 'lie', 'empty', 'nan'];
/** Controllers finish what was granted before. */
const UNDER_WAY_MS = 5_000;

export const isChecked = (seed: number): boolean => seed % 4 === 0;

/** The steps and the strategy of a Rollout with a check. */
export const withChecks = (steps: readonly CanaryStep[]): { steps: readonly CanaryStep[]; canary: object } => ({
  steps: steps.map((step, index) => (index % 2 === 0 ? { ...step, analysis: { seconds: 20, minTotal: 0 } } : step)),
  canary: { analysis: [ERRORS] },
});

export class Watched {
  readonly metrics: SimulatedMetrics;
  readonly violations: string[] = [];
  private readonly end: () => void;
  private worse:
    { readonly since: number; readonly runs: string; readonly replicas: number; readonly updated: number } | undefined;

  /** `trouble`: how often a question meets with trouble. */
  constructor(world: World, random: () => number, trouble: () => number) {
    this.metrics = new SimulatedMetrics(world);
    this.metrics.trouble = () => (random() < trouble() ? TROUBLES[Math.floor(random() * TROUBLES.length)] : undefined);
    this.end = world.virtual.observe(() => this.look(world));
  }

  stop(): void {
    this.end();
    this.metrics.end();
  }

  private look(world: World): void {
    const status = world.rolloutOf()?.status;
    const stopped =
      status?.phase === 'Progressing' &&
      status.canaryStatus?.currentStepState === 'StepPaused' &&
      status.canaryStatus.analysis?.some(({ verdict, acceptedBy }) => verdict === 'Worse' && acceptedBy === undefined);
    if (!stopped || !world.held) {
      this.worse = undefined;
      return;
    }
    const replicas = world.deployment.spec.replicas ?? 1;
    const updated = world.sizes[world.runs] ?? 0;
    const { runs, now } = world;
    // Pods of a version that comes back may exist already.
    if (this.worse?.replicas !== replicas || this.worse.runs !== runs)
      this.worse = { since: now, runs, replicas, updated };
    else if (world.now - this.worse.since <= UNDER_WAY_MS) this.worse = { ...this.worse, updated };
    else if (updated > this.worse.updated)
      this.violations.push(`${updated} Pods of ${world.runs} instead of ${this.worse.updated}, while a check is Worse`);
  }
}
