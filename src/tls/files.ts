// Certificates from another issuer, such as cert-manager. Reads them from a directory, and reads them again when they change.
import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../kube/api.ts';
import { silent, type Logger } from '../kube/log.ts';
import { flawOf, type Bundle } from './bundle.ts';
import type { CertificateSource } from './certificates.ts';

export interface FileOptions {
  /** Contains tls.crt, tls.key and ca.crt, like a mounted Secret of cert-manager. */
  readonly folder: string;
  readonly names: readonly string[];
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly onChange: (bundle: Bundle) => void;
}

/** A mounted Secret changes by a rename of `..data`, which not every file system reports. */
const POLL_MS = 60_000;
/** While the files cannot be used. */
const POLL_PROBLEM_MS = 10_000;

export class CertificateFiles implements CertificateSource {
  private readonly options: FileOptions;
  private readonly logger: Logger;
  private watcher: FSWatcher | undefined;
  private cancel: (() => void) | undefined;
  private reading: Promise<void> | undefined;
  private again = false;
  private stopped = false;
  private bundle: Bundle | undefined;
  private lastProblem: string | undefined;

  constructor(options: FileOptions) {
    this.options = options;
    this.logger = (options.logger ?? silent).child({ folder: options.folder });
  }

  get current(): Bundle | undefined {
    return this.bundle;
  }

  get problem(): string | undefined {
    return this.lastProblem;
  }

  start(): void {
    try {
      this.watcher = watch(this.options.folder, () => this.check());
      this.watcher.on('error', (error) =>
        this.logger.warn('cannot watch the certificate directory; polling it instead', { error }),
      );
    } catch (error) {
      this.logger.warn('cannot watch the certificate directory; polling it instead', { error });
    }
    this.check();
  }

  check(): void {
    if (this.stopped) return;
    if (this.reading) {
      this.again = true;
      return;
    }
    this.cancel?.();
    this.reading = this.read().finally(() => {
      this.reading = undefined;
      if (this.stopped) return;
      if (this.again) {
        this.again = false;
        this.check();
      } else {
        const ms = this.lastProblem === undefined ? POLL_MS : POLL_PROBLEM_MS;
        this.cancel = this.options.clock.after(ms, () => this.check());
      }
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    this.watcher?.close();
    await this.reading;
  }

  private async read(): Promise<void> {
    const file = (name: string): Promise<string> => readFile(path.join(this.options.folder, name), 'utf8');
    let found: Bundle;
    try {
      const [cert, key, ca] = await Promise.all([file('tls.crt'), file('tls.key'), file('ca.crt')]);
      found = { cert, key, ca, caKey: '' };
    } catch (error) {
      return this.complain(error instanceof Error ? error.message : String(error));
    }
    const { bundle: old } = this;
    if (old && old.cert === found.cert && old.key === found.key && old.ca === found.ca) {
      this.lastProblem = undefined;
      return;
    }
    // An incomplete change, such as the new certificate with the old key, is not used: the other files follow.
    const flaw = flawOf(found, this.options.names, this.options.clock.now());
    if (flaw) return this.complain(flaw);
    this.lastProblem = undefined;
    this.bundle = found;
    this.logger.info('using a new certificate');
    this.options.onChange(found);
  }

  private complain(problem: string): void {
    if (this.lastProblem !== problem) this.logger.warn('cannot use the certificate files', { problem });
    this.lastProblem = problem;
  }
}
