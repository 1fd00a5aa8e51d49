// The logger interface that src/kube uses. telemetry/logger.ts implements it.

/** Plain values and errors. Never contains objects of the cluster, tokens or Secrets. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** Returns a logger that adds these fields to each line. */
  child(fields: Fields): Logger;
}

/** A logger that discards everything. */
export const silent: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silent,
};
