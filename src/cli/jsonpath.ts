// `-o jsonpath=`: the text that a template makes of the objects.
import { JsonPathError, renderJsonPath } from '../engine/lib/jsonpath.ts';
import { usageError } from './exit.ts';

/** Throws CliError for an invalid template. */
export function jsonpath(template: string, root: unknown): string {
  try {
    return renderJsonPath(template, root);
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error;
    const source = template.includes('{') ? template : `{${template.startsWith('.') ? '' : '.'}${template}}`;
    throw usageError(`invalid -o jsonpath=${source}: ${error.message}; write for example '{.items[*].metadata.name}'`);
  }
}
