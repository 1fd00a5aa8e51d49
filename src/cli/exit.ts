// How a command ends: the exit codes that CI reads, and an error that carries one.

/** Documented in docs/cli.md; they do not change. */
export const EXIT = {
  /** What was asked for is done, or is so already. */
  done: 0,
  /** It failed: the release did, a file has mistakes, the cluster cannot be reached. */
  failed: 1,
  /** The command line or the kubeconfig cannot be used. */
  usage: 2,
  /** Not over within --timeout. */
  timedOut: 3,
  /** The cluster refuses it: by policy, by admission, or because you may not. */
  refused: 4,
  /** Ctrl-C, as shells count it. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with one sentence for its user. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = EXIT.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

export const usageError = (message: string): CliError => new CliError(message, EXIT.usage);
