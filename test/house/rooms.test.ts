// The picture and the tables of the rooms (docs/architecture.md) name each folder of src and of the engine.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

const foldersIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

describe('the rooms', () => {
  const picture = readFileSync('docs/img/rooms.svg', 'utf8');
  const page = readFileSync('docs/architecture.md', 'utf8');
  const shown = (pattern: RegExp): string[] => [...picture.matchAll(pattern)].map(([, name]) => name!).sort();

  it('are in the picture, and nothing else is', () => {
    assert.deepEqual(shown(/>src\/([\w-]+)</g), foldersIn('src'));
    assert.deepEqual(
      shown(/>([\w-]+)\/</g).filter((name) => !['sandbox', 'tools', 'test'].includes(name)),
      foldersIn('src/engine'),
    );
  });
  it('are in the tables of the page', () => {
    const tables = page.split('\n').filter((line) => line.startsWith('|'));
    const isNamed = (text: string): boolean => tables.some((line) => line.split('|')[1]!.includes(`\`${text}\``));
    assert.deepEqual(
      foldersIn('src').filter((name) => !isNamed(`src/${name}/`)),
      [],
    );
    assert.deepEqual(
      foldersIn('src/engine').filter((name) => !isNamed(`${name}/`)),
      [],
    );
  });
});
