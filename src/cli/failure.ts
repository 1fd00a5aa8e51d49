// Converts errors into a message and an exit code.
import { Refusal } from '../view/act/refusal.ts';
import { CliError, EXIT } from './exit.ts';
import { oneLine } from './paint.ts';

/** Throws the error again if it is a bug. */
export async function explainFailure(error: unknown): Promise<{ message: string; exitCode: number }> {
  if (error instanceof CliError) return { message: oneLine(error.message), exitCode: error.exitCode };
  if (error instanceof Refusal) return { message: oneLine(error.message), exitCode: EXIT.failed };
  const { ApiError, NetworkError } = await import('../kube/errors.ts');
  if (error instanceof Error && error.name === 'ConnectionError')
    return { message: error.message, exitCode: EXIT.usage };
  if (error instanceof Error && error.name === 'PathError') return { message: error.message, exitCode: EXIT.usage };
  if (error instanceof Error && error.name === 'WrongObjectError')
    return { message: error.message, exitCode: EXIT.failed };
  if (error instanceof NetworkError) return { message: error.message, exitCode: EXIT.failed };
  if (error instanceof ApiError) {
    const denied = /^admission webhook "[^"]*" denied the request: /.exec(error.message);
    const message = denied ? error.message.slice(denied[0].length) : error.message;
    // A ValidatingAdmissionPolicy refuses with 422.
    const byPolicy = message.includes("ValidatingAdmissionPolicy '") && message.includes('denied request');
    if (denied || byPolicy || error.code === 403) return { message, exitCode: EXIT.refused };
    if (error.code === 401) return { message: `${message}: log in to the cluster again`, exitCode: EXIT.usage };
    if (message.includes('failed calling webhook')) {
      return { message: `${message}; to find the cause: kubectl tranche doctor`, exitCode: EXIT.failed };
    }
    return { message, exitCode: EXIT.failed };
  }
  throw error;
}
