// The image cannot be built here; what can be known of it without Docker is checked.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';

const root = new URL('../../', import.meta.url);
const read = (name: string): Promise<string> => readFile(new URL(name, root), 'utf8');

/** An entry of package-lock.json. */
interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly hasInstallScript?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

type Lock = Readonly<Record<string, Locked>>;

const readLock = async (): Promise<Lock> =>
  (JSON.parse(await read('package-lock.json')) as { packages: Lock }).packages;

/** Where the lock has a package that is imported from a folder: in the nearest node_modules, as Node looks for it. */
function locate(lock: Lock, from: string, name: string): string | undefined {
  const place = `${from && `${from}/`}node_modules/${name}`;
  if (place in lock) return place;
  return from === '' ? undefined : locate(lock, from.slice(0, Math.max(from.lastIndexOf('/node_modules/'), 0)), name);
}

/** The packages that a production install has: what package.json depends on, and what that depends on. No workspace is in the image. */
function production(lock: Lock): Set<string> {
  const found = new Set<string>();
  const queue = [''];
  for (const place of queue) {
    const { dependencies, optionalDependencies, peerDependencies } = lock[place]!;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const at = locate(lock, place, name);
      if (at === undefined || found.has(at)) continue;
      found.add(at);
      queue.push(at);
    }
  }
  return found;
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
      // The build replaces it by generated code (tools/build/validators.ts).
      if (file === 'src/schema/validators.ts') continue;
      const text = await read(file);
      // What only types are taken from is not there at run time.
      const statements = text.replaceAll(/import type [^;]*;/g, '');
      for (const [, specifier] of statements.matchAll(/(?:from |import\(|^import )'([^'.][^']*)'/gm))
        if (!specifier!.startsWith('node:')) imported.add(packageOf(specifier!));
    }
    assert.deepEqual([...imported].toSorted(), Object.keys(dependencies).toSorted());
  });

  it('is the same JavaScript on every platform', async () => {
    const lock = await readLock();
    const places = [...production(lock)];
    assert.ok(places.length > 50);
    const native = places.filter((place) => lock[place]!.hasInstallScript || lock[place]!.os || lock[place]!.cpu);
    assert.deepEqual(native, []);
  });

  it('has neither the embedded cluster nor what only the embedded cluster needs', async () => {
    const lock = await readLock();
    const places = production(lock);
    const { dependencies } = JSON.parse(await read('package.json')) as { dependencies: Record<string, string> };
    const own = Object.keys(lock.sandbox!.dependencies!).filter((name) => !(name in dependencies));
    assert.ok(own.length > 3);
    for (const name of ['@tranche/sandbox', ...own]) assert.ok(!places.has(locate(lock, '', name)!), name);
    // npm installs a workspace whose folder is there.
    const copied = DockerfileParser.parse(await read('Dockerfile'))
      .getCOPYs()
      .flatMap((copy) => copy.getArguments().map(String));
    assert.ok(copied.every((name) => name !== '.' && !name.startsWith('sandbox')));
  });
});
