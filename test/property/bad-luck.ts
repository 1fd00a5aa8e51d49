// What goes wrong in a random history: requests that fail, lines of a watch that are lost or come twice, and crashes of the operator.
import type { ApiCall } from '../../src/kube/api.ts';
import type { Fault, Misbehaviour } from '../operator/api.ts';
import type { World } from '../operator/world.ts';

const FAULTS: readonly Fault[] = ['conflict', 'throttled', 'broken', 'lost', 'lost', 'crash-before', 'crash-after'];

export class BadLuck {
  /** Nothing goes wrong any more. */
  calm: boolean;
  private readonly trouble: number;
  private readonly random: () => number;

  /** `trouble`: share of requests that fail, 0 to 1. */
  constructor(trouble: number, random: () => number, calm = false) {
    this.trouble = trouble;
    this.random = random;
    this.calm = calm;
  }

  /** The operator dies, and starts again within about three seconds. */
  readonly crash = (world: World): void => {
    world.crash();
    world.virtual.clock.after(100 + this.random() * 3000, () => void (world.running || world.startOperator()));
  };

  readonly misbehaviour = (world: World): Misbehaviour => {
    const { random, trouble } = this;
    return {
      fault: (call: ApiCall) => {
        if (this.calm || random() >= trouble) return undefined;
        const fault = FAULTS[Math.floor(random() * FAULTS.length)]!;
        return call.method === 'GET' && fault === 'conflict' ? 'broken' : fault;
      },
      line: () => (this.calm || random() >= trouble / 2 ? undefined : random() < 0.3 ? 'lost' : 'twice'),
      onCrash: () => this.crash(world),
    };
  };
}
