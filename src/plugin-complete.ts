#!/usr/bin/env node
// `kubectl_complete-tranche`: kubectl runs this program to complete `kubectl tranche`.

process.argv.splice(2, 0, '__complete', '--');
await (
  await import('./plugin.ts')
).ended;
// Cobra's directive 4: do not complete file names.
process.stdout.write(':4\n');
