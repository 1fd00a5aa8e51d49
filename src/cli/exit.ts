// The exit codes of the plugin, and an error with an exit code.

/** Scripts depend on these codes (docs/cli.md). Do not change them. */
export const EXIT = {
  /** Done, or nothing to do. */
  done: 0,
  /** The release failed, a file has errors, or the cluster is unreachable. */
  failed: 1,
  /** The command line or the kubeconfig is not usable. */
  usage: 2,
  /** --timeout is over. */
  timedOut: 3,
  /** The cluster refuses the request: by policy, by admission, or because the user does not have permission. */
  refused: 4,
  /** Ctrl-C: 128 + SIGINT, as in shells. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with a message for the user. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = EXIT.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

export const usageError = (message: string): CliError => new CliError(message, EXIT.usage);
