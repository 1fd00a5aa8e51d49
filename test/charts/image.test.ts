// The image cannot be built here; what can be known of it without Docker is checked.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';

const root = new URL('../../', import.meta.url);
const read = (name: string): Promise<string> => readFile(new URL(name, root), 'utf8');

interface Locked {
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

/** `@kubernetes/client-node` of `@kubernetes/client-node/dist/x.js`. */
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

describe('The image', () => {
  it('has a Dockerfile without faults, which takes only what there is and is not kept from it', async () => {
    const text = await read('Dockerfile');
    assert.deepEqual(validate(text), []);
    const kept = (await read('.dockerignore'))
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
    for (const copy of DockerfileParser.parse(text).getCOPYs()) {
      if (copy.getFlags().some((flag) => flag.getName() === 'from')) continue;
      const names = copy.getArguments().map(String).slice(0, -1);
      for (const name of names) {
        assert.ok(existsSync(new URL(name, root)), name);
        assert.ok(kept.includes(name), `${name} is not in .dockerignore's exceptions`);
      }
    }
  });

  it('has each package that the program imports, and no other', async () => {
    const { dependencies } = JSON.parse(await read('package.json')) as { dependencies: Record<string, string> };
    const imported = new Set<string>();
    for await (const file of glob('src/**/*.ts', { cwd: root })) {
      const text = await read(file);
      // What only types are taken from is not there at run time.
      const statements = text.replaceAll(/import type [^;]*;/g, '');
      for (const [, specifier] of statements.matchAll(/(?:from |import\(|^import )'([^'.][^']*)'/gm))
        if (!specifier!.startsWith('node:')) imported.add(packageOf(specifier!));
    }
    assert.deepEqual([...imported].toSorted(), Object.keys(dependencies).toSorted());
  });

  it('is the same JavaScript on every platform', async () => {
    const { packages } = JSON.parse(await read('package-lock.json')) as { packages: Record<string, Locked> };
    const production = Object.entries(packages).filter(([name, { dev }]) => name !== '' && dev !== true);
    assert.ok(production.length > 50);
    const native = production.filter(([, { hasInstallScript, os, cpu }]) => hasInstallScript || os || cpu);
    assert.deepEqual(
      native.map(([name]) => name),
      [],
    );
  });
});
