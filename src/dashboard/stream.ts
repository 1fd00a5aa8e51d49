// The event stream: reads lines, notices when nothing comes any more, and connects again.
import { linesOf } from './lines.ts';
import type { StreamLine } from './wire.ts';

export interface StreamHandlers {
  line(line: StreamLine): void;
  /** It is connected, or why not. */
  state(state: StreamState): void;
}

/** `locked`: the server refuses the token, so trying again is no use. */
export type StreamState = 'connected' | 'lost' | 'locked';

/** The server sends a line every 15 s at least. */
const SILENCE_MS = 40_000;
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 5_000;

export class Stream {
  private readonly token: string;
  private readonly handlers: StreamHandlers;
  private current = new AbortController();
  /** Ends the wait before the next attempt. */
  private hurry: () => void = () => undefined;
  private after: string | undefined;
  private opened: string | undefined;

  constructor(token: string, handlers: StreamHandlers) {
    this.token = token;
    this.handlers = handlers;
    for (const event of ['online', 'focus']) window.addEventListener(event, () => this.hurry());
  }

  /** Also streams this release: `namespace/name`. Undefined: none. */
  open(key: string | undefined): void {
    if (key === this.opened) return;
    this.opened = key;
    this.current.abort();
  }

  async run(): Promise<void> {
    let failures = 0;
    for (;;) {
      this.current = new AbortController();
      const asked = this.opened;
      const result = await this.once(this.current, () => (failures = 0));
      if (result === 'locked') return this.handlers.state('locked');
      // Another release was opened: that is no failure.
      if (asked !== this.opened) continue;
      this.handlers.state('lost');
      failures += 1;
      await this.pause(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1)));
    }
  }

  private async once(controller: AbortController, connected: () => void): Promise<'locked' | 'ended'> {
    const address = new URL('/api/stream', location.href);
    if (this.after !== undefined) address.searchParams.set('after', this.after);
    if (this.opened !== undefined) address.searchParams.set('open', this.opened);
    let timer = setTimeout(() => controller.abort(), SILENCE_MS);
    try {
      const response = await fetch(address, {
        headers: { authorization: `Bearer ${this.token}` },
        signal: controller.signal,
      });
      if (response.status === 401 || response.status === 403) return 'locked';
      if (!response.ok || !response.body) return 'ended';
      connected();
      this.handlers.state('connected');
      for await (const line of linesOf(response.body)) {
        clearTimeout(timer);
        timer = setTimeout(() => controller.abort(), SILENCE_MS);
        if (controller.signal.aborted) break;
        if ('id' in line && line.id !== undefined) this.after = line.id;
        this.handlers.line(line);
      }
    } catch {
      // The server has ended, or the network is away: try again.
    } finally {
      clearTimeout(timer);
      controller.abort();
    }
    return 'ended';
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
