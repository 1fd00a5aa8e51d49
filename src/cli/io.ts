// The terminal and the process, as a command sees them. Tests replace this object.

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
}
