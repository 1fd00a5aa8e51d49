// The terminal, or what stands in for it: everything a command sees of the process it runs in.

export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** To standard output, for machines. */
  data(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Standard output is a terminal: pictures that change in place, and colours. */
  readonly terminal: boolean;
  readonly columns: number;
  readonly rows: number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** All of standard input. */
  stdin(): Promise<string>;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
}
