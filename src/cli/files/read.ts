// Reads objects from YAML and JSON files, with their line numbers.
import { readFile } from 'node:fs/promises';
import {
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Document,
  type Node,
} from 'yaml';
import type { Io } from '../io.ts';
import { CliError, EXIT, usageError } from '../exit.ts';

export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export interface Found {
  readonly object: Readonly<Record<string, unknown>>;
  /** The place of a field such as `spec.strategy.canary.steps[1].replicas`, or of its closest parent. */
  place(field: string): Place;
}

export interface Mistake {
  readonly place: Place;
  readonly message: string;
}

export interface Contents {
  readonly objects: readonly Found[];
  /** Syntax errors. */
  readonly mistakes: readonly Mistake[];
}

/** "-" is standard input. Throws CliError if a file is not readable, or if the files contain no object at all. */
export async function readObjects(io: Io, files: readonly string[]): Promise<Contents> {
  const all = await Promise.all(files.map(async (file) => parseObjects(titleOf(file), await readText(io, file))));
  const objects = all.flatMap((one) => one.objects);
  const mistakes = all.flatMap((one) => one.mistakes);
  if (objects.length + mistakes.length === 0)
    throw usageError(`no objects in ${files.map(titleOf).join(', ')}: the input is empty`);
  return { objects, mistakes };
}

/** Like readObjects, but throws CliError for the first syntax error. */
export async function readAll(io: Io, files: readonly string[]): Promise<readonly Found[]> {
  const { objects, mistakes } = await readObjects(io, files);
  const [mistake] = mistakes;
  if (mistake)
    throw new CliError(`${mistake.place.file}:${mistake.place.line}:${mistake.place.column}: ${mistake.message}`);
  return objects;
}

const titleOf = (file: string): string => (file === '-' ? 'stdin' : file);

async function readText(io: Io, file: string): Promise<string> {
  if (file === '-') return io.stdin();
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = { ENOENT: 'no such file', EACCES: 'permission denied', EISDIR: 'is a directory: name its files' }[
      code ?? ''
    ];
    throw new CliError(`${file}: ${why ?? message}`, EXIT.usage);
  }
}

export function parseObjects(file: string, text: string): Contents {
  const counter = new LineCounter();
  const objects: Found[] = [];
  const mistakes: Mistake[] = [];
  const at = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  for (const document of parseAllDocuments(text, { lineCounter: counter, prettyErrors: false, logLevel: 'error' })) {
    if (!('contents' in document)) continue;
    for (const { message, pos } of document.errors) mistakes.push({ place: at(pos[0]), message });
    if (document.errors.length > 0) continue;
    collect(document, document.contents, [], at, objects, mistakes);
  }
  return { objects, mistakes };
}

type At = (offset: number) => Place;

/** Collects the object, or the items of a List. */
function collect(
  document: Document,
  node: unknown,
  path: readonly (string | number)[],
  at: At,
  objects: Found[],
  mistakes: Mistake[],
): void {
  if (!isMap(node)) {
    if (isNode(node) && !(isScalar(node) && node.value === null))
      mistakes.push({
        place: at(node.range?.[0] ?? 0),
        message: 'not a Kubernetes object: apiVersion and kind are required',
      });
    return;
  }
  let object: Record<string, unknown>;
  try {
    // The library throws for aliases that expand without limit.
    object = node.toJS(document) as Record<string, unknown>;
  } catch (error) {
    mistakes.push({ place: at(node.range?.[0] ?? 0), message: (error as Error).message });
    return;
  }
  const items = node.get('items', true);
  if (typeof object['kind'] === 'string' && object['kind'].endsWith('List') && isSeq(items)) {
    items.items.forEach((item, i) => collect(document, item, [...path, 'items', i], at, objects, mistakes));
    return;
  }
  objects.push({ object, place: (field) => at(offsetOf(document, node, field)) });
}

/** Splits `a.b[2].c` and `metadata.annotations[x.y/z]` into keys. */
export function keysOf(field: string): (string | number)[] {
  return [...field.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(([, bracket = '', name]) =>
    name !== undefined ? name : /^\d+$/.test(bracket) ? Number(bracket) : bracket,
  );
}

function offsetOf(document: Document, from: Node, field: string): number {
  let node: unknown = from;
  let offset = from.range?.[0] ?? 0;
  for (const key of keysOf(field)) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
      );
      if (!pair) return offset;
      offset = isNode(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
      node = pair.value;
    } else if (isSeq(node) && typeof key === 'number') {
      const item: unknown = node.items[key];
      if (!isNode(item)) return offset;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else return offset;
  }
  return offset;
}
