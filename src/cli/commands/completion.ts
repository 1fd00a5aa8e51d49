// `kubectl tranche completion`: prints completion scripts, which call `kubectl-tranche __complete`.
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT, usageError } from '../exit.ts';

export const completion = defineCommand({
  description: 'Prints a script that completes commands, flags and names of Rollouts and workloads in your shell.',
  arguments: [['<shell>', 'bash, zsh, fish, or kubectl (the file that kubectl itself runs)']],
  examples: [
    'source <(kubectl-tranche completion bash)',
    'source <(kubectl-tranche completion zsh)',
    'kubectl-tranche completion fish > ~/.config/fish/completions/kubectl-tranche.fish',
    'kubectl-tranche completion kubectl > ~/bin/kubectl_complete-tranche && chmod +x ~/bin/kubectl_complete-tranche',
  ],
  offline: true,
  run: printScript,
});

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
complete -c kubectl-tranche -f -n 'not __fish_seen_subcommand_from lint convert plan'
complete -c kubectl-tranche -a '(kubectl-tranche __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
  kubectl: `#!/bin/sh
# kubectl runs this file to complete "kubectl tranche". Name it kubectl_complete-tranche and put it on PATH.
kubectl-tranche __complete -- "$@" 2>/dev/null
echo :4
`,
};

export const SHELLS: readonly string[] = Object.keys(SCRIPTS);

async function printScript({ io }: Context, _: object, shell: string): Promise<number> {
  const script = SCRIPTS[shell];
  if (!Object.hasOwn(SCRIPTS, shell) || script === undefined)
    throw usageError(`no completion for "${shell}": write ${SHELLS.join(', ')}`);
  io.data(script);
  return EXIT.done;
}
