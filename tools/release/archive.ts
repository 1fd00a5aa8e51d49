// Archives that are the same for the same content: no times, no owners.
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import tar from 'tar-stream';

export interface Entry {
  readonly name: string;
  readonly content: string;
  readonly executable?: true;
}

/** Returns a .tar.gz. */
export async function pack(entries: readonly Entry[]): Promise<Buffer> {
  const archive = tar.pack();
  for (const { name, content, executable } of entries)
    archive.entry({ name, mode: executable ? 0o755 : 0o644, mtime: new Date(0) }, content);
  archive.finalize();
  return gzipSync(await buffer(archive), { level: 9 });
}
