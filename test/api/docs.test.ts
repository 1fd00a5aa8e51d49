// The documentation names what there is.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { EVENTS } from '../../src/api/reasons.ts';

const root = new URL('../../', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8');

describe('the documentation', () => {
  it('lists every reason of an event under its type, and no other', () => {
    const page = read('docs/status.md');
    const part = (heading: string): string =>
      new RegExp(`^### ${heading}$([^]*?)(?:^##|^- |$(?![^]))`, 'm').exec(page)?.[1] ?? '';
    /** Those in the first cell of a row. */
    const reasons = (text: string): string[] =>
      [...text.matchAll(/^\| ((?:`\w+`,? +)+)\|/gm)]
        .flatMap(([, names = '']) => [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name!))
        .toSorted();
    const expected = (type: string): string[] =>
      Object.entries(EVENTS)
        .filter(([, [of]]) => of === type)
        .map(([reason]) => reason)
        .toSorted();
    assert.deepEqual(reasons(part('Normal events')), expected('Normal'));
    assert.deepEqual(reasons(part('Warning events')), expected('Warning'));
  });

  it('is all linked from the README', () => {
    const readme = read('README.md');
    const pages = readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md'));
    const missing = pages.filter((name) => !readme.includes(`](docs/${name})`));
    assert.deepEqual(missing, []);
  });
});
