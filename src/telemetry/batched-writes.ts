// A stream before stdout that gathers what one turn of the event loop writes.
import { Writable } from 'node:stream';

/**
 * Writes to `target` once a turn, when the work of the turn is done: stdout of a container is a pipe, and each write to a pipe waits for
 * the kernel, which an answer to the API server need not wait for. `flush` writes at once what there is.
 */
export class OncePerTurn extends Writable {
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
