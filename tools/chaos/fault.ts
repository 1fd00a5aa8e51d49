// What a fault is: where it is played, its runs, and what comes of each.
import type { Stage, StageOptions } from './stage.ts';

export interface Run {
  /** What is different about this run, e.g. "silence for 60 s". */
  readonly what: string;
  /** Also played in `make test`; `only`: nowhere else. */
  readonly short?: boolean | 'only';
  /**
   * Does the harm and sees that the release goes on and ends right; rejects when it does not. `recovered` hears, each time, how many
   * seconds it took from the moment nothing was broken from outside any more until the release had gone on: its batch was done, or
   * what the user asked for was taken.
   */
  play(stage: Stage, recovered: (seconds: number) => void): Promise<void>;
}

export interface Fault {
  readonly name: string;
  /** For the report: what is done. */
  readonly title: string;
  readonly stage?: Omit<StageOptions, 'seed'>;
  /** A client edits, approves and scales other Deployments all the time meanwhile. Default true. */
  readonly client?: boolean;
  readonly runs: readonly Run[];
}
