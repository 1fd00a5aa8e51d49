// `kubectl tranche version`: prints the version of the plugin.
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit.ts';
import { versionText } from '../text.ts';

export const version = defineCommand({
  description: 'Prints the version of the plugin. "kubectl tranche doctor" compares it with the installation.',
  offline: true,
  async run({ io, version }) {
    io.out(`${versionText(version)}\n`);
    return EXIT.done;
  },
});
