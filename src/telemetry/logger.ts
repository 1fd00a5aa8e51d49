// The log: one line of JSON per event, with a constant message and fields.
import winston from 'winston';
import { plain } from './redact.ts';
import { OncePerTurn } from './batched-writes.ts';

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

/** Writes to the stream, by default stdout; there once a turn of the event loop, but warnings and errors at once: the process may end. */
export function createLogger(level: LogLevel, stream: NodeJS.WritableStream = new OncePerTurn(process.stdout)): Logger {
  const sink = winston.createLogger({
    level,
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    transports: [new winston.transports.Stream({ stream, eol: '\n' })],
    // The line is ready: winston's own JSON prints a nested error as {}.
    format: winston.format.printf((info) => String(info['line'])),
  });
  const make = (bound: Fields): Logger => {
    const write =
      (name: LogLevel) =>
      (message: string, fields: Fields = {}): void => {
        if (!sink.isLevelEnabled(name)) return;
        const all = plain({ ...bound, ...fields }) as object;
        const line = JSON.stringify({ time: new Date().toISOString(), level: name, message, ...all });
        sink.log({ level: name, message: '', line });
        if (stream instanceof OncePerTurn && (name === 'error' || name === 'warn')) stream.flush();
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
