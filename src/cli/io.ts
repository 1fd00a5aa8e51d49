// The terminal and the process, as a command sees them. Tests replace this object.
import type { Source } from '../kube/connection.ts';
import type { Overrides } from '../kube/kubeconfig.ts';
import type { Logger } from '../kube/log.ts';

export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** Writes to standard output, for programs. */
  data(text: string): void;
  /** How the user runs the plugin: `kubectl tranche`, or `node FILE`. */
  readonly invocation: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Standard output is a terminal: commands use colours and update in place. */
  readonly terminal: boolean;
  readonly columns: number;
  readonly rows: number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Reads all of standard input. */
  stdin(): Promise<string>;
  /** Aborted on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Gives all workloads back (src/app). Returns how many. */
  drain(job: DrainJob): Promise<{ readonly deployments: number; readonly rollouts: number }>;
}

/** A drain as the command line describes it. */
export interface DrainJob {
  readonly cluster: Source;
  readonly overrides: Overrides;
  /** Namespace and name of the Lease. */
  readonly namespace: string;
  readonly lease: string;
  /** Empty = all. */
  readonly watchNamespaces: readonly string[];
  /** Workloads of OpenKruise, too. */
  readonly openkruise: boolean;
  readonly held: 'Finish' | 'Rollback';
  readonly timeoutSeconds: number;
  readonly logger: Logger;
  readonly version: string;
}
