// Cuts a stream of bytes into lines, each bounded; half a character at the edge of a chunk stays whole.
import { NetworkError } from './errors.ts';

const NEWLINE = 0x0a;

/** Empty lines are left out; what follows the last newline is a line too. */
export async function* linesOf(stream: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end));
      const line = Buffer.concat(parts).toString('utf8');
      parts = [];
      bytes = 0;
      start = end + 1;
      if (line !== '') yield line;
    }
    bytes += chunk.length - start;
    if (bytes > maxBytes) throw new NetworkError(`a line is longer than ${maxBytes} bytes`, 'TOOLARGE');
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  const rest = Buffer.concat(parts).toString('utf8');
  if (rest !== '') yield rest;
}
