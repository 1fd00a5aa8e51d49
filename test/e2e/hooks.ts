// What mocha does before the first acceptance test and after the last (`--require`).
import { endAll, endAllOnSignals } from '../support/processes.ts';
import { lastWords } from './harness/cluster.ts';
import { reportAndExit } from './harness/exit.ts';
import { openSession, theCluster } from './harness/session.ts';

export async function mochaGlobalSetup(): Promise<void> {
  endAllOnSignals();
  // Bad input ends the run with a line that says what to do, not with a failed test.
  await openSession().catch(reportAndExit);
}

export async function mochaGlobalTeardown(): Promise<void> {
  await endAll();
}

export const mochaHooks = {
  afterEach(this: Mocha.Context): void {
    if (this.currentTest?.state === 'failed') process.stderr.write(lastWords(theCluster()));
  },
};
