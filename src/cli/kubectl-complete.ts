#!/usr/bin/env node
// `kubectl_complete-tranche`: what kubectl looks for on PATH to complete `kubectl tranche`.

process.argv.splice(2, 0, '__complete', '--');
await import('./main.ts');
// Cobra's word for "and no file names".
process.stdout.write(':4\n');
