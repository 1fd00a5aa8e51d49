// Keeps a valid serving certificate at hand: issues it, renews it, takes up what another replica has issued.
import type { Clock } from '../kube/api.ts';
import { silent, type Logger } from '../kube/log.ts';
import { WorkQueue, type Outcome } from '../kube/queue.ts';
import { createBundle, expiryOf, LIFETIMES, stepDue, take, type Bundle, type Lifetimes } from './bundle.ts';
import type { BundleStore } from './store.ts';

/** Where the server gets its certificate from, whoever issues it. */
export interface CertificateSource {
  readonly current: Bundle | undefined;
  /** Why there is no certificate yet, or why the newest one is not used. */
  readonly problem: string | undefined;
  start(): void;
  stop(): Promise<void>;
}

export interface CertificateOptions {
  readonly store: BundleStore;
  /** DNS names and IP addresses under which we are called. */
  readonly names: readonly string[];
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly lives?: Lifetimes;
  /** A first or another bundle is in use: the server must show it, and the API server trust it. */
  readonly onChange: (bundle: Bundle) => void;
}

/** A step of a rotation waits an hour or more, so looking twice an hour is enough. */
const LOOK_EVERY_MS = 1_800_000;
/** More than one rotation has steps: something is wrong if this is not enough. */
const MAX_STEPS = 8;
const KEY = 'certificates';

export class Certificates implements CertificateSource {
  private readonly options: CertificateOptions;
  private readonly lives: Lifetimes;
  private readonly logger: Logger;
  private readonly queue: WorkQueue;
  private bundle: Bundle | undefined;
  private lastProblem: string | undefined;

  constructor(options: CertificateOptions) {
    this.options = options;
    this.lives = options.lives ?? LIFETIMES;
    this.logger = options.logger ?? silent;
    this.queue = new WorkQueue({
      clock: options.clock,
      workers: 1,
      logger: this.logger,
      work: () => this.work(),
    });
  }

  get current(): Bundle | undefined {
    return this.bundle;
  }

  get problem(): string | undefined {
    return this.lastProblem;
  }

  start(): void {
    this.queue.start();
    this.check();
  }

  /** Looks now: what is kept may have changed. */
  check(): void {
    this.queue.add(KEY);
  }

  stop(): Promise<void> {
    return this.queue.drain();
  }

  private async work(): Promise<Outcome> {
    try {
      this.use(await this.settle());
      this.lastProblem = undefined;
    } catch (error) {
      this.lastProblem = error instanceof Error ? error.message : String(error);
      throw error;
    }
    // Not all replicas at the same moment.
    return { againAfterMs: LOOK_EVERY_MS * (0.5 + 0.5 * this.options.clock.random()) };
  }

  /** Does what is due until nothing is; whoever loses a race takes what the winner wrote. */
  private async settle(): Promise<Bundle> {
    const { store, names, clock } = this.options;
    for (let i = 0; i < MAX_STEPS; i++) {
      const kept = await store.read();
      const step = kept?.bundle ? stepDue(kept.bundle, names, clock.now(), this.lives) : 'start over';
      if (kept?.bundle && step === 'nothing') return kept.bundle;
      const next =
        kept?.bundle && step !== 'nothing'
          ? await take(step, kept.bundle, names, clock.now(), this.lives)
          : await createBundle(names, clock.now(), this.lives);
      if (await store.write(next, kept?.version)) this.logger.info('certificates: a step was taken', { step });
    }
    throw new Error(`the certificates are not settled after ${MAX_STEPS} steps: is something else writing them?`);
  }

  private use(bundle: Bundle): void {
    const { bundle: old } = this;
    if (old && old.cert === bundle.cert && old.key === bundle.key && old.ca === bundle.ca) return;
    this.bundle = bundle;
    const { leafMs, caMs } = expiryOf(bundle);
    const iso = (ms: number): string => new Date(ms).toISOString();
    this.logger.info('certificate in use', { validUntil: iso(leafMs), caValidUntil: iso(caMs) });
    this.options.onChange(bundle);
  }
}
