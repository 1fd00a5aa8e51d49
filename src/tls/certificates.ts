// Issues and renews the serving certificate, and uses the one that another replica has issued.
import type { Clock } from '../kube/api.ts';
import { silent, type Logger } from '../kube/log.ts';
import { WorkQueue, type Outcome } from '../kube/queue.ts';
import { createBundle, expiryOf, LIFETIMES, stepDue, applyStep, type Bundle, type Lifetimes } from './bundle.ts';
import type { BundleStore } from './store.ts';

/** Source of the serving certificate. */
export interface CertificateSource {
  readonly current: Bundle | undefined;
  /** Why there is no certificate yet, or why the newest one is not in use. */
  readonly problem: string | undefined;
  start(): void;
  stop(): Promise<void>;
}

export interface CertificateOptions {
  readonly store: BundleStore;
  /** DNS names and IP addresses of the webhook server. */
  readonly names: readonly string[];
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly lives?: Lifetimes;
  /** Called with the first bundle and each new one: the server must serve it, and the API server must trust it. */
  readonly onChange: (bundle: Bundle) => void;
}

/** The steps of a rotation are an hour or more apart, so a check twice an hour is enough. */
const CHECK_EVERY_MS = 1_800_000;
/** More than the steps of one rotation. If they are not enough, something is wrong. */
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

  /** Checks now, because the stored certificates may have changed. */
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
    // Random, so that the replicas do not check at the same time.
    return { againAfterMs: CHECK_EVERY_MS * (0.5 + 0.5 * this.options.clock.random()) };
  }

  /** Applies steps until none is due. If another replica writes first, uses its result. */
  private async settle(): Promise<Bundle> {
    const { store, names, clock } = this.options;
    for (let i = 0; i < MAX_STEPS; i++) {
      const kept = await store.read();
      const step = kept?.bundle ? stepDue(kept.bundle, names, clock.now(), this.lives) : 'start over';
      if (kept?.bundle && step === 'nothing') return kept.bundle;
      const next =
        kept?.bundle && step !== 'nothing'
          ? await applyStep(step, kept.bundle, names, clock.now(), this.lives)
          : await createBundle(names, clock.now(), this.lives);
      if (await store.write(next, kept?.version)) this.logger.info('certificates: rotation step done', { step });
    }
    throw new Error(
      `the certificates still need changes after ${MAX_STEPS} steps: check whether another program writes the same Secret`,
    );
  }

  private use(bundle: Bundle): void {
    const { bundle: old } = this;
    if (old && old.cert === bundle.cert && old.key === bundle.key && old.ca === bundle.ca) return;
    this.bundle = bundle;
    const { leafMs, caMs } = expiryOf(bundle);
    const iso = (ms: number): string => new Date(ms).toISOString();
    this.logger.info('using a new certificate', { validUntil: iso(leafMs), caValidUntil: iso(caMs) });
    this.options.onChange(bundle);
  }
}
