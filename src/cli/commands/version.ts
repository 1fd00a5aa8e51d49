// `kubectl tranche version`.
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit.ts';

export const version = defineCommand({
  description: 'The version of this program. What runs in the cluster is shown by doctor.',
  offline: true,
  async run({ io, version }) {
    io.out(`kubectl-tranche ${version}\n`);
    return EXIT.done;
  },
});
