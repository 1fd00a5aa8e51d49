// A client that continuously edits, approves, scales, rolls back and breaks images, in an order that its seed determines.
import { setTimeout as pause } from 'node:timers/promises';
import type { Chance } from './chance.ts';
import type { Stage } from './stage.ts';
import type { Subject } from './subject.ts';

/**
 * Budgets that a user may write. They differ from the percentages that Tranche writes for 2 to 6 replicas (25%, 17%, 34% …): while a
 * Deployment is held, an edit that equals the current value cannot be noticed (docs/holding.md).
 */
const LIMITS = [
  { maxSurge: '24%', maxUnavailable: '26%' },
  { maxSurge: '31%', maxUnavailable: '21%' },
  { maxSurge: '49%', maxUnavailable: '18%' },
  { maxSurge: '10%', maxUnavailable: '35%' },
] as const;
const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
const MAX_WAIT_MS = 900;

export class Client {
  /** Number of accepted and refused changes. */
  done = 0;
  refused = 0;
  private readonly stage: Stage;
  private readonly chance: Chance;
  private readonly subjects: readonly Subject[];
  private running: Promise<unknown> | undefined;
  private stopped = false;
  private version = 0;

  static async start(stage: Stage, chance: Chance, count = 2): Promise<Client> {
    const subjects: Subject[] = [];
    for (let i = 0; i < count; i++) subjects.push(await stage.subject(4, STEPS));
    const client = new Client(stage, chance, subjects);
    client.running = Promise.all(subjects.map((subject) => client.work(subject)));
    return client;
  }

  private constructor(stage: Stage, chance: Chance, subjects: readonly Subject[]) {
    this.stage = stage;
    this.chance = chance;
    this.subjects = subjects;
  }

  stop(): void {
    this.stopped = true;
  }

  /** Stops, completes all releases, and checks the result. */
  async finish(): Promise<void> {
    this.stop();
    await this.running;
    await Promise.all(
      this.subjects.map(async (subject) => {
        const spec = { disabled: false, strategy: { paused: false } };
        await this.stage.persist(`${subject.name}: enabled`, () => this.stage.patch(subject.rolloutPath, { spec }));
        await this.stage.persist(`${subject.name}: the last edit`, () => subject.release('end'));
        await subject.toEnd('end');
      }),
    );
  }

  private async work(subject: Subject): Promise<void> {
    while (!this.stopped) {
      await this.act(subject).then(
        () => (this.done += 1),
        () => (this.refused += 1),
      );
      await pause(this.chance.between(100, MAX_WAIT_MS));
    }
  }

  private async act(subject: Subject): Promise<unknown> {
    const { chance } = this;
    const dice = chance.next();
    if (dice < 0.4) return (await subject.waits()) ? subject.approve() : undefined;
    if (dice < 0.6) return subject.release(`v${++this.version}`);
    if (dice < 0.65) return subject.release('broken');
    if (dice < 0.75) return subject.release(`v${Math.max(0, this.version - chance.between(1, 2))}`);
    if (dice < 0.87) return subject.edit({ replicas: chance.between(2, 6) });
    if (dice < 0.95)
      return subject.edit({ settings: { ...chance.pick(LIMITS), minReadySeconds: chance.between(0, 1) } });
    if (dice < 0.98)
      return this.stage.patch(subject.rolloutPath, { spec: { strategy: { paused: chance.next() < 0.5 } } });
    return this.stage.patch(subject.rolloutPath, { spec: { disabled: chance.next() < 0.3 } });
  }
}
