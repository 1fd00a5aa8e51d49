// Kills the program as soon as a release is in a state in which it was not before, also while the program starts, and starts it again.
import { TRAFFIC } from '../../src/api/keys.ts';
import { DEPLOYMENTS, ROLLOUTS, type Resource } from '../../src/api/resources.ts';
import type { Deployment, KubeObject, Rollout } from '../../src/api/types.ts';
import { realClock } from '../../src/kube/clock.ts';
import { pathOf } from '../../src/kube/path.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { HTTP_ROUTES, SERVICES } from './gateway/resources.ts';
import { NAMESPACE } from './stage.ts';
import type { Whole } from './whole.ts';

/** A release has fewer. With more, something goes back and forth for ever. */
const MOST_STATES = 100;

export class Killer {
  readonly #whole: Whole;
  readonly #names: readonly string[];
  readonly #objects;
  /** The states of each release, with the state of its traffic. */
  readonly #seen = new Map<string, Map<string, string | undefined>>();
  readonly #running: Promise<void>;
  #isNew = Promise.withResolvers<void>();
  #isDone = false;
  #kills = 0;

  /** Kills from now on. The names are those of the releases. */
  constructor(whole: Whole, names: readonly string[]) {
    this.#whole = whole;
    this.#names = names;
    const watch = <T extends KubeObject>(resource: Resource): Reflector<T> => {
      const path = pathOf(resource, { namespace: NAMESPACE });
      const reflector = new Reflector<T>({ api: whole.api, clock: realClock, path });
      reflector.on(() => this.#look());
      return reflector;
    };
    this.#objects = {
      rollouts: watch<Rollout>(ROLLOUTS),
      deployments: watch<Deployment>(DEPLOYMENTS),
      routes: watch(HTTP_ROUTES),
      services: watch(SERVICES),
    };
    this.#running = this.#run();
  }

  get kills(): number {
    return this.#kills;
  }

  /** What the status said about the traffic of a release. */
  seen(name: string): ReadonlySet<string> {
    return new Set([...(this.#seen.get(name)?.values() ?? [])].filter((state) => state !== undefined));
  }

  /** The program runs. */
  async stop(): Promise<void> {
    this.#isDone = true;
    this.#isNew.resolve();
    await this.#running;
    await Promise.all(Object.values(this.#objects).map((reflector) => reflector.stop()));
    await this.#whole.revive();
  }

  /** Each round ends with a kill. */
  async #run(): Promise<void> {
    const reflectors = Object.values(this.#objects);
    for (const reflector of reflectors) reflector.start();
    await Promise.all(reflectors.map((reflector) => reflector.whenSynced()));
    for (;;) {
      await this.#isNew.promise;
      await this.#whole.kill();
      this.#kills++;
      if (this.#isDone) return;
      await this.#whole.freeLead();
      // What it wrote last may have been seen after the kill.
      this.#isNew = Promise.withResolvers();
      if (this.#isDone) return;
      // It was killed, or was not ready in time.
      this.#whole.start().catch(() => this.#isNew.resolve());
    }
  }

  #look(): void {
    for (const name of this.#names) {
      const seen = this.#seen.get(name) ?? new Map<string, string | undefined>();
      this.#seen.set(name, seen);
      const { state, traffic } = this.#stateOf(name);
      if (seen.has(state) || seen.size >= MOST_STATES) continue;
      seen.set(state, traffic);
      this.#isNew.resolve();
    }
  }

  /** What writes of the program change, as text. */
  #stateOf(name: string): { readonly state: string; readonly traffic: string | undefined } {
    const key = `${NAMESPACE}/${name}`;
    const { rollouts, deployments, routes, services } = this.#objects;
    const { status, metadata: { deletionTimestamp } = {} } = rollouts.get(key) ?? {};
    const { currentStepIndex, currentStepState, finalisingStep, templateDigest, traffic } = status?.canaryStatus ?? {};
    const { metadata, spec } = deployments.get(key) ?? {};
    const state = JSON.stringify([
      [deletionTimestamp, status?.phase, templateDigest, currentStepIndex, currentStepState, finalisingStep],
      [traffic?.state, traffic?.weight, traffic?.step, traffic?.routeGeneration],
      [spec?.paused, spec?.minReadySeconds, metadata?.annotations?.[TRAFFIC]],
      routes.get(key)?.metadata.generation,
      [`${key}-canary`, `${key}-stable`].map((leg) => services.get(leg)?.metadata.generation),
    ]);
    return { state, traffic: traffic?.state };
  }
}
