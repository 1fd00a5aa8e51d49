// `kubectl-tranche __complete`: completes command lines for all shells.
import type { Command, Option } from 'commander';
import { NAMESPACES } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import { workloadArgument } from '../../engine/lib/text.ts';
import { stepsOf } from '../../view/state.ts';
import { defineCommand } from '../command.ts';
import { createContext, type Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import type { GlobalFlags } from '../flags.ts';
import type { Io } from '../io.ts';
import { getRollout, listRollouts } from '../resources.ts';
import { listWorkloads, resourceNamed } from '../workloads.ts';
import { SHELLS } from './completion.ts';

export const complete = defineCommand({
  description: '',
  arguments: [['[words...]']],
  run: printCandidates,
});

const NAMES_WITHIN_MS = 3000;

/** Prints one candidate per line. `typed`: the words so far; the last one is completed. */
async function printCandidates(
  { io, version }: Context,
  _: object,
  typed: readonly string[],
  program: Command,
): Promise<number> {
  // bash splits `--flag=value` into three words.
  const words = typed.filter((word, i) => word !== '=' || !typed[i - 1]?.startsWith('--'));
  const written = typed.at(-1) === '=' && words.length < typed.length ? '' : (words.at(-1) ?? '');
  const before = typed.at(-1) === '=' && words.length < typed.length ? words : words.slice(0, -1);
  const [, joined, value] = /^(--[\w-]+=)(.*)$/.exec(written) ?? [];
  const current = value ?? written;
  const { command, args } = parseWords(program, before);
  const pending = optionOf(program, command, joined?.slice(0, -1) ?? before.at(-1) ?? '');
  const ask: Ask = (what) => names(io, version, before, what);
  const { registeredArguments: known } = command;
  const argument = known[args.length] ?? (known.at(-1)?.variadic ? known.at(-1) : undefined);
  let candidates: readonly string[] = [];
  if (pending && (joined !== undefined || takesValue(pending))) candidates = await valuesOf(pending, ask, args);
  else if (joined !== undefined) candidates = [];
  else if (current.startsWith('-')) candidates = options(program, command).map(({ long }) => long ?? '');
  else if (command === program)
    candidates = program
      .createHelp()
      .visibleCommands(program)
      .map((one) => one.name());
  else candidates = await argumentsOf(argument?.name(), current, ask, args);
  const found = candidates.filter((candidate) => candidate.startsWith(current));
  io.out(found.map((candidate) => `${joined ?? ''}${candidate}\n`).join(''));
  return EXIT.done;
}

type Look = (context: Context) => Promise<readonly string[]>;
type Ask = (look: Look) => Promise<readonly string[]>;

const VALUES: Readonly<Record<string, readonly string[]>> = {
  '--output': ['table', 'wide', 'json', 'yaml', 'name', 'jsonpath='],
  '--dry-run': ['client', 'server'],
  '--until': ['done', 'approval'],
};

async function valuesOf({ long = '' }: Option, ask: Ask, args: readonly string[]): Promise<readonly string[]> {
  if (long === '--step') return ask(steps(args[0]));
  if (long === '--namespace' || long === '--system-namespace') return ask(namespaces);
  if (long === '--context' || long === '--cluster' || long === '--user') return ask(entries(`${long.slice(2)}s`));
  return VALUES[long] ?? [];
}

/** `current`: the word that is completed. */
async function argumentsOf(
  name: string | undefined,
  current: string,
  ask: Ask,
  args: readonly string[],
): Promise<readonly string[]> {
  if (name === 'shell') return SHELLS;
  if (name === 'rollout') return ask(current.includes('/') ? workloads(current) : rollouts);
  if (name === 'workload') return ask(workloads(current));
  return name === 'step' ? ask(steps(args[0])) : [];
}

/** Names from the cluster. Empty on errors and after three seconds: completion must be fast and silent. */
async function names(io: Io, version: string, before: readonly string[], look: Look): Promise<readonly string[]> {
  const context = createContext(io, flagsOf(before), version);
  const late = new Promise<string[]>((resolve) => setTimeout(resolve, NAMES_WITHIN_MS, []).unref());
  const found = await Promise.race([look(context).catch(() => []), late]);
  context.close();
  return found;
}

const rollouts: Look = async (context) => {
  const cluster = await context.cluster();
  return namesOf(await listRollouts(cluster, cluster.namespace));
};

/** With a kind: the workloads of this kind, as the user began to write it. Without: Deployments by name, and the others as `statefulset/db`. */
const workloads =
  (current: string): Look =>
  async (context) => {
    const cluster = await context.cluster();
    const [word, name] = current.split('/', 2);
    if (word === undefined || name === undefined) {
      const all = await listWorkloads(cluster, cluster.namespace);
      return all.map(({ resource, workload }) => workloadArgument(resource, workload.metadata.name));
    }
    const resource = resourceNamed(word);
    if (resource === undefined) return [];
    const all = namesOf(await cluster.list(resource, { namespace: cluster.namespace }));
    return all.map((one) => `${word}/${one}`);
  };

const namespaces: Look = async (context) => namesOf(await (await context.cluster()).list(NAMESPACES));

const namesOf = (objects: readonly KubeObject[]): string[] => objects.map(({ metadata }) => metadata.name);

const steps =
  (name: string | undefined): Look =>
  async (context) => {
    if (name === undefined) return [];
    const all = stepsOf(await getRollout(await context.cluster(), name));
    return Array.from({ length: all }, (_, i) => `${i + 1}`);
  };

const entries =
  (kind: string): Look =>
  async ({ flags, io }) => {
    const { findSource } = await import('../../kube/connection.ts');
    const { loadKubeconfig } = await import('../../kube/kubeconfig.ts');
    const source = findSource(flags.kubeconfig, io.env);
    if (source.type !== 'kubeconfig') return [];
    const { config } = await loadKubeconfig(source.files, {});
    const all = { contexts: config.contexts, clusters: config.clusters, users: config.users }[kind] ?? [];
    return all.map(({ name }) => name);
  };

const options = (program: Command, command: Command): readonly Option[] => [
  ...command.createHelp().visibleOptions(command),
  ...(command === program ? [] : program.options),
];

const optionOf = (program: Command, command: Command, word: string): Option | undefined =>
  word.startsWith('-')
    ? options(program, command).find(({ long, short }) => long === word || short === word)
    : undefined;

const takesValue = (option: Option): boolean => option.required || option.optional;

/** The command of the words, and its arguments so far. */
function parseWords(program: Command, words: readonly string[]): { command: Command; args: readonly string[] } {
  let command = program;
  const args: string[] = [];
  let skipped = false;
  for (const word of words) {
    if (skipped) {
      skipped = false;
      continue;
    }
    const option = optionOf(program, command, word);
    if (option) skipped = takesValue(option);
    else if (word.startsWith('-')) continue;
    else if (command === program)
      command = program.commands.find((one) => one.name() === word || one.aliases().includes(word)) ?? program;
    else args.push(word);
  }
  return { command, args };
}

function flagsOf(words: readonly string[]): GlobalFlags {
  const value = (...names: string[]): string | undefined => {
    const joined = words.find((word) => names.some((name) => word.startsWith(`${name}=`)));
    if (joined) return joined.slice(joined.indexOf('=') + 1);
    const at = words.findIndex((word) => names.includes(word));
    return at < 0 ? undefined : words[at + 1];
  };
  const given = {
    namespace: value('-n', '--namespace'),
    kubeconfig: value('--kubeconfig'),
    context: value('--context'),
    cluster: value('--cluster'),
    user: value('--user'),
    server: value('-s', '--server'),
    token: value('--token'),
    as: value('--as'),
  };
  return { color: false, ...Object.fromEntries(Object.entries(given).filter(([, one]) => one !== undefined)) };
}
