// The interface of a fault: its stage, its runs and their results.
import type { Stage, StageOptions } from './stage.ts';

export interface Run {
  /** Describes the run, e.g. "silence for 60 s". */
  readonly what: string;
  /** True if `make test` also plays this run. `only` = only `make test` plays it. */
  readonly short?: boolean | 'only';
  /**
   * Injects the fault, and checks that the release continues and ends correctly. Rejects if it does not. `recovered` is called with the
   * seconds from the end of the fault until the release has continued: its batch is done, or the user's change is accepted.
   */
  play(stage: Stage, recovered: (seconds: number) => void): Promise<void>;
}

export interface Fault {
  readonly name: string;
  /** Title in the report. */
  readonly title: string;
  readonly stage?: Omit<StageOptions, 'seed'>;
  /** True if a client edits, approves and scales other Deployments during the fault. Default true. */
  readonly client?: boolean;
  readonly runs: readonly Run[];
}
