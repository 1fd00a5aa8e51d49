#!/usr/bin/env node
// The entry of `kubectl tranche`: connects the process with runCli, and with the part of the program that a command needs, and sets the exit code.
import { runCli } from './cli/cli.ts';
import { EXIT } from './cli/exit.ts';
import { invocationOf } from './cli/invocation.ts';
import type { Io } from './cli/io.ts';

const STOP_WITHIN_MS = 500;
const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (ending.signal.aborted) process.exit(EXIT.interrupted);
    ending.abort();
    // A command that waits for an answer of the API server does not check the signal.
    setTimeout(() => process.exit(EXIT.interrupted), STOP_WITHIN_MS).unref();
  });
}
// A reader that has seen enough, as in `kubectl tranche list | head -1`, is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.done);
});
// The command still has its result, and its exit code.
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const io: Io = {
  out: (text) => void process.stdout.write(text),
  data: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  env: process.env,
  invocation: invocationOf(process.argv[1] ?? '', process.env),
  terminal: process.stdout.isTTY === true,
  get columns() {
    return process.stdout.columns ?? 80;
  },
  get rows() {
    return process.stdout.rows ?? 24;
  },
  now: () => Date.now(),
  async stdin() {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  },
  signal: ending.signal,
  async drain({ logger, version, ...job }) {
    const [{ runDrain }, { identityOf }] = await Promise.all([import('./app/drain.ts'), import('./app/config.ts')]);
    const config = { ...job, gatewayApi: true, identity: identityOf('drain', process.env) };
    return runDrain({ config, version, logger, signal: ending.signal });
  },
};

/** Not a top-level await, which the one-file plugin cannot have. */
export const ended = runCli(process.argv.slice(2), io).then((code) => {
  process.exitCode = code;
});
