// Arguments in, exit code out: the frame of `kubectl tranche`.
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

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 the command line or kubeconfig cannot be used, 3 timed out, 4 refused (by policy, by
admission, or because you may not).`;

/** Runs one command to its end. Throws only what is a bug. */
export async function runCli(args: readonly string[], terminal: Io): Promise<number> {
  const io = guarded(terminal);
  let exitCode: number = EXIT.done;
  const program = createProgram(io, async (flags, run) => {
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
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help that was asked for ends well; asking for nothing, or for what is not there, does not.
    return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  return exitCode;
}

/** The commands with their help; `start` runs one. Also what docs/cli.md is made from. */
export function createProgram(io: Pick<Io, 'out' | 'err'>, start: Start): Command {
  const program = new Command('kubectl tranche');
  program
    .description('See, understand and decide releases of Deployments that go batch by batch.')
    .option('-n, --namespace <name>', 'namespace; else that of the context')
    .option('--no-color', 'no colours; they are on a terminal only, and never with NO_COLOR')
    .helpOption('-h, --help', 'show this')
    .optionsGroup('As in kubectl:')
    .option('--kubeconfig <file>', 'kubeconfig; else the files of $KUBECONFIG, else ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--cluster <name>', 'cluster of the kubeconfig')
    .option('--user <name>', 'user of the kubeconfig')
    .option('-s, --server <url>', 'address of the API server')
    .option('--token <token>', 'bearer token')
    .option('--as <user>', 'act as somebody else')
    .option('--as-group <group>', 'as a member of this group; may be repeated', repeated)
    .option('--as-uid <uid>', 'with this UID')
    .option('--certificate-authority <file>', 'whom to trust')
    .option('--client-certificate <file>', 'who you are')
    .option('--client-key <file>', 'and its key')
    .option('--insecure-skip-tls-verify', 'trust whoever answers')
    .option('--tls-server-name <name>', 'name that the certificate of the server has')
    .option('--request-timeout <time>', 'for one request, such as 5s; 0 is no limit (default: "30s")')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText('after', EXIT_CODES)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .configureHelp({ helpWidth: 100, showGlobalOptions: false })
    .showHelpAfterError('(see --help)');
  for (const file of COMMANDS) addCommand(program, file, start);
  return program;
}

/** The same file from src/cli/ and from dist/cli/. */
export function readVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
