// The plugin as one file: src/plugin.ts and all packages that it uses, for any Node 20 or newer.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';
import { loadAssets } from '../../src/cli/dashboard/assets.ts';
import { generateValidators } from '../build/validators.ts';

export interface Bundle {
  readonly text: string;
  /** Folders in node_modules of the packages that are in the bundle. */
  readonly packages: readonly string[];
}

/** CommonJS, because Node takes a file without an extension and without a package.json for CommonJS. */
export async function bundlePlugin(root: string, version: string): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/plugin.ts'],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minify: true,
    // Errors are recognised by the names of their classes.
    keepNames: true,
    legalComments: 'none',
    plugins: [standaloneValidators, embeddedPage],
    define: { TRANCHE_VERSION: JSON.stringify(version) },
    // cli.ts reads package.json only if the version is not defined.
    logOverride: { 'empty-import-meta': 'silent' },
    logLevel: 'warning',
    // Colours of `debug`, which does without.
    external: ['supports-color'],
    write: false,
    metafile: true,
    outfile: 'kubectl-tranche',
  });
  const folders = Object.keys(metafile.inputs).flatMap(
    (file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0] ?? [],
  );
  // The page's library is in the text of `embeddedPage`.
  const packages = [...new Set([...folders, 'node_modules/lit-html'])].toSorted();
  if (packages.includes('node_modules/ajv')) throw new Error('the plugin contains ajv: see standaloneValidators');
  return { text: outputFiles[0]!.text, packages };
}

/** As in other builds, the generated validators take the place of ajv. */
const standaloneValidators: Plugin = {
  name: 'standalone-validators',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]schema[\\/]validators\.ts$/ }, ({ path: file }) => ({
      contents: generateValidators('./ajv-runtime.ts'),
      loader: 'js',
      resolveDir: path.dirname(file),
    }));
  },
};

/** The files of the dashboard's page, as texts: one file has no folder next to it. */
const embeddedPage: Plugin = {
  name: 'embedded-page',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]cli[\\/]dashboard[\\/]assets\.ts$/ }, () => ({
      contents: `export const loadAssets = () => new Map(${JSON.stringify([...loadAssets()])});`,
      loader: 'js',
    }));
  },
};

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** The licences of the packages in the bundle, which most of them require to be passed on. Throws if a package names none. */
export function licencesOf(root: string, packages: readonly string[]): string {
  const texts = packages.map((folder) => {
    const at = path.join(root, folder);
    const about = JSON.parse(readFileSync(path.join(at, 'package.json'), 'utf8')) as PackageJson;
    const files = readdirSync(at).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
    const text = files.map((name) => readFileSync(path.join(at, name), 'utf8').trim()).join('\n\n');
    const licence = about.license;
    if (!licence) throw new Error(`${about.name} ${about.version} names no licence`);
    return `${about.name} ${about.version} (${licence})\n\n${text || `The package contains no text of its licence, ${licence}.`}\n`;
  });
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}
