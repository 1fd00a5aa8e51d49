// Every command: its arguments, its help, and the file that does it, which is loaded only then.
import type { Command } from 'commander';
import type { Start } from './cli.ts';
import type { GlobalFlags } from './context.ts';

/** Of all commands; commander gives each only its own. */
interface Flags extends GlobalFlags {
  readonly allNamespaces?: boolean;
  readonly apply?: boolean;
  readonly dryRun?: string;
  readonly filename?: readonly string[];
  readonly finish?: boolean;
  readonly message?: string;
  readonly output?: string;
  readonly pause?: string;
  readonly replicas?: string;
  readonly rollback?: boolean;
  readonly step?: string;
  readonly steps?: string;
  readonly strict?: boolean;
  readonly systemNamespace?: string;
  readonly timeout?: string;
  readonly toRevision?: string;
  readonly until?: string;
  readonly watch?: boolean;
}

export const repeated = (value: string, before: readonly string[] = []): string[] => [...before, value];

const OUTPUT = '-o, --output <format>';
const FORMATS = "table, wide, json, yaml, name, or jsonpath='{...}'";
const DRY_RUN = [
  '--dry-run <mode>',
  'client: say what would be done; server: let the cluster judge it, and change nothing',
] as const;
const ROLLOUT = ['<rollout>', 'its name; or deployment/NAME for the Rollout of that Deployment'] as const;

/** Commands that ask no cluster. */
const OFFLINE: ReadonlySet<string> = new Set(['lint', 'convert', 'completion', 'version']);
const COMMON = '\n-n, --namespace, --context and what else every command takes: kubectl tranche --help';

const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;

