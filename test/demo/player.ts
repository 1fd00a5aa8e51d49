// Plays the walkthrough: runs each command when it is due, waits for what follows from it, and goes on whatever others do meanwhile.
import { describeRelease, hasDeployment, PromiseBroken, type Glance } from '../e2e/observe.ts';
import { Others, sightOf, type Sight } from './others.ts';
import { applyDeployment, applyRollout, type Memory, type Move, type Step } from './walkthrough.ts';

/** Where it is played: a test is silent, the demo shows everything. */
export interface Stage {
  readonly namespace: string;
  /** Runs kubectl as the user would type it. Rejects when it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  look(): Promise<Glance>;
  say(text: string): void;
  /** How long somebody may keep the Rollout paused, before the demo resumes it. */
  readonly patienceSeconds: number;
}

const LOOK_EVERY_MS = 100;

export class Player {
  readonly #stage: Stage;
  readonly #others = new Others();
  readonly #memory: Memory = {};
  /** What the demo has applied. */
  #has = { deployment: false, rollout: false };
  /** Somebody did something, since the last step ended or at all. */
  #isTouched = false;
  #wasTouched = false;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** One look; says what others did since the last one. */
  async look(): Promise<Glance> {
    const seen = await this.#stage.look();
    for (const news of this.#others.follow(sightOf(seen))) {
      this.#isTouched = this.#wasTouched = true;
      this.#stage.say(`– ${news}`);
    }
    return seen;
  }

  /** True if the step was as the guide describes it. False if somebody else played along. Throws PromiseBroken. */
  async play({ moves, check }: Step): Promise<boolean> {
    for (const move of moves(this.#others.stable)) await this.#play(move);
    const seen = await this.look();
    if (!this.#wasTouched && hasDeployment(seen)) check?.(seen, this.#memory);
    const isTouched = this.#isTouched;
    this.#isTouched = false;
    return !isTouched;
  }

  async #play(move: Move): Promise<void> {
    const { expected, withinSeconds = 60, steadyLooks = 0 } = move;
    const ran = new Set<string>();
    let deadline = Date.now() + withinSeconds * 1000;
    for (let steady = -1; ; await aMoment()) {
      const seen = await this.look();
      const sight = sightOf(seen);
      if (this.#isMissing(sight)) {
        await this.#beginAgain('The demo needs what somebody took away.');
        continue;
      }
      const key = move.due(sight, seen);
      const isMoot = this.#wasTouched && move.moot?.(sight) !== undefined;
      const isDue = key !== undefined && !ran.has(key) && !isMoot;
      if (isDue && !sight.isPaused) {
        ran.add(key);
        await this.#run(move);
        continue;
      }
      if (this.#wasTouched) {
        if (!isDue && move.passed(sight, seen)) return;
        if (isMoot) return this.#stage.say(`– ${move.moot!(sight)}`);
        if (sight.isPaused) {
          await this.#waitUntilResumed();
          deadline = Date.now() + withinSeconds * 1000;
        } else if (Date.now() > deadline) return this.#beginAgain(`After what somebody did, there is no ${expected}.`);
        continue;
      }
      if (!hasDeployment(seen)) continue;
      const wrong = move.always?.(seen);
      if (wrong) throw new PromiseBroken(`expected ${expected}, but ${wrong} (${describeRelease(seen)})`);
      if (move.reached(seen)) {
        if (++steady >= steadyLooks) return;
      } else if (steady >= 0) {
        throw new PromiseBroken(`expected ${expected} to last, but it changed (${describeRelease(seen)})`);
      } else if (Date.now() > deadline) {
        throw new PromiseBroken(`expected ${expected} within ${withinSeconds} s, but saw ${describeRelease(seen)}`);
      }
    }
  }

  /** A command fails if somebody was quicker: then what it is for is there soon. */
  async #run(move: Move): Promise<void> {
    this.#expect(move.expects);
    try {
      await this.#stage.kubectl(move.command, move.input);
    } catch (error) {
      for (let looks = 0; looks < 100; looks++, await aMoment()) {
        const seen = await this.look();
        if (!this.#wasTouched && !move.passed(sightOf(seen), seen)) continue;
        this.#isTouched = this.#wasTouched = true;
        return this.#stage.say('– somebody was quicker');
      }
      throw error;
    }
  }

  #expect(change: Partial<Sight>): void {
    this.#has = {
      deployment: this.#has.deployment || change.version !== undefined,
      rollout: this.#has.rollout || change.hasRollout === true,
    };
    this.#others.expect(change);
  }

  #isMissing({ version, hasRollout, isDisabled }: Sight): boolean {
    return (this.#has.deployment && version === undefined) || (this.#has.rollout && (!hasRollout || isDisabled));
  }

  async #waitUntilResumed(): Promise<void> {
    const { namespace, patienceSeconds } = this.#stage;
    this.#stage.say('– the demo waits until somebody resumes it: kubectl tranche resume rollouts-demo');
    const end = Date.now() + patienceSeconds * 1000;
    while (sightOf(await this.look()).isPaused) {
      if (Date.now() > end) {
        this.#expect({ isPaused: false });
        const patch = JSON.stringify({ spec: { strategy: { paused: false } } });
        await this.#stage.kubectl(['patch', 'rollout', 'rollouts-demo', '-n', namespace, '--type=merge', '-p', patch]);
      }
      await aMoment();
    }
  }

  /** The objects as they are at the start: somebody deleted them, or made something of them that the demo does not know. */
  async #beginAgain(why: string): Promise<void> {
    const { namespace } = this.#stage;
    this.#stage.say(`– ${why} It applies its objects again.`);
    const objects = ['rollout/rollouts-demo', 'deployment/workload-demo'];
    await this.#stage.kubectl(['delete', ...objects, '-n', namespace, '--ignore-not-found']);
    for (const move of [applyDeployment(namespace), ...(this.#has.rollout ? [applyRollout(namespace)] : [])]) {
      this.#expect({ inFlight: false, ...move.expects });
      await this.#stage.kubectl(move.command, move.input);
    }
    const deadline = Date.now() + 180_000;
    for (let seen = await this.look(); !this.#isBack(seen); seen = await this.look()) {
      if (this.#isMissing(sightOf(seen))) return;
      if (Date.now() > deadline)
        throw new PromiseBroken(`the Deployment of the demo does not become ready (${describeRelease(seen)})`);
      await aMoment();
    }
  }

  #isBack(seen: Glance): boolean {
    const { replicas } = sightOf(seen);
    return seen.readyPods >= replicas && (!this.#has.rollout || seen.rollout?.status?.phase === 'Healthy');
  }
}

const aMoment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
