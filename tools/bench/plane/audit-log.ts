// Reads the audit log of an API server as it grows.
import { readFileSync, statSync } from 'node:fs';
import { requestsIn, type Own, type Requests } from './audit.ts';

/** Counts the requests since the last call. */
export function auditReader(file: string, own: Own): () => Requests {
  let read = 0;
  return () => {
    // As long as a write is not finished, the last line is not whole.
    const end = statSync(file).size;
    const text = readFileSync(file).subarray(read, end).toString();
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    read += Buffer.byteLength(whole);
    return requestsIn(whole.split('\n').slice(0, -1), own);
  };
}