export function addCommands(program: Command, start: Start, version: string): void {
  /** `flags` of the command and of all commands, then its arguments. */
  const act =
    (load: (flags: Flags, args: readonly unknown[]) => Promise<Parameters<Start>[1]>) =>
    async (...params: unknown[]): Promise<void> => {
      const command = params.pop() as Command;
      params.pop();
      const flags = command.optsWithGlobals<Flags>();
      await start(flags, async (context) => (await load(flags, params))(context));
    };

  program
    .command('list')
    .alias('ls')
    .summary('every Rollout: step, share, state, what it waits for')
    .description('Lists Rollouts with their step, their share of new Pods, their state, and what they wait for.')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('-w, --watch', 'go on: in place on a terminal, else a line for each Rollout that has changed')
    .option('--timeout <time>', 'with --watch: end with 3 after that time, such as 90s or 10m')
    .option(OUTPUT, FORMATS)
    .addHelpText(
      'after',
      examples(
        'kubectl tranche list -A',
        'kubectl tranche list --watch',
        "kubectl tranche list -o jsonpath='{.items[*].status.phase}'",
      ),
    )
    .action(act(async (flags) => (await import('./commands/list.ts')).list(flags)));

  program
    .command('status')
    .summary('a release as a tree: steps, ReplicaSets, Pods, what it waits for')
    .description(
      'Shows a release as a tree: its steps with their progress, ReplicaSets and Pods, what it waits for, since when, and whether you may approve. ' +
        'With --watch it goes on until the release has ended: in place on a terminal, else one line per change.',
    )
    .argument('[rollout]', 'its name, or deployment/NAME; all of the namespace when left out')
    .option(
      '-w, --watch',
      'until the release has ended; 0 when it succeeded, 1 when it failed, stalled or was rolled back',
    )
    .option(
      '--until <what>',
      'with --watch: "done", or "approval" to end well as soon as a step waits for approval',
      'done',
    )
    .option('--timeout <time>', 'with --watch: end with 3 after that time, such as 90s or 10m')
    .option(OUTPUT, FORMATS)
    .addHelpText(
      'after',
      examples('kubectl tranche status web', 'kubectl tranche status web --watch --timeout 10m   # in CI'),
    )
    .action(
      act(async (flags, [name]) => (await import('./commands/status.ts')).status(flags, name as string | undefined)),
    );

  program
    .command('plan')
    .summary('what each step will do, in exact Pods')
    .description(
      'Says what each step of the next release will do: Pods of the new and of the old version, surge and unavailable Pods at worst, where it waits, ' +
        'and how long the last releases took. Computed by the engine that releases. With -f also for a changed Deployment, and without a cluster ' +
        'when both a Rollout and its Deployment are in the files.',
    )
    .argument('[rollout]', 'its name, or deployment/NAME; not needed when -f brings the Rollout')
    .option(
      '-f, --filename <file>',
      'a YAML or JSON file with a new Deployment, a Rollout, or both; "-" is standard input; may be repeated',
      repeated,
    )
    .option('--replicas <number>', 'at another size')
    .option(OUTPUT, FORMATS)
    .addHelpText(
      'after',
      examples(
        'kubectl tranche plan web --replicas 40',
        'kubectl tranche plan web -f new-deployment.yaml',
        'kubectl tranche plan -f rollout.yaml -f deployment.yaml   # no cluster, for a pull request',
      ),
    )
    .action(act(async (flags, [name]) => (await import('./commands/plan.ts')).plan(flags, name as string | undefined)));

  program
    .command('approve')
    .summary('let the waiting step go on')
    .description('Approves the step that waits, so that the release goes on with the next one.')
    .argument(...ROLLOUT)
    .option('--step <number>', 'only if this is the step that waits')
    .option('--message <text>', 'why; kept as an event on the Rollout')
    .option(...DRY_RUN)
    .addHelpText('after', examples('kubectl tranche approve web --step 1 --message "error rate is flat"'))
    .action(act(async (flags, [name]) => (await import('./commands/approve.ts')).approve(flags, name as string)));

  program
    .command('pause')
    .summary('freeze the release where it is')
    .description('Freezes the release where it is: no further Pod is replaced and no timer runs, until it is resumed.')
    .argument(...ROLLOUT)
    .option(...DRY_RUN)
    .action(act(async (flags, [name]) => (await import('./commands/pause.ts')).pause(flags, name as string)));

  program
    .command('resume')
    .summary('go on after a pause')
    .description(
      'Goes on where the release was frozen, by this command or by the paused of the Deployment. It approves nothing.',
    )
    .argument(...ROLLOUT)
    .option(...DRY_RUN)
    .action(act(async (flags, [name]) => (await import('./commands/pause.ts')).resume(flags, name as string)));

  program
    .command('jump')
    .summary('go on with another step')
    .description(
      'Goes on with another step than the next one. Forward, the steps between are left out; back, the wait of that step is repeated, and Pods ' +
        'that are updated stay so. From a step that waits it counts as approval; a step that is under way is left at once, unless a policy ' +
        'requires approvals: then the jump follows its approval.',
    )
    .argument(...ROLLOUT)
    .argument('<step>', 'number of the step, from 1')
    .option(...DRY_RUN)
    .action(
      act(async (flags, [name, step]) =>
        (await import('./commands/jump.ts')).jump(flags, name as string, step as string),
      ),
    );

  program
    .command('undo')
    .summary('put an earlier version back')
    .description(
      'Puts an earlier template of the Deployment back, also while it is held, where "kubectl rollout undo" refuses. In a release that is the version ' +
        'before it, and the rollback is native and at once; at rest it is the revision before, and it is released in steps as any change.',
    )
    .argument(...ROLLOUT)
    .option('--to-revision <number>', 'this revision of the Deployment (see history)')
    .option(...DRY_RUN)
    .action(act(async (flags, [name]) => (await import('./commands/undo.ts')).undo(flags, name as string)));

  program
    .command('abort')
    .summary('give the release up: back to the version before, at once')
    .description('Gives the release up: the version before it is put back, natively and at once, not in steps.')
    .argument(...ROLLOUT)
    .option(...DRY_RUN)
    .action(act(async (flags, [name]) => (await import('./commands/undo.ts')).abort(flags, name as string)));

  program
    .command('retry')
    .summary('try again what failed')
    .description(
      'Tries again what failed. In a release that is stalled, the Pods of the new version that are not ready are deleted, so that new ones take their ' +
        'place. After a release that was rolled back, its version is released again, from step 1.',
    )
    .argument(...ROLLOUT)
    .option(...DRY_RUN)
    .action(act(async (flags, [name]) => (await import('./commands/retry.ts')).retry(flags, name as string)));

  program
    .command('finish')
    .summary('release the rest now')
    .description(
      'Releases the rest now: goes on with the last step, within the limits of the Deployment (maxSurge, maxUnavailable). A step whose Pods are still ' +
        'starting is waited for. It counts as approval.',
    )
    .argument(...ROLLOUT)
    .option('--timeout <time>', 'how long to wait for the step that is under way', '10m')
    .option(...DRY_RUN)
    .action(act(async (flags, [name]) => (await import('./commands/finish.ts')).finish(flags, name as string)));

  program
    .command('history')
    .summary('the last releases')
    .description('The last ten releases: who, when, how long, with which outcome, approved by whom.')
    .argument(...ROLLOUT)
    .option(OUTPUT, FORMATS)
    .action(act(async (flags, [name]) => (await import('./commands/history.ts')).history(flags, name as string)));

  program
    .command('restart')
    .summary('restart every Pod, as the Rollout says')
    .description(
      'Restarts every Pod of the Deployment with the template it has. The annotation tranche.dev/on-restart of the Rollout says how: as a release (Release), ' +
        'through the steps without approvals (Batches), or as a normal rolling update (Native).',
    )
    .argument(...ROLLOUT)
    .option(...DRY_RUN)
    .action(act(async (flags, [name]) => (await import('./commands/restart.ts')).restart(flags, name as string)));

  program
    .command('init')
    .summary('a Rollout for a Deployment')
    .description('Writes a Rollout for a Deployment, with steps that fit its size, and prints it; --apply creates it.')
    .argument('<deployment>', 'its name')
    .option('--steps <list>', 'steps such as 1,50%,100%; else by the size')
    .option('--pause <time>', 'go on by itself after that time, such as 10m; else every step waits for approval')
    .option('--apply', 'create it')
    .option(...DRY_RUN)
    .addHelpText(
      'after',
      examples('kubectl tranche init web --steps 10%,50%,100% > rollout.yaml', 'kubectl tranche init web --apply'),
    )
    .action(act(async (flags, [name]) => (await import('./commands/init.ts')).init(flags, name as string)));

  program
    .command('lint')
    .summary('what the webhook would say to files, without a cluster')
    .description(
      'Checks the Rollouts and ReleasePolicies in files as the webhook would, without a cluster, and says file, line and column of each mistake. A Deployment beside them is ' +
        'taken into account. Other objects are passed over.',
    )
    .argument('<file...>', 'YAML or JSON files; "-" is standard input')
    .option('--strict', 'warnings fail too')
    .option(OUTPUT, "table, json, yaml, or jsonpath='{...}'")
    .action(act(async (flags, [files]) => (await import('./commands/lint.ts')).lint(flags, files as string[])));

  program
    .command('doctor')
    .summary('what is wrong with the installation or with held Deployments, and what mends it')
    .description(
      'Checks the installation (CRD, webhooks, certificates, the operator, your rights) and every Deployment that is held, and says for each finding the one ' +
        'command that mends it. It needs nothing of ours to be running. Exit code 1 when something is wrong.',
    )
    .option('--system-namespace <name>', 'where the chart is installed; else as the webhooks say')
    .option(OUTPUT, "table, json, yaml, or jsonpath='{...}'")
    .action(act(async (flags) => (await import('./commands/doctor.ts')).doctor(flags)));

  program
    .command('takeover')
    .summary('take over what OpenKruise Rollouts left in the middle of a release')
    .description(
      'Takes over Deployments that OpenKruise Rollouts has left in the middle of a release: paused, mostly with strategy Recreate, under which un-pausing ends all Pods at once. ' +
        'In one write each becomes held as by Tranche, and its Rollout goes on with the step it was in; no Pod is started or ended by that. Deployments that no Rollout names, or ' +
        'whose release Tranche cannot go on with, need --finish or --rollback. OpenKruise must not run any more. What it left of BatchReleases is removed. ' +
        'It needs nothing of ours to be running.',
    )
    .argument('[deployment...]', 'their names; all of the namespace that were left behind when left out')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('--finish', 'where no Rollout goes on with it: a normal rolling update to the template it has')
    .option('--rollback', 'where no Rollout goes on with it: a normal rolling update to the version before')
    .option('--timeout <time>', 'how long to wait for the Deployment controller to be at rest', '1m')
    .option(...DRY_RUN)
    .addHelpText(
      'after',
      examples(
        'kubectl tranche takeover -A --dry-run=server',
        'kubectl tranche takeover web',
        'kubectl tranche takeover web --finish',
      ),
    )
    .action(
      act(async (flags, [names]) =>
        (await import('./commands/takeover.ts')).takeover(flags, (names as string[]) ?? []),
      ),
    );

  program
    .command('convert')
    .summary('from Argo Rollouts or Flagger')
    .description(
      'Turns Rollouts of Argo Rollouts and Canaries of Flagger into Deployments with Rollouts, and lists on standard error what has no counterpart.',
    )
    .argument('<file...>', 'YAML or JSON files; "-" is standard input')
    .addHelpText('after', examples('kubectl tranche convert argo-rollout.yaml > tranche.yaml'))
    .action(act(async (flags, [files]) => (await import('./commands/convert.ts')).convert(flags, files as string[])));

  program
    .command('completion')
    .summary('shell completion')
    .description('Prints a script that completes commands, flags and names of Rollouts in your shell.')
    .argument('<shell>', 'bash, zsh, fish, or kubectl for the file that kubectl itself looks for')
    .addHelpText(
      'after',
      examples(
        'source <(kubectl-tranche completion bash)',
        'source <(kubectl-tranche completion zsh)',
        'kubectl-tranche completion fish > ~/.config/fish/completions/kubectl-tranche.fish',
        'kubectl-tranche completion kubectl > ~/bin/kubectl_complete-tranche && chmod +x ~/bin/kubectl_complete-tranche',
      ),
    )
    .action(act(async (_, [shell]) => (await import('./commands/completion.ts')).completion(shell as string)));

  program
    .command('version')
    .summary('the version of this program')
    .description('The version of this program. What runs in the cluster is shown by doctor.')
    .action(
      act(async () => async ({ io }) => {
        io.out(`kubectl-tranche ${version}\n`);
        return 0;
      }),
    );

  for (const command of program.commands) if (!OFFLINE.has(command.name())) command.addHelpText('after', COMMON);

  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(act(async (_, [words]) => (await import('./commands/complete.ts')).complete(program, words as string[])));
}
