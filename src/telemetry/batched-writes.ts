// A stream that batches the writes to stdout of one turn of the event loop.
import { Writable } from 'node:stream';

/**
 * Writes to `target` once per turn of the event loop, after its other work. The stdout of a container is a pipe, and each write to a pipe
 * is synchronous, so it would delay the answers to the API server. `flush` writes the batch at once.
 */
export class BatchedWrites extends Writable {
  private readonly target: NodeJS.WritableStream;
  private pending = '';

  constructor(target: NodeJS.WritableStream) {
    super({ decodeStrings: false });
    this.target = target;
  }

  override _write(chunk: string | Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.pending === '') setImmediate(() => this.flush());
    this.pending += chunk.toString();
    done();
  }

  flush(): void {
    const text = this.pending;
    this.pending = '';
    if (text !== '') this.target.write(text);
  }
}
