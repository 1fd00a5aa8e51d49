// The documentation names what there is.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { EVENTS } from '../../src/api/reasons.ts';

const root = new URL('../../', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8');

describe('the documentation', () => {
  it('lists every reason of an event under its type, and no other', () => {
    const [, table = ''] =
      /## Events\n[^]*?\n\| Normal +\| Warning +\|\n\|[ -|]+\|\n\|(.*)\|\n/.exec(read('docs/status.md')) ?? [];
    const [normal = '', warning = ''] = table.split('|');
    const reasons = (cell: string): string[] => [...cell.matchAll(/`(\w+)`/g)].map((match) => match[1]!).toSorted();
    const expected = (type: string): string[] =>
      Object.entries(EVENTS)
        .filter(([, [of]]) => of === type)
        .map(([reason]) => reason)
        .toSorted();
    assert.deepEqual(reasons(normal), expected('Normal'));
    assert.deepEqual(reasons(warning), expected('Warning'));
  });

  it('is all linked from the README', () => {
    const readme = read('README.md');
    const pages = readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md'));
    const missing = pages.filter((name) => !readme.includes(`](docs/${name})`));
    assert.deepEqual(missing, []);
  });
});
