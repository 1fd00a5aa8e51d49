// Messages about flags, for somebody who runs make.
import assert from 'node:assert/strict';
import { inVariables } from './make.ts';

describe('hints of make run', () => {
  for (const [message, hint] of [
    ['port 8080 is in use: stop the other program, or pass --metrics-port PORT', 'pass ARGS="--metrics-port PORT"'],
    [
      'permission denied to listen on port 80: pass --metrics-port PORT with a port above 1023',
      'pass ARGS="--metrics-port PORT" with a',
    ],
    [
      'port 9443 is in use: stop the other program, or pass --webhook-port PORT',
      'pass WEBHOOK_URL with another port, to make install too',
    ],
    ['no cluster is configured: pass --kubeconfig FILE, or set KUBECONFIG', 'pass KUBECONFIG=FILE, or set'],
    [
      'outside a cluster, write --webhook-url https://HOST:PORT with an address',
      'write WEBHOOK_URL=https://HOST:PORT with',
    ],
    ['--lease: Required value: write --lease NAME, or remove the flag', 'write ARGS="--lease NAME", or remove'],
    ["Unknown option '--x': see --help", 'see make run ARGS=--help'],
  ] as const)
    it(`name the variable: ${hint}`, () => {
      assert.ok(inVariables(message).includes(hint), inVariables(message));
    });
});
