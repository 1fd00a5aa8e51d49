// `npm run sandbox -- --port 6443 --kubeconfig FILE [--ready-ms 300] [--data FOLDER]`: the embedded cluster as a program.
import { parseArgs } from 'node:util';
import { DataError } from './data.ts';
import { startSandbox, type Sandbox } from './index.ts';
import { writeKubeconfig } from './server/kubeconfig.ts';

const USAGE = 'usage: npm run sandbox -- --kubeconfig FILE [--port 6443] [--ready-ms 300] [--data FOLDER]';

class UserError extends Error {}

interface Arguments {
  kubeconfig: string;
  port: number;
  readyMs: number;
  data: string | undefined;
}

function readArguments(args: string[]): Arguments {
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        kubeconfig: { type: 'string' },
        port: { type: 'string', default: '6443' },
        'ready-ms': { type: 'string', default: '300' },
        data: { type: 'string' },
      },
    }));
  } catch (error) {
    throw new UserError(`${(error as Error).message}\n${USAGE}`);
  }
  const kubeconfig = values.kubeconfig;
  if (typeof kubeconfig !== 'string' || !kubeconfig) {
    throw new UserError(`--kubeconfig is required. ${USAGE}`);
  }
  return {
    kubeconfig,
    port: readNumber('--port', values.port, 0, 65535),
    readyMs: readNumber('--ready-ms', values['ready-ms'], 0, 3_600_000),
    data: values.data as string | undefined,
  };
}

function readNumber(name: string, text: unknown, min: number, max: number): number {
  const value = /^\d+$/.test(String(text)) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new UserError(`invalid ${name} ${JSON.stringify(text)}: must be a whole number from ${min} to ${max}`);
}

async function start({ port, readyMs, data }: Arguments): Promise<Sandbox> {
  try {
    return await startSandbox({ port, readyMs, ...(data ? { data } : {}) });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof DataError) throw new UserError(error.message);
    if (code === 'EADDRINUSE') {
      throw new UserError(
        `port ${port} is in use: stop the program that uses it, or choose another port with --port (0 picks a free one)`,
      );
    }
    if (code === 'EACCES') throw new UserError(`no permission to open port ${port}: choose one above 1023 with --port`);
    throw error;
  }
}

async function main(): Promise<void> {
  const args = readArguments(process.argv.slice(2));
  const sandbox = await start(args);
  const end = (code: number): void => {
    void sandbox.close().finally(() => process.exit(code));
  };
  try {
    writeKubeconfig(args.kubeconfig, sandbox.kubeconfig);
  } catch (error) {
    await sandbox.close();
    throw new UserError(
      `cannot write ${args.kubeconfig} (${(error as Error).message}): use a file in an existing, writable folder`,
    );
  }
  process.once('SIGINT', () => end(0));
  process.once('SIGTERM', () => end(0));
  console.log(`sandbox ready at ${sandbox.url} (for trying and testing only): export KUBECONFIG=${args.kubeconfig}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof UserError ? `sandbox: ${error.message}` : error);
  process.exit(error instanceof UserError ? 2 : 1);
});
