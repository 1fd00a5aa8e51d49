// `kubectl tranche pause`: pauses a release.
import { change } from '../act.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { DRY_RUN, parseDryRun, ROLLOUT } from '../flags.ts';

export const pause = defineCommand({
  description: 'Pauses the release: no more Pods are replaced and no timer runs until you resume it.',
  arguments: [ROLLOUT],
  options: [DRY_RUN],
  async run(context: Context, flags: { dryRun?: string }, name: string) {
    const { pause: decide } = await import('../../view/act/pause.ts');
    await change(context, name, parseDryRun(flags.dryRun), (target) => {
      const { writes, says } = decide(target);
      return { ...(writes[0] && { write: writes[0] }), says: () => says };
    });
    return EXIT.done;
  },
});
