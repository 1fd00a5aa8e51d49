// The CA of the API server's client certificates. Reads it from a file, and reads it again when the file changes.
import { readFile } from 'node:fs/promises';
import type { Clock } from '../kube/api.ts';
import { silent, type Logger } from '../kube/log.ts';
import { parseCertificates } from './bundle.ts';

export interface ClientCaOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Called after the CA has changed. */
  readonly onChange: () => void;
}

/** The kubelet updates a mounted ConfigMap only about once a minute. */
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

  /** Rejects if the file is missing or invalid. Later, the old CA stays in use in that case. */
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
      logger.info('the CA of client certificates has changed', { file });
      onChange();
    } catch (error) {
      logger.warn('cannot read the CA of client certificates; the previous CA stays in use', { file, error });
    }
  }

  private async read(): Promise<string> {
    const pem = await readFile(this.options.file, 'utf8');
    parseCertificates(pem);
    return pem;
  }
}
