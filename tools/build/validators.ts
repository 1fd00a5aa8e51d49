// Replaces the compiled src/schema/validators.ts in a build by code that ajv generates: node tools/build/validators.ts FOLDER
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import standalone from 'ajv/dist/standalone/index.js';
import * as validators from '../../src/schema/validators.ts';

const { ajv, ...compiled } = validators;
const names = Object.keys(compiled);

/** The text of a module with the exports of src/schema/validators.ts except `ajv`. `runtime`: how it imports src/schema/ajv-runtime.ts. */
export function generateValidators(runtime: string): string {
  const code = standalone.default(ajv, Object.fromEntries(names.map((name) => [name, name])));
  // ajv has no import statement for the only function of its own that it needs.
  const text = code.replaceAll('require("ajv/dist/runtime/ucs2length").default', 'lengthOf');
  const left = /\brequire\(.{0,80}/.exec(text)?.[0];
  if (left !== undefined) throw new Error(`the validators need a module that a build does not have: ${left}`);
  return `import { formats, lengthOf, regExp } from ${JSON.stringify(runtime)};\n${text}\n`;
}

/** Throws if the folder has not what tsc made of src/, or if what is written does not work. */
export async function replaceValidators(folder: string): Promise<void> {
  const file = path.resolve(folder, 'schema/validators.js');
  const replaced = [...readFileSync(file, 'utf8').matchAll(/^export const (\w+) = /gm)].map(([, name]) => name!);
  if (replaced.toSorted().join() !== Object.keys(validators).join())
    throw new Error(`${file} is not what tsc makes of src/schema/validators.ts: build again`);
  writeFileSync(file, generateValidators('./ajv-runtime.js'));
  const written = (await import(pathToFileURL(file).href)) as Readonly<Record<string, (object: unknown) => boolean>>;
  for (const name of names)
    if (written[name]?.({}) !== false) throw new Error(`${file}: ${name} does not refuse an empty object`);
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('usage: node tools/build/validators.ts FOLDER');
  await replaceValidators(folder);
}
