// What a page is told about an opened release before the cluster has answered.
import assert from 'node:assert/strict';
import type { Feed } from '../../../src/cli/dashboard/feed.ts';
import { Opened } from '../../../src/cli/dashboard/opened.ts';
import type { Calendar } from '../../../src/engine/policy/windows.ts';

describe('an opened release', () => {
  it('is not said to be gone while it is not known: before the first answer, or without the right to list Rollouts', async () => {
    const told: unknown[] = [];
    const listeners: (() => void)[] = [];
    const known = { overview: undefined as object | undefined };
    const feed = {
      ...{ options: { now: () => 0 }, rollout: () => undefined },
      on: (listener: () => void) => {
        listeners.push(listener);
        return () => undefined;
      },
      get overview() {
        return known.overview;
      },
    };
    const ask = (): Promise<never> => Promise.reject(new Error('nothing to ask about'));
    const opened = new Opened({ feed: feed as unknown as Feed, calendar: {} as Calendar, ask });
    try {
      opened.open('shop/web', (detail) => told.push(detail));
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(told, []);
      known.overview = {};
      for (const listener of listeners) listener();
      assert.deepEqual(told, [undefined], 'it does not exist');
    } finally {
      await opened.stop();
    }
  });
});
