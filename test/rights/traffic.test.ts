// The rights for traffic routing: what the chart's value adds is what docs/security.md says.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { granted, show } from './grants.ts';

const VALUE = 'traffic.gatewayAPI.enabled';

describe('the rights for traffic routing', () => {
  it('are in docs/security.md, each with its reason, and no other', async () => {
    const text = await readFile(new URL('../../docs/security.md', import.meta.url), 'utf8');
    const rows = text.split('\n').filter((line) => line.startsWith('| `') && line.includes(`only with \`${VALUE}\``));
    const written = rows.flatMap((row) => {
      const [, resources = '', verbs = '', why = ''] = row.split('|').map((cell) => cell.trim());
      assert.notEqual(why, '', row);
      const names = [...resources.matchAll(/`([a-z]+)`/g)].map(([, name]) => name!);
      return names.flatMap((name) => (verbs.split(', only')[0] ?? '').split(', ').map((verb) => `${verb} ${name}`));
    });
    const without = new Set((await granted()).map(show));
    const added = (await granted(`${VALUE}=true`)).map(show).filter((grant) => !without.has(grant));
    assert.deepEqual(written.toSorted(), added.toSorted());
  });
});
