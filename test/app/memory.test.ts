// Memory is given back once after each burst, and never while the program works.
import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { saveMemoryAtRest } from '../../src/app/memory.ts';

const MIB = 2 ** 20;

describe('Memory at rest', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
  afterEach(() => mock.timers.reset());

  /** Each look at the machine: its memory in MiB, how busy it was, the memory after a collection, and whether one is expected. */
  const table: readonly (readonly [
    what: string,
    looks: readonly (readonly [number, number, number, boolean])[],
    heap?: number,
  ])[] = [
    ['is given back after the start', [[95, 0.001, 80, true]]],
    [
      'is not given back while the program works',
      [
        [95, 0.01, 80, false],
        [200, 0.9, 80, false],
        [200, 0.009, 90, true],
      ],
    ],
    [
      'is given back once after a burst',
      [
        [95, 0, 80, true],
        [84, 0, 80, false],
        [120, 0, 100, true],
        [114, 0, 0, false],
        [115, 0, 90, true],
      ],
    ],
    [
      'that is in use is not looked for again',
      [
        [300, 0, 299, true],
        [300, 0, 299, false],
        [340, 0, 299, false],
      ],
    ],
    [
      'is compared with the least since the last time',
      [
        [300, 0, 299, true],
        [120, 0, 0, false],
        [140, 0, 110, true],
      ],
    ],
    ['is kept where a collection takes too long', [[300, 0, 0, false]], 101],
  ];
  for (const [what, looks, heap = 50] of table) {
    it(what, () => {
      let at = -1;
      let collections = 0;
      let isCollected = false;
      const stop = saveMemoryAtRest({
        busy: () => looks[at]![1],
        heapBytes: () => heap * MIB,
        rssBytes: () => looks[at]![isCollected ? 2 : 0] * MIB,
        collect: () => {
          collections++;
          isCollected = true;
        },
      });
      for (const [index, [, , , expected]] of looks.entries()) {
        [at, isCollected] = [index, false];
        const before = collections;
        mock.timers.tick(15_000);
        assert.equal(collections - before, Number(expected), `look ${index}`);
      }
      stop();
      const before = collections;
      [at, isCollected] = [0, false];
      mock.timers.tick(60_000);
      assert.equal(collections, before, 'stopped');
    });
  }
});
