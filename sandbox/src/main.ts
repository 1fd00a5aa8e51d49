// `npm run sandbox -- --port 6443 --kubeconfig FILE [--ready-ms 300] [--data FOLDER] [--serve] [--metrics-api]`: the embedded cluster as a program.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DataError } from './data.ts';
import { startSandbox, type Sandbox } from './index.ts';
import { answers, readKubeconfig, writeKubeconfig } from './server/kubeconfig.ts';

/** How a user writes each setting: as a variable of make when make starts the program, otherwise as a flag. */
const BY_MAKE = process.env.STARTED_BY === 'make';
const write = BY_MAKE
  ? {
      kubeconfig: 'SANDBOX_KUBECONFIG=FILE',
      port: 'PORT',
      freePort: 'PORT=0',
      second: 'make sandbox PORT=0 SANDBOX_KUBECONFIG=FILE',
      usage:
        'make sandbox [PORT=6443] [SANDBOX_KUBECONFIG=FILE] [ARGS="--ready-ms 300 --data FOLDER --serve --metrics-api"]',
    }
  : {
      kubeconfig: '--kubeconfig FILE',
      port: '--port',
      freePort: '--port 0',
      second: 'npm run sandbox -- --port 0 --kubeconfig FILE',
      usage:
        'npm run sandbox -- --kubeconfig FILE [--port 6443] [--ready-ms 300] [--data FOLDER] [--serve] [--metrics-api]',
    };

class UserError extends Error {}

interface Arguments {
  /** An absolute path. */
  kubeconfig: string;
  port: number;
  readyMs: number;
  data: string | undefined;
  serve: boolean;
  metricsApi: boolean;
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
        serve: { type: 'boolean', default: false },
        'metrics-api': { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    throw new UserError(`${(error as Error).message}\nusage: ${write.usage}`);
  }
  const kubeconfig = values.kubeconfig;
  if (typeof kubeconfig !== 'string' || !kubeconfig) {
    throw new UserError(`${write.kubeconfig} is required. usage: ${write.usage}`);
  }
  return {
    kubeconfig: path.resolve(kubeconfig),
    port: readNumber(write.port, values.port, 0, 65535),
    readyMs: readNumber('--ready-ms', values['ready-ms'], 0, 3_600_000),
    data: values.data as string | undefined,
    serve: values.serve === true,
    metricsApi: values['metrics-api'] === true,
  };
}

function readNumber(name: string, text: unknown, min: number, max: number): number {
  const value = /^\d+$/.test(String(text)) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new UserError(`invalid ${name} ${JSON.stringify(text)}: must be a whole number from ${min} to ${max}`);
}

async function start({ kubeconfig, data, ...options }: Arguments): Promise<Sandbox> {
  await refuseKubeconfigInUse(kubeconfig);
  const { port } = options;
  const say = (text: string): void => console.error(`sandbox: ${text}`);
  try {
    return await startSandbox({ ...options, say, ...(data ? { data } : {}) });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof DataError) throw new UserError(error.message);
    if (code === 'EADDRINUSE') {
      throw new UserError(
        `port ${port} is in use: stop the program that uses it, or choose another port with ${write.port} (${write.freePort} picks a free one)`,
      );
    }
    if (code === 'EACCES')
      throw new UserError(`no permission to open port ${port}: choose one above 1023 with ${write.port}`);
    throw error;
  }
}

/** The kubeconfig of a cluster that runs, or one of another cluster, is never overwritten. */
async function refuseKubeconfigInUse(file: string): Promise<void> {
  const found = readKubeconfig(file);
  if (found === 'other')
    throw new UserError(`${file} exists and is not from this program: write another file with ${write.kubeconfig}`);
  if (found !== undefined && (await answers(found)))
    throw new UserError(
      `the cluster of this kubeconfig is running at ${found.url}: export KUBECONFIG=${quoted(file)}\n` +
        `For a second cluster, write another file: ${write.second}`,
    );
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
      `cannot write ${args.kubeconfig} (${(error as Error).message}): use a file in an existing, writable folder, with ${write.kubeconfig}`,
    );
  }
  process.once('SIGINT', () => end(0));
  process.once('SIGTERM', () => end(0));
  console.log(
    `sandbox ready at ${sandbox.url} (for trying and testing only): export KUBECONFIG=${quoted(args.kubeconfig)}`,
  );
}

/** As a word of the shell. */
const quoted = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

main().catch((error: unknown) => {
  console.error(error instanceof UserError ? `sandbox: ${error.message}` : error);
  process.exit(error instanceof UserError ? 2 : 1);
});
