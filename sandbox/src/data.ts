// Keeps a cluster in a folder, like etcd and /etc/kubernetes/pki: a journal of all changes, and the keys, for the next start.
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { signingKeyText } from './auth/index.ts';
import { Store, type Kept } from './core/store.ts';
import type { KubeObject } from './core/types.ts';
import { createAuthority, type Authority, type Pair } from './server/certificates.ts';

/** The content of the folder is not usable. The message says what to do. */
export class DataError extends Error {}

export interface Data {
  readonly authority: Authority;
  readonly cluster: { readonly store: Store; readonly signingKey: string };
  close(): void;
}

/** A line of the journal: the counter, an object, or a deletion. */
interface Line {
  revision: number;
  collection?: string;
  object?: KubeObject;
  gone?: { namespace?: string | undefined; name: string };
}

const PRIVATE = 0o600;

/**
 * All answered changes are in the journal, even if the process is killed: each change is passed to the operating system before
 * anyone receives it. (It is not synced to disk, so a crash of the machine may lose changes.)
 */
export async function openData(folder: string): Promise<Data> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { root, signingKey } = await readKeys(path.join(folder, 'keys.json'));
  const journal = path.join(folder, 'journal.jsonl');
  const kept = readJournal(journal);
  const store = new Store(kept ? { kept } : {});
  // Rewritten at each start, so that it contains each object once.
  const fresh = `${journal}.new`;
  const lines: Line[] = [{ revision: store.revision }, ...(kept?.objects ?? []).map(lineOf)];
  writeFileSync(fresh, lines.map(textOf).join(''), { mode: PRIVATE });
  renameSync(fresh, journal);
  const file = openSync(journal, 'a', PRIVATE);
  const end = store.observe(({ revision, collection, type, object }) => {
    const { namespace, name } = object.metadata;
    writeSync(
      file,
      textOf({ revision, collection, ...(type === 'DELETED' ? { gone: { namespace, name } } : { object }) }),
    );
  });
  return {
    authority: await createAuthority(root),
    cluster: { store, signingKey },
    close() {
      end();
      closeSync(file);
    },
  };
}

const textOf = (line: Line): string => `${JSON.stringify(line)}\n`;

const lineOf = ({ collection, object }: Kept['objects'][number]): Line => ({
  revision: Number(object.metadata.resourceVersion),
  collection,
  object,
});

async function readKeys(file: string): Promise<{ root: Pair; signingKey: string }> {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as { root: Pair; signingKey: string };
  const keys = { root: (await createAuthority()).pair, signingKey: signingKeyText() };
  // The rename comes last, so the file is always complete.
  writeFileSync(`${file}.new`, JSON.stringify(keys), { mode: PRIVATE });
  renameSync(`${file}.new`, file);
  return keys;
}

function readJournal(file: string): Kept | undefined {
  if (!existsSync(file)) return undefined;
  const objects = new Map<string, Kept['objects'][number]>();
  let revision = 1;
  const lines = readFileSync(file, 'utf8').split('\n');
  // A killed process may leave an incomplete line, whose change nobody has received.
  lines.pop();
  for (const [i, text] of lines.entries()) {
    let line: Line;
    try {
      line = JSON.parse(text) as Line;
    } catch (error) {
      throw new DataError(
        `${file} is not a valid journal (line ${i + 1}): remove the folder, or choose another one with --data`,
        {
          cause: error,
        },
      );
    }
    revision = Math.max(revision, line.revision);
    const { collection, object } = line;
    if (collection === undefined) continue;
    const { namespace = '', name } = object?.metadata ?? line.gone!;
    const key = `${collection}/${namespace}/${name}`;
    if (object) objects.set(key, { collection, object });
    else objects.delete(key);
  }
  return { revision, objects: [...objects.values()] };
}
