#!/usr/bin/env node
// The entry point: reads the configuration, runs until a signal, and is the only file that exits the process. With a command of
// `kubectl tranche`, it runs that command.
import { readFileSync } from 'node:fs';
import './kube/older-node.ts';
import type { Config } from './app/config.ts';
import type { Run } from './app/run.ts';
import type { Logger } from './telemetry/logger.ts';

/** Exit code for invalid flags, variables or files. */
const EXIT_USAGE = 2;
/** Timeout of a graceful shutdown. Shorter than the termination grace period in the chart (45 s). */
const STOP_WITHIN_MS = 30_000;

/** Prints the error as one line, and sets the exit code. */
function refuse(error: Error): void {
  process.stderr.write(`tranche: ${error.message}\n`);
  process.exitCode = EXIT_USAGE;
}

async function run(config: Config): Promise<void> {
  const { createLogger } = await import('./telemetry/logger.ts');
  const { StartError } = await import('./app/preflight.ts');
  const { ConnectionError } = await import('./kube/connection.ts');
  const logger = createLogger(config.logLevel);
  const ending = new AbortController();
  endOnSignals(ending, logger);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      // The state of the process is unknown, so it exits. The next process reads the current state and continues.
      logger.error('unexpected error, exiting; please report this bug', { event, error });
      process.exit(1);
    });
  }
  try {
    const what = await commandOf(config);
    await what({ config, version: readVersion(), logger, signal: ending.signal });
  } catch (error) {
    if (error instanceof StartError || error instanceof ConnectionError) return refuse(error);
    logger.error('the program failed', { error });
    process.exitCode = 1;
  }
}

async function commandOf({ command }: Config): Promise<(run: Run) => Promise<unknown>> {
  switch (command) {
    case 'run':
      return (await import('./app/run.ts')).runProgram;
    case 'drain':
      return (await import('./app/drain.ts')).runDrain;
    case 'certificates':
      return (await import('./app/certificates.ts')).runCertificates;
  }
}

function endOnSignals(ending: AbortController, logger: Logger): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (ending.signal.aborted) {
        logger.warn('second signal, exiting immediately', { signal });
        process.exit(1);
      }
      ending.abort();
      setTimeout(() => {
        logger.error('shutdown timed out');
        process.exit(1);
      }, STOP_WITHIN_MS).unref();
    });
  }
}

/** package.json has the same relative path from src/ and from dist/. */
function readVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

async function start(args: readonly string[]): Promise<void> {
  const { ConfigError, readConfig, usage } = await import('./app/config.ts');
  try {
    const config = readConfig(args, process.env);
    if (config === 'help') process.stdout.write(usage());
    else await run(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    refuse(error);
  }
}

const args = process.argv.slice(2);
const [first] = args;
if (first === undefined || first === 'drain' || first === 'certificates' || first.startsWith('-')) await start(args);
else await import('./plugin.ts');
