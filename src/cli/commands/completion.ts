// `kubectl tranche completion`: scripts that ask this program what may come next, so that there is one answer for all shells.
import type { Command, Option } from 'commander';
import type { Run } from '../cli.ts';
import { createContext, type GlobalFlags } from '../context.ts';
import { EXIT, usageError } from '../exit.ts';

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion of kubectl-tranche
_kubectl_tranche() {
  local IFS=$'\\n'
  COMPREPLY=($(kubectl-tranche __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _kubectl_tranche kubectl-tranche
`,
  zsh: `#compdef kubectl-tranche
_kubectl_tranche() {
  local -a candidates
  candidates=("\${(@f)$(kubectl-tranche __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ -n "\${candidates[*]}" ]] && compadd -a candidates || _files
}
compdef _kubectl_tranche kubectl-tranche
`,
  fish: `# fish completion of kubectl-tranche
complete -c kubectl-tranche -a '(kubectl-tranche __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
  kubectl: `#!/bin/sh
# kubectl runs this file, named kubectl_complete-tranche and on PATH, to complete "kubectl tranche".
kubectl-tranche __complete -- "$@" 2>/dev/null
echo :4
`,
};

export function completion(shell: string): Run {
  const script = SCRIPTS[shell];
  if (!Object.hasOwn(SCRIPTS, shell) || script === undefined)
    throw usageError(`no completion for "${shell}": write ${Object.keys(SCRIPTS).join(', ')}`);
  return async ({ io }) => {
    io.data(script);
    return EXIT.done;
  };
}

const NAMES_WITHIN_MS = 3000;

/** One candidate a line. `words` are those typed so far; the last is the one to complete. */
export function complete(program: Command, words: readonly string[]): Run {
  return async ({ io, version }) => {
    const current = words.at(-1) ?? '';
    const before = words.slice(0, -1);
    const { command, args } = parseWords(program, before);
    let candidates: readonly string[] = [];
    const pending = optionOf(program, command, before.at(-1) ?? '');
    if (pending && takesValue(pending)) candidates = VALUES[pending.long ?? ''] ?? [];
    else if (current.startsWith('-')) candidates = options(program, command).map(({ long }) => long ?? '');
    else if (command === program)
      candidates = program
        .createHelp()
        .visibleCommands(program)
        .map((one) => one.name());
    else {
      const argument = command.registeredArguments[args]?.name();
      if (argument === 'shell') candidates = Object.keys(SCRIPTS);
      if (argument === 'rollout') {
        const { listRollouts } = await import('../resources.ts');
        const context = createContext(io, flagsOf(before), version);
        const names = context
          .cluster()
          .then((cluster) => listRollouts(cluster, cluster.namespace))
          .then((rollouts) => rollouts.map(({ metadata }) => metadata.name));
        // Whoever presses Tab does not wait for a cluster that is not there.
        const late = new Promise<string[]>((resolve) => setTimeout(resolve, NAMES_WITHIN_MS, []).unref());
        candidates = await Promise.race([names.catch(() => []), late]);
        context.close();
      }
    }
    io.out(
      candidates
        .filter((candidate) => candidate.startsWith(current))
        .map((candidate) => `${candidate}\n`)
        .join(''),
    );
    return EXIT.done;
  };
}

const VALUES: Readonly<Record<string, readonly string[]>> = {
  '--output': ['table', 'wide', 'json', 'yaml', 'name', 'jsonpath='],
  '--dry-run': ['client', 'server'],
  '--until': ['done', 'approval'],
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

/** Which command the words are of, and how many of its arguments are there already. */
function parseWords(program: Command, words: readonly string[]): { command: Command; args: number } {
  let command = program;
  let args = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const option = optionOf(program, command, word);
    if (option) i += takesValue(option) ? 1 : 0;
    else if (word.startsWith('-')) continue;
    else if (command === program)
      command = program.commands.find((one) => one.name() === word || one.aliases().includes(word)) ?? program;
    else args += 1;
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
  const [namespace, context, kubeconfig] = [value('-n', '--namespace'), value('--context'), value('--kubeconfig')];
  return {
    color: false,
    ...(namespace === undefined ? {} : { namespace }),
    ...(context === undefined ? {} : { context }),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
  };
}
