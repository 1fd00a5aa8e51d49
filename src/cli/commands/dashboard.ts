// `kubectl tranche dashboard`: serves a page on this machine that shows releases and acts on them.
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { usageError } from '../exit.ts';
import { ALL_NAMESPACES } from '../flags.ts';

interface DashboardFlags {
  readonly allNamespaces?: boolean;
  readonly port: string;
  readonly readOnly?: boolean;
  /** False with --no-open. */
  readonly open: boolean;
}

export const dashboard = defineCommand({
  description:
    'Serves a page with all releases, on this machine only and with your permissions, until Ctrl-C. It shows each release live: its Pods, what it waits ' +
    'for, its checks, policies and history. You can approve, pause, resume, jump, finish, retry, undo and abort. The address that it prints contains a ' +
    'secret: whoever has it can act as you while the command runs.',
  options: [
    ALL_NAMESPACES,
    ['--port <number>', 'Port on 127.0.0.1; 0 means any free port', { default: '0' }],
    ['--read-only', 'Only show: the server changes nothing, whoever asks'],
    ['--no-open', 'Only print the address, and do not open a browser'],
  ],
  examples: ['kubectl tranche dashboard -A', 'kubectl tranche dashboard -n shop --read-only --no-open'],
  async run(context: Context, flags: DashboardFlags) {
    const port = parsePort(flags.port);
    const { runDashboard } = await import('../dashboard/run.ts');
    return runDashboard(context, {
      port,
      allNamespaces: flags.allNamespaces === true,
      readOnly: flags.readOnly === true,
      opens: flags.open,
    });
  },
});

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) throw usageError(`invalid --port "${text}": write a number from 0 to 65535`);
  return port;
}
