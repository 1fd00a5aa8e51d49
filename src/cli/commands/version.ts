// `kubectl tranche version`: prints the version of the plugin.
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit.ts';

export const version = defineCommand({
  description: 'Prints the version of the plugin. "kubectl tranche doctor" compares it with the installation.',
  offline: true,
  async run({ io, version }) {
    io.out(`kubectl-tranche ${version}\n`);
    return EXIT.done;
  },
});
