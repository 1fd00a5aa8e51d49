// What a file of src/cli/commands says of its command, and how it becomes one of the program.
import type { Command } from 'commander';
import type { Context } from './context.ts';
import { repeated, type Described, type GlobalFlags } from './flags.ts';

/**
 * One command: its help, its flags and what it does. All of these files are loaded to show the help of any, so they import nothing that
 * takes long: the cluster comes from the context; what reads YAML, checks schemas or talks with the API server is imported when it runs.
 */
export interface CommandFile<Flags extends object, Args extends readonly unknown[]> {
  readonly name: string;
  readonly alias?: string;
  /** In the list of commands. */
  readonly summary: string;
  /** In its own help. */
  readonly description: string;
  readonly arguments?: readonly (Described | readonly [syntax: string])[];
  readonly options?: readonly Option[];
  readonly examples?: readonly string[];
  /** It asks no cluster, so its help does not name the flags that choose one. */
  readonly offline?: true;
  /** Neither shown nor refused anything: programs call it. */
  readonly hidden?: true;
  /** After the arguments comes the program that the command is of. The answer is the exit code; throws CliError, and what the cluster says. */
  run(context: Context, flags: Flags, ...args: Args): Promise<number>;
}

/** With how often it may be given, or its default, where that is not once and none. */
type Option = Described | readonly [...Described, { readonly repeated?: true; readonly default?: string }];

export type AnyCommand = CommandFile<GlobalFlags, unknown[]>;

/** Flags and arguments have the types that `run` gives them: commander delivers what `options` and `arguments` say. */
export const defineCommand = <Flags extends object, Args extends readonly unknown[]>(
  file: CommandFile<Flags, Args>,
): AnyCommand => file as unknown as AnyCommand;

/** Makes a context for the flags, runs the command in it, and reports how it ends. */
export type Start = (flags: GlobalFlags, run: (context: Context) => Promise<number>) => Promise<void>;

const COMMON = '\n-n, --namespace, --context and what else every command takes: kubectl tranche --help';

export function addCommand(program: Command, file: AnyCommand, start: Start): void {
  const command = program.command(file.name, { hidden: file.hidden === true });
  command.summary(file.summary).description(file.description);
  if (file.alias !== undefined) command.alias(file.alias);
  for (const [syntax, help] of file.arguments ?? []) command.argument(syntax, help);
  for (const [syntax, help, more] of file.options ?? []) {
    if (more?.repeated) command.option(syntax, help, repeated);
    else command.option(syntax, help, more?.default);
  }
  if (file.examples)
    command.addHelpText('after', `\nExamples:\n${file.examples.map((line) => `  ${line}`).join('\n')}`);
  if (file.hidden) command.allowUnknownOption().helpOption(false);
  else if (!file.offline) command.addHelpText('after', COMMON);
  command.action(async (...params: unknown[]) => {
    const args = params.slice(0, -2);
    const flags = command.optsWithGlobals<GlobalFlags>();
    await start(flags, (context) => file.run(context, flags, ...args, program));
  });
}
