// How long a step pauses.
import assert from 'node:assert/strict';
import { pauseSeconds } from '../../../src/engine/lib/pause.ts';

describe('a step', () => {
  const analysis = { seconds: 600 };
  for (const [step, expected] of [
    [{}, Infinity],
    [{ pause: {} }, Infinity],
    [{ pause: { duration: 0 } }, 0],
    [{ pause: { duration: 60 }, analysis }, 60],
    [{ pause: {}, analysis }, Infinity],
    [{ analysis }, 0],
    [undefined, Infinity],
  ] as const)
    it(`${JSON.stringify(step)} pauses for ${expected} seconds`, () => assert.equal(pauseSeconds(step), expected));
});
