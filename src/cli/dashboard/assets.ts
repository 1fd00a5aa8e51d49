// The files of the page, by the path at which the server offers them. In a clone, Node removes the types of the modules.
import { readdirSync, readFileSync } from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Asset {
  /** For the header Content-Type. */
  readonly type: string;
  readonly content: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.js': 'text/javascript; charset=utf-8',
};

/** Of lit-html: the modules that the page imports, and those that they import. */
const LIT = ['lit-html.js', 'directive.js', 'directive-helpers.js', 'directives/guard.js', 'directives/repeat.js'];

/** The same for src/dashboard in a clone and for dist/dashboard in the package. The one-file plugin has the result (tools/release/plugin.ts). */
export function loadAssets(): ReadonlyMap<string, Asset> {
  const folder = fileURLToPath(new URL('../../dashboard/', import.meta.url));
  const assets = new Map<string, Asset>();
  const add = (name: string, content: string): void =>
    void assets.set(`/${name}`, { type: TYPES[path.extname(name)]!, content });
  for (const name of readdirSync(folder)) {
    const text = (): string => readFileSync(path.join(folder, name), 'utf8');
    if (name.endsWith('.ts')) add(name.replace(/\.ts$/, '.js'), served(module.stripTypeScriptTypes(text())));
    else if (name.endsWith('.js')) add(name, served(text()));
    else if (path.extname(name) in TYPES) add(name, text());
  }
  const lit = path.join(module.createRequire(import.meta.url).resolve('lit-html'), '../..');
  // Without the names of source maps, which the server does not have.
  for (const name of LIT)
    add(`lit/${name}`, readFileSync(path.join(lit, name), 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, ''));
  return assets;
}

/** A browser finds modules by their addresses only. */
const served = (text: string): string =>
  text
    .replace(/(from|import) '(\.[^']+)\.ts'/g, "$1 '$2.js'")
    .replace(
      /(from|import) 'lit-html(?:\/([^']+))?'/g,
      (_, word: string, file = 'lit-html.js') => `${word} '/lit/${file}'`,
    );
