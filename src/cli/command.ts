// The shape of a file in src/cli/commands, and how it becomes a command of the program.
import type { Command } from 'commander';
import type { Context } from './context.ts';
import { repeated, type Described, type GlobalFlags } from './flags.ts';

/**
 * One command: its help, its flags and its action. The file is also loaded to show its help, so it imports nothing that loads slowly:
 * `context.cluster()` connects, and the action imports YAML, schemas and large parts of the engine itself.
 */
export interface CommandFile<Flags extends object, Args extends readonly unknown[]> {
  readonly description: string;
  readonly arguments?: readonly (Described | readonly [syntax: string])[];
  readonly options?: readonly Option[];
  readonly examples?: readonly string[];
  /** The command uses no cluster, so its help does not mention the global options. */
  readonly offline?: true;
  /** Receives the arguments and, as the last one, the program. Returns the exit code. Throws CliError and errors of the API server. */
  run(context: Context, flags: Flags, ...args: Args): Promise<number>;
}

/** `repeated`: may be given more than once. `default`: the value if it is not given. */
type Option = Described | readonly [...Described, { readonly repeated?: true; readonly default?: string }];

export type AnyCommand = CommandFile<GlobalFlags, unknown[]>;

/** What the list of commands needs to know about one. */
export interface ListedCommand {
  readonly name: string;
  readonly alias?: string;
  /** One line. */
  readonly summary: string;
  /** No help, and unknown options are arguments: only programs call the command. */
  readonly hidden?: true;
  load(): Promise<AnyCommand>;
}

/** Commander passes the flags and arguments that `options` and `arguments` declare, so `run` may name their types. */
export const defineCommand = <Flags extends object, Args extends readonly unknown[]>(
  file: CommandFile<Flags, Args>,
): AnyCommand => file as unknown as AnyCommand;

/** Creates a context for the flags, runs the command in it, and reports the result. */
export type Start = (flags: GlobalFlags, run: (context: Context) => Promise<number>) => Promise<void>;

const COMMON = '\nUse "kubectl tranche --help" for options of all commands, such as --namespace and --context.';

/** `file`: undefined for a command that is only listed. */
export function addCommand(program: Command, listed: ListedCommand, file: AnyCommand | undefined, start: Start): void {
  const { name, alias, summary, hidden = false } = listed;
  const command = program.command(name, { hidden }).summary(summary);
  if (alias !== undefined) command.alias(alias);
  if (!file) return;
  command.description(file.description);
  for (const [syntax, help] of file.arguments ?? []) command.argument(syntax, help);
  for (const [syntax, help, more] of file.options ?? []) {
    if (more?.repeated) command.option(syntax, help, repeated);
    else command.option(syntax, help, more?.default);
  }
  if (file.examples)
    command.addHelpText('after', `\nExamples:\n${file.examples.map((line) => `  ${line}`).join('\n')}`);
  if (hidden) command.allowUnknownOption().helpOption(false);
  else if (!file.offline) command.addHelpText('after', COMMON);
  command.action(async (...params: unknown[]) => {
    const args = params.slice(0, -2);
    const flags = command.optsWithGlobals<GlobalFlags>();
    await start(flags, (context) => file.run(context, flags, ...args, program));
  });
}
