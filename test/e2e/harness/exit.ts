// How a command of ours ends when it fails: a clear line, nothing left running, and an exit code that says whose fault it is.
import { endAll, ServiceError, wasInterrupted } from '../../support/processes.ts';
import { ToolError } from '../../support/tools.ts';
import { InputError } from './cluster.ts';

/** 2: something that we need is missing or wrong, and the line says what to do. 1: what was promised did not happen. */
export async function reportAndExit(error: unknown): Promise<void> {
  if (wasInterrupted()) return; // The signal handler is ending everything, and then us.
  const usage = error instanceof InputError || error instanceof ToolError || error instanceof ServiceError;
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  await endAll();
  process.exit(usage ? 2 : 1);
}
