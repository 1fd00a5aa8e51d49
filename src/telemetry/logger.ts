// The log: one line of JSON per event, with a constant message and fields.
import winston from 'winston';
import { redact } from './redact.ts';
import { BatchedWrites } from './batched-writes.ts';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type Fields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  child(fields: Fields): Logger;
}

/** Writes to the stream, by default to stdout in batches. Warnings and errors are written at once, because the process may end. */
export function createLogger(
  level: LogLevel,
  stream: NodeJS.WritableStream = new BatchedWrites(process.stdout),
): Logger {
  const sink = winston.createLogger({
    level,
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    transports: [new winston.transports.Stream({ stream, eol: '\n' })],
    // Uses the prepared line, because winston's own JSON prints a nested error as {}.
    format: winston.format.printf((info) => String(info['line'])),
  });
  const make = (bound: Fields): Logger => {
    const write =
      (name: LogLevel) =>
      (message: string, fields: Fields = {}): void => {
        if (!sink.isLevelEnabled(name)) return;
        const all = redact({ ...bound, ...fields }) as object;
        const line = JSON.stringify({ time: new Date().toISOString(), level: name, message, ...all });
        sink.log({ level: name, message: '', line });
        if (stream instanceof BatchedWrites && (name === 'error' || name === 'warn')) stream.flush();
      };
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      child: (fields) => make({ ...bound, ...fields }),
    };
  };
  return make({});
}
