// The output formats of -o: table, objects, or a jsonpath applied to the objects.
import { GROUP } from '../api/keys.ts';
import type { KubeObject } from '../api/types.ts';
import type { Context } from './context.ts';
import { usageError } from './exit.ts';

export type Format = 'table' | 'wide' | 'json' | 'yaml' | 'name' | { readonly jsonpath: string };

const NAMES = ['table', 'wide', 'json', 'yaml', 'name'] as const;

/** `allowed`: the formats that the command supports. Throws CliError. */
export function parseFormat(value: string | undefined, allowed: readonly (typeof NAMES)[number][] = NAMES): Format {
  if (value === undefined) return 'table';
  const [, path] = /^jsonpath=(.*)$/s.exec(value) ?? [];
  if (path !== undefined) return { jsonpath: path };
  const name = allowed.find((known) => known === value);
  if (name === undefined) throw usageError(`invalid -o "${value}": write ${allowed.join(', ')} or jsonpath='{...}'`);
  return name;
}

export const isTable = (format: Format): format is 'table' | 'wide' => format === 'table' || format === 'wide';

/** Prints all formats except tables. `names`: the output of `-o name`. */
export async function printData(
  { io }: Context,
  format: Exclude<Format, 'table' | 'wide'>,
  data: unknown,
  names: readonly string[] = [],
): Promise<void> {
  if (format === 'json') return io.data(`${JSON.stringify(data, null, 2)}\n`);
  if (format === 'yaml') {
    const { stringify } = await import('yaml');
    return io.data(stringify(data, { lineWidth: 0, aliasDuplicateObjects: false }));
  }
  if (format === 'name') return io.data(names.map((name) => `${name}\n`).join(''));
  const { jsonpath } = await import('./jsonpath.ts');
  return io.data(`${jsonpath(format.jsonpath, data)}\n`);
}

/** One line of `-o name`. */
export const rolloutName = ({ metadata }: KubeObject): string => `rollout.${GROUP}/${metadata.name}`;

/** The form in which `kubectl get -o json` prints several objects. */
export const listOf = (items: readonly unknown[]): object => ({
  apiVersion: 'v1',
  kind: 'List',
  metadata: {},
  items,
});

/** Without managedFields. */
export function tidy<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata as T['metadata'] & { managedFields?: unknown };
  return { ...object, metadata };
}
