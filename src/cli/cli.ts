// `kubectl tranche` as a function: arguments in, exit code out.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addCommand, type Start } from './command.ts';
import { COMMANDS } from './commands.ts';
import { createContext } from './context.ts';
import { EXIT } from './exit.ts';
import { explainFailure } from './failure.ts';
import { repeated } from './flags.ts';
import type { Io } from './io.ts';
import { guarded } from './paint.ts';
import { versionText } from './text.ts';

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 unusable command line or kubeconfig, 3 timed out, 4 refused (by a policy,
by admission, or because you do not have permission).`;

/** Runs one command. Returns its exit code, and throws only bugs. */
export async function runCli(args: readonly string[], terminal: Io): Promise<number> {
  const io = guarded(terminal);
  let exitCode: number = EXIT.done;
  const start: Start = async (flags, run) => {
    const context = createContext(io, flags, readVersion());
    try {
      exitCode = await run(context);
    } catch (error) {
      const failure = await explainFailure(error);
      io.err(`error: ${failure.message}\n`);
      exitCode = failure.exitCode;
    } finally {
      context.close();
    }
  };
  const program = await createProgram(io, start, args);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander throws for --help, too, with the exit code 0.
    return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  return exitCode;
}

/**
 * The program with its help. Loads only the commands that `words`, the command line, names: the list of commands needs no more than
 * their names and summaries. `start` runs a command. docs/cli.md is generated from this program, too.
 */
export async function createProgram(
  io: Pick<Io, 'out' | 'err'>,
  start: Start,
  words: readonly string[],
): Promise<Command> {
  const program = new Command('kubectl tranche');
  program
    .description('Shows and controls step-by-step releases of Deployments and other workloads.')
    .version(versionText(readVersion()), '--version', 'Show the version of the plugin')
    .option('-n, --namespace <name>', 'Namespace; default: the namespace of the context')
    .option('--no-color', 'No colours. Colours are used only on a terminal, and not if NO_COLOR is set')
    .helpOption('-h, --help', 'Show this help')
    .optionsGroup('Connection options, as in kubectl:')
    .option('--kubeconfig <file>', 'Kubeconfig file; default: $KUBECONFIG, then ~/.kube/config')
    .option('--context <name>', 'Context of the kubeconfig')
    .option('--cluster <name>', 'Cluster of the kubeconfig')
    .option('--user <name>', 'User of the kubeconfig')
    .option('-s, --server <url>', 'Address of the API server')
    .option('--token <token>', 'Bearer token')
    .option('--as <user>', 'User to impersonate')
    .option('--as-group <group>', 'Group to impersonate; may be repeated', repeated)
    .option('--as-uid <uid>', 'UID to impersonate')
    .option('--certificate-authority <file>', 'CA certificate of the API server')
    .option('--client-certificate <file>', 'Client certificate')
    .option('--client-key <file>', 'Key of the client certificate')
    .option('--insecure-skip-tls-verify', 'Do not verify the certificate of the API server (insecure)')
    .option('--tls-server-name <name>', 'Name in the certificate of the API server')
    .option('--request-timeout <time>', 'Timeout of one request, such as 5s; 0 means none (default: "30s")')
    .helpCommand('help [command]', 'Show the help of a command')
    .addHelpText('after', EXIT_CODES)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .configureHelp({ helpWidth: 100, showGlobalOptions: false, subcommandTerm: termOf })
    .showHelpAfterError('(see --help)');
  for (const listed of COMMANDS) {
    const { name, alias = name } = listed;
    const file = words.includes(name) || words.includes(alias) ? await listed.load() : undefined;
    addCommand(program, listed, file, start);
  }
  return program;
}

const termOf = (command: Command): string => [command.name(), ...command.aliases()].join(', ');

/** Set in the one-file plugin, which has no package.json (tools/release). */
declare const TRANCHE_VERSION: string | undefined;

/** From package.json: the same path from src/cli/ and from dist/cli/. */
export function readVersion(): string {
  if (typeof TRANCHE_VERSION === 'string') return TRANCHE_VERSION;
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
