// The package: its dependencies are exactly its imports, and its exports exist.
import { strict as assert } from 'node:assert';
import { existsSync, readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';

const root = new URL('../', import.meta.url);

interface Package {
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const own = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Package;

/** `@peculiar/x509` of `@peculiar/x509/build/x.js`. */
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** The packages that the files of a folder import. */
async function importedBy(folder: string): Promise<string[]> {
  const found = new Set<string>();
  for await (const file of glob(`${folder}/**/*.ts`, { cwd: root })) {
    const text = readFileSync(new URL(file, root), 'utf8');
    for (const [, specifier] of text.matchAll(/(?:from |import\(|resolve\(|^import )'([^'.][^']*)'/gm))
      if (!specifier!.startsWith('node:')) found.add(packageOf(specifier!));
  }
  return [...found].toSorted();
}

describe('the package', () => {
  it('depends on exactly the packages that it imports', async () => {
    // The schemas are generated from the models of a client that is installed for this only.
    const imported = (await importedBy('src')).filter((name) => name !== '@kubernetes/client-node');
    assert.deepEqual(imported, Object.keys(own.dependencies).toSorted());
  });

  it('lists the packages that its tests import', async () => {
    const named = { ...own.dependencies, ...own.devDependencies };
    assert.deepEqual(
      (await importedBy('test')).filter((name) => !(name in named)),
      [],
    );
  });

  it('has a file for each export', () => {
    for (const file of Object.values(own.exports)) assert.ok(existsSync(new URL(file, root)), file);
  });
});
