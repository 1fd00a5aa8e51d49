// Numbers that no API server lets through, in files that no API server has seen: nothing loops over them, and nothing is allocated for them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runPlugin } from '../cli/support.ts';

const MANIFEST = readFileSync(fileURLToPath(new URL('../cli/files/web.yaml', import.meta.url)), 'utf8');

describe('numbers beyond int32', () => {
  for (const replicas of ['1e15', '2147483648', '-1', '.inf', '.nan', '1.5', '"10"'])
    it(`replicas: ${replicas} of a file is refused in words`, async () => {
      const stdin = MANIFEST.replace('replicas: 10', `replicas: ${replicas}`);
      const { code, err } = await runPlugin(['plan', '-f', '-'], { stdin });
      assert.equal(code, 2, err);
      assert.match(
        err,
        /spec\.replicas: Invalid value: .+: must be between 0 and 2147483647; write the number of Pods/,
      );
    });

  it('the largest that an API server takes is planned at once', async () => {
    const stdin = MANIFEST.replace('replicas: 10', 'replicas: 2147483647')
      .replace('maxSurge: 2', 'maxSurge: 1000000000000')
      .replace('replicas: 80%', 'replicas: 2147483646');
    const { code, out } = await runPlugin(['plan', '-f', '-'], { stdin });
    assert.equal(code, 0);
    assert.match(out, /2147483647 Pods/);
  });
});
