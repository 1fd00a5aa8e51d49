// Variables of `make bench` that name files.
import { existsSync } from 'node:fs';
import path from 'node:path';

export class ChoiceError extends Error {}

/** The folder in a variable. Throws ChoiceError if it does not contain these files. `what`: what it must be. */
export function folderOf(variable: string, value: string, files: readonly string[], what: string): string {
  const folder = `${path.resolve(value)}/`;
  if (!files.every((file) => existsSync(path.join(folder, file))))
    throw new ChoiceError(`${variable}: Invalid value: ${JSON.stringify(value)}: must be ${what}`);
  return folder;
}
