// Who signs the client certificates of the API server: read from a file, and read again when it changes.
import { readFile } from 'node:fs/promises';
import type { Clock } from '../kube/api.ts';
import { silent, type Logger } from '../kube/log.ts';
import { parseCertificates } from './bundle.ts';

export interface ClientCaOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Another text is in use. */
  readonly onChange: () => void;
}

/** A mounted ConfigMap is up to a minute behind anyway. */
const POLL_MS = 10_000;

export class ClientCa {
  private readonly options: ClientCaOptions;
  private pem = '';
  private stopped = false;
  private cancel: (() => void) | undefined;

  constructor(options: ClientCaOptions) {
    this.options = options;
  }

  /** PEM. */
  get current(): string {
    return this.pem;
  }

  /** Rejects when the file cannot be used. Later, a file that cannot be used changes nothing. */
  async start(): Promise<void> {
    this.pem = await this.read();
    this.poll();
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
  }

  private poll(): void {
    this.cancel = this.options.clock.after(POLL_MS, () => {
      void this.look().finally(() => {
        if (!this.stopped) this.poll();
      });
    });
  }

  private async look(): Promise<void> {
    const { logger = silent, file, onChange } = this.options;
    try {
      const pem = await this.read();
      if (pem === this.pem) return;
      this.pem = pem;
      logger.info('another CA of client certificates is in use', { file });
      onChange();
    } catch (error) {
      logger.warn('the CA of client certificates cannot be read, the old one stays in use', { file, error });
    }
  }

  private async read(): Promise<string> {
    const pem = await readFile(this.options.file, 'utf8');
    parseCertificates(pem);
    return pem;
  }
}
