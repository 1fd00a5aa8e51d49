// The short form of `make chaos`: of each family of faults something that is quick.
import assert from 'node:assert/strict';
import { shortFaults } from '../../tools/chaos/faults/index.ts';
import { play, type Outcome } from '../../tools/chaos/play.ts';

describe('faults, with real processes', function () {
  this.timeout(300_000);
  const seed = Math.floor(Math.random() * 1_000_000);
  const lines: string[] = [];
  let outcomes: Outcome[] = [];

  before(async () => {
    outcomes = await play({ faults: shortFaults, seed, lanes: shortFaults.length, say: (line) => lines.push(line) });
  });

  for (const [i, fault] of shortFaults.entries())
    it(`${fault.title}: releases go on, and I1 to I6 and T1 to T12 hold`, () => {
      const { failures, violations, strikes } = outcomes[i]!;
      const log = lines.filter((line) => line.startsWith(fault.name)).join('\n');
      assert.deepEqual([...failures, ...violations], [], `seed ${seed}\n${log}`);
      assert.ok(strikes >= fault.runs.length);
    });
});
