// All commands in the order of the help. One file per command, loaded only when the command line names it.
import type { ListedCommand } from './command.ts';

export const COMMANDS: readonly ListedCommand[] = [
  {
    name: 'list',
    alias: 'ls',
    summary: 'List Rollouts with their progress and state',
    load: async () => (await import('./commands/list.ts')).list,
  },
  {
    name: 'status',
    summary: 'Show a release as a tree of steps, ReplicaSets and Pods',
    load: async () => (await import('./commands/status.ts')).status,
  },
  {
    name: 'dashboard',
    summary: 'Show releases and act on them in the browser',
    load: async () => (await import('./commands/dashboard.ts')).dashboard,
  },
  {
    name: 'plan',
    summary: 'Show what each step will do, in exact numbers of Pods',
    load: async () => (await import('./commands/plan.ts')).plan,
  },
  {
    name: 'approve',
    summary: 'Approve the waiting step',
    load: async () => (await import('./commands/approve.ts')).approve,
  },
  {
    name: 'pause',
    summary: 'Pause the release',
    load: async () => (await import('./commands/pause.ts')).pause,
  },
  {
    name: 'resume',
    summary: 'Resume a paused release',
    load: async () => (await import('./commands/resume.ts')).resume,
  },
  {
    name: 'jump',
    summary: 'Continue with another step',
    load: async () => (await import('./commands/jump.ts')).jump,
  },
  {
    name: 'undo',
    summary: 'Restore an earlier version',
    load: async () => (await import('./commands/undo.ts')).undo,
  },
  {
    name: 'abort',
    summary: 'Cancel the release and roll back immediately',
    load: async () => (await import('./commands/abort.ts')).abort,
  },
  {
    name: 'retry',
    summary: 'Retry a stalled or rolled back release',
    load: async () => (await import('./commands/retry.ts')).retry,
  },
  {
    name: 'finish',
    summary: 'Release the remaining Pods now',
    load: async () => (await import('./commands/finish.ts')).finish,
  },
  {
    name: 'history',
    summary: 'Show the last releases',
    load: async () => (await import('./commands/history.ts')).history,
  },
  {
    name: 'analyze',
    summary: 'Judge past releases with the checks of a Rollout',
    load: async () => (await import('./commands/analyze.ts')).analyze,
  },
  {
    name: 'restart',
    summary: 'Restart all Pods',
    load: async () => (await import('./commands/restart.ts')).restart,
  },
  {
    name: 'init',
    summary: 'Generate a Rollout for a workload',
    load: async () => (await import('./commands/init.ts')).init,
  },
  {
    name: 'lint',
    summary: 'Validate Rollouts and ReleasePolicies in files',
    load: async () => (await import('./commands/lint.ts')).lint,
  },
  {
    name: 'doctor',
    summary: 'Find problems of the installation and of held workloads',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'drain',
    summary: 'Give all workloads back, to remove Tranche',
    load: async () => (await import('./commands/drain.ts')).drain,
  },
  {
    name: 'takeover',
    summary: 'Take over unfinished releases of OpenKruise Rollouts',
    load: async () => (await import('./commands/takeover.ts')).takeover,
  },
  {
    name: 'convert',
    summary: 'Convert resources of Argo Rollouts or Flagger',
    load: async () => (await import('./commands/convert.ts')).convert,
  },
  {
    name: 'completion',
    summary: 'Print a shell completion script',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
  {
    name: 'version',
    summary: 'Print the version of the plugin',
    load: async () => (await import('./commands/version.ts')).version,
  },
  {
    name: '__complete',
    summary: '',
    hidden: true,
    load: async () => (await import('./commands/complete.ts')).complete,
  },
];
