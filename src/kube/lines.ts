// Splits a stream of bytes into lines of limited length.
import { NetworkError } from './errors.ts';

const NEWLINE = 0x0a;

/** Skips empty lines. The bytes after the last newline are a line too. Throws NetworkError if a line is longer than maxBytes. */
export async function* linesOf(stream: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end));
      const line = joined(parts);
      parts = [];
      bytes = 0;
      start = end + 1;
      if (line.length > 0) yield line;
    }
    bytes += chunk.length - start;
    if (bytes > maxBytes) throw new NetworkError(`a line is longer than ${maxBytes} bytes`, 'TOOLARGE');
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  const rest = joined(parts);
  if (rest.length > 0) yield rest;
}

const joined = (parts: readonly Buffer[]): Buffer => (parts.length === 1 ? parts[0]! : Buffer.concat(parts));
