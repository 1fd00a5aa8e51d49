// No module needs, to be loaded, a module that needs it: a circle of values works only as long as nobody changes the order of imports.
import assert from 'node:assert/strict';
import { glob } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { circles, readImports, valueImports } from './cycles.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

const graph = (edges: Record<string, string[]>): Map<string, string[]> => new Map(Object.entries(edges));

describe('circles', () => {
  it('finds none where every way ends', () => {
    assert.deepEqual(circles(graph({ a: ['b', 'c'], b: ['c'], c: ['package'] })), []);
  });

  it('finds a module that imports itself, two that import each other, and a long way round', () => {
    assert.deepEqual(circles(graph({ a: ['a'] })), [['a']]);
    assert.deepEqual(circles(graph({ a: ['b'], b: ['a'], c: ['a'] })), [['a', 'b']]);
    assert.deepEqual(circles(graph({ start: ['a'], a: ['b', 'end'], b: ['c'], c: ['a'], end: [] })), [['a', 'b', 'c']]);
  });

  it('keeps apart two that do not touch, and puts together two that share a module', () => {
    assert.deepEqual(circles(graph({ a: ['b'], b: ['a', 'c'], c: ['d'], d: ['c'] })), [
      ['a', 'b'],
      ['c', 'd'],
    ]);
    assert.deepEqual(circles(graph({ a: ['b', 'c'], b: ['a'], c: ['a'] })), [['a', 'b', 'c']]);
  });
});

describe('valueImports', () => {
  it('counts what is there when the module is loaded, and no types', () => {
    const text = [
      "import a, { type A } from './a.ts';",
      "import './b.ts';",
      "import { type C } from './c.ts';", // Node keeps this as `import './c.ts'`.
      "export { d } from './d.ts';",
      "export * from './e.ts';",
      "import type { F } from './f.ts';",
      "export type { G } from './g.ts';",
      "const later = import('./h.ts');",
    ].join('\n');
    assert.deepEqual(valueImports(text), ['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts']);
  });
});

describe('the modules', () => {
  it('have no circle of values', async () => {
    const files: string[] = [];
    for await (const file of glob('{src,sandbox/src,sandbox/test,tools,test,certs}/**/*.ts', { cwd: root }))
      files.push(path.join(root, file));
    const imports = readImports(files);
    assert.ok(files.length > 400);
    // Every import leads to a file that we have read, so none is left out.
    for (const [file, targets] of imports)
      for (const target of targets) assert.ok(imports.has(target) || !target.endsWith('.ts'), `${file}: ${target}`);
    assert.deepEqual(
      circles(imports).map((group) => group.map((file) => path.relative(root, file))),
      [],
    );
  });
});
