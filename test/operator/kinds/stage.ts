// A world with one workload of a kind and its Rollout, and what the scenarios ask of it. Scenarios run over all kinds.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { HistoryEntry, Pod } from '../../../src/api/types.ts';
import { HELD_ANNOTATIONS, HELD_LABELS } from '../../../src/engine/workload/record.ts';
import { versionOf, World, type WorldOptions } from '../world.ts';
import { FIXTURES, type KindFixture } from './fixtures.ts';

export const PODS = 6;
/** 1, 3 and 6 Pods. */
export const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
export const MINUTE = 60_000;

/** Describes the scenarios once for each kind. */
export function overKinds(what: string, scenarios: (stage: Stage) => void): void {
  for (const fixture of FIXTURES)
    describe(`a release of a ${nameOf(fixture)}, ${what}`, () => {
      const stage = new Stage(fixture);
      afterEach(() => stage.world.stop());
      scenarios(stage);
    });
}

/** Two groups have kinds of the same name. */
export const nameOf = ({ kind: { resource } }: KindFixture): string =>
  resource.apiVersion === 'apps/v1' ? resource.kind : `${resource.kind} of ${resource.apiVersion}`;

interface Rest {
  /** Laid over the spec of the workload. */
  readonly spec?: object;
  /** Metadata and `strategy.canary` of the Rollout. */
  readonly metadata?: object;
  readonly canary?: object;
}

export class Stage {
  readonly fixture: KindFixture;
  world!: World;

  constructor(fixture: KindFixture) {
    this.fixture = fixture;
  }

  /** Six Pods of v1, and a Rollout at rest. */
  async begin(options: WorldOptions = {}, { spec, ...rollout }: Rest = {}): Promise<World> {
    const world = (this.world = await new World({ seed: 9, ...options, kind: this.fixture.kind }).start());
    await world.createDeployment({ replicas: PODS, ...(spec && { spec }) });
    await world.until('all Pods run', () => world.readyPods === PODS);
    await world.createRollout(STEPS, rollout);
    await world.untilHealthy();
    await world.virtual.settled();
    return world;
  }

  get annotations(): Readonly<Record<string, string>> {
    return this.world.deployment.metadata.annotations ?? {};
  }
  get labels(): Readonly<Record<string, string>> {
    return this.world.deployment.metadata.labels ?? {};
  }
  /** The last entry of the history. */
  get last(): Partial<HistoryEntry> {
    return this.world.history[0] ?? {};
  }
  get message(): string {
    return this.world.rollout.status?.message ?? '';
  }

  /** The messages of the events with this reason. */
  messages(reason: string): string[] {
    return [...new Set(this.world.events.filter((event) => event.reason === reason).map(({ message }) => message))];
  }

  podsOf(version: string): Pod[] {
    return this.world.pods.filter((pod) => versionOf(pod as never) === version);
  }

  /** Nothing of a hold is left, and the borrowed fields have these values. */
  assertFree(borrowed: object): void {
    assert.equal(this.world.held, false);
    const left = [
      ...HELD_ANNOTATIONS.filter((key) => this.annotations[key] !== undefined),
      ...HELD_LABELS.filter((key) => this.labels[key] !== undefined),
    ];
    assert.deepEqual(left, []);
    assert.deepEqual(this.fixture.kind.borrowed(this.world.deployment), borrowed);
  }

  /** No key of Tranche or OpenKruise is left. */
  assertDisenrolled(): void {
    assert.equal(this.labels[keys.WORKLOAD_TYPE], undefined);
    assert.deepEqual(
      Object.keys(this.annotations).filter((key) => /tranche\.dev|kruise\.io/.test(key)),
      [],
    );
  }

  /** Approves until this step waits. */
  async to(step: number): Promise<void> {
    for (let at = 1; at < step; at++) {
      await this.world.untilPaused(at);
      await this.world.approve();
    }
    await this.world.untilPaused(step);
  }

  /** Approves each step until the release is completed. */
  async finish(): Promise<void> {
    const { world } = this;
    const isDone = (): boolean => world.condition('Succeeded')?.status === 'True';
    while (!isDone()) {
      const waits = (): boolean => isDone() || world.canary.currentStepState === 'StepPaused';
      await world.until('the next step waits, or the release is completed', waits, 3 * MINUTE);
      await world.approve();
    }
  }

  /** The Rollout is at rest again, without a Pod of this version. */
  untilWithout(version: string): Promise<void> {
    const { world } = this;
    const isGone = (): boolean => world.sizes[version] === undefined && world.rollout.status?.phase === 'Healthy';
    return world.until(`nothing of ${version} is left`, isGone, 3 * MINUTE);
  }

  /** Step 1 of a version that replaced another one. */
  untilFirstStepOf(version: string): Promise<void> {
    const { world } = this;
    return world.until(
      `step 1 of ${version} waits`,
      () =>
        world.runs === version &&
        (world.sizes[version] ?? 0) > 0 &&
        world.canary.currentStepIndex === 1 &&
        world.canary.currentStepState === 'StepPaused',
      3 * MINUTE,
    );
  }
}
