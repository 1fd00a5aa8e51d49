// What mocha does before the first acceptance test and after the last (`--require`).
import assert from 'node:assert/strict';
import { endAll, endAllOnSignals } from '../support/processes.ts';
import { lastWords } from './harness/cluster.ts';
import { reportAndExit } from './harness/exit.ts';
import { closeSession, openSession, theCluster } from './harness/session.ts';

export async function mochaGlobalSetup(): Promise<void> {
  endAllOnSignals();
  // Bad input ends the run with a line that says what to do, not with a failed test.
  await openSession().catch(reportAndExit);
}

/** Also when the tests have been ended before the last one. */
export async function mochaGlobalTeardown(): Promise<void> {
  await endAll();
}

export const mochaHooks = {
  async afterAll(this: Mocha.Context): Promise<void> {
    this.timeout(600_000);
    assert.deepEqual(await closeSession(), [], 'the tests left these objects on the cluster');
    if (!theCluster().embedded) process.stdout.write('  All that the tests created is removed from the cluster.\n');
  },
  afterEach(this: Mocha.Context): void {
    if (this.currentTest?.state === 'failed') process.stderr.write(lastWords(theCluster()));
  },
};
