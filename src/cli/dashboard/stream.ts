// One open event stream: lines of JSON, a heartbeat, and no more in memory than what the browser has not read yet.
import type { ServerResponse } from 'node:http';
import type { StreamLine } from '../../dashboard/wire.ts';

const BEAT_MS = 15_000;

export class LineStream {
  private readonly response: ServerResponse;
  private readonly beat: NodeJS.Timeout;
  private readonly closed: (() => void)[] = [];
  private free = true;

  /** `response`: with its headers. `now`: milliseconds since the epoch. */
  constructor(response: ServerResponse, now: () => number) {
    this.response = response;
    this.beat = setInterval(() => {
      if (this.ready) this.send({ beat: now() });
    }, BEAT_MS);
    response.on('drain', () => (this.free = true));
    response.once('close', () => {
      clearInterval(this.beat);
      for (const end of this.closed) end();
    });
    this.send({ beat: now() });
  }

  /** False while the browser has not read what was sent: send the newest state later instead of every state. */
  get ready(): boolean {
    return this.free && !this.response.writableEnded && !this.response.destroyed;
  }

  send(line: StreamLine): void {
    if (this.response.writableEnded || this.response.destroyed) return;
    this.free = this.response.write(`${JSON.stringify(line)}\n`);
  }

  /** Calls it when the stream, which is not ready, is ready again: never, if it has ended. */
  whenReady(run: () => void): void {
    this.response.once('drain', run);
  }

  onClose(run: () => void): void {
    if (this.response.destroyed) run();
    else this.closed.push(run);
  }

  end(): void {
    this.response.end();
  }
}
