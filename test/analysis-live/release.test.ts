// Whole releases with checks: the real program, Pods that serve, requests to them, and the two kinds of sources. The demo plays the same.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RolloutStatus } from '../../src/api/types.ts';
import { harm, SCENES, type Stage } from '../demo/analysis/scenes.ts';
import { makeStage, SANDBOX_FLAGS } from '../demo/analysis/stage.ts';
import { until } from '../main/cluster.ts';
import { lastWords, startCluster, type Cluster } from '../e2e/harness/cluster.ts';
import { beforeEnd, endAll } from '../support/processes.ts';
import { makePrograms } from '../support/programs.ts';
import { findPrometheus, startScraping } from '../support/prometheus.ts';

describe('a release with checks', function () {
  this.timeout(600_000);
  let cluster: Cluster;
  let programs: string;

  before(async function () {
    programs = await makePrograms();
    cluster = await startCluster({ sandboxFlags: SANDBOX_FLAGS });
  });
  after(() => endAll());
  afterEach(function () {
    if (this.currentTest?.state === 'failed') process.stderr.write(lastWords(cluster));
  });

  const play = async (namespace: string, prometheus: string | undefined): Promise<Stage> => {
    await cluster.client.kubectl(['create', 'namespace', namespace]);
    const stage = await makeStage({ client: cluster.client, namespace, programs, prometheus, say: () => undefined });
    for (const { play } of SCENES) await play(stage);
    assert.equal(stage.counted().failed, 0, 'every request had an answer');
    return stage;
  };

  it('with numbers of Prometheus, a bad version is rolled back', async function () {
    const found = await findPrometheus();
    if ('missing' in found) {
      process.stderr.write(`    skipped: ${found.missing}\n`);
      return this.skip();
    }
    const server = await startScraping(found, { kubeconfig: cluster.client.kubeconfig });
    beforeEnd(() => server.stop());
    const stage = await play('errors', server.url.href);
    const { rollout } = await stage.look();
    const verdicts = rollout?.status?.history?.map(({ analysis }) => analysis?.['errors']);
    assert.deepEqual(new Set(verdicts), new Set(['Fine', 'Worse']));

    // It is killed for a minute in the middle of a good release.
    const status = async () => (await stage.look()).rollout?.status;
    const reached = (is: (status: RolloutStatus) => boolean) =>
      until(
        async () => is((await status())!),
        () => 'the release is somewhere else',
        300,
      );
    await stage.kubectl(['set', 'image', 'deployment/shop', 'web=shop:v4', '-n', 'errors']);
    await reached(({ currentStepState }) => currentStepState === 'StepMetricsAnalysis');
    await server.kill();
    await reached(({ message }) => /^step 1\/3: waiting for check errors \(.*, since /.test(message ?? ''));
    await sleep(60_000);
    const { currentStepIndex, canaryStatus, history } = (await status())!;
    assert.equal(currentStepIndex, 1, 'the step waits');
    assert.equal(canaryStatus?.analysis?.[0]?.verdict, 'Unknown');
    assert.equal(history?.[0]?.outcome, undefined, 'the release has not failed');
    await server.restart();
    await reached(({ history: releases }) => releases?.[0]?.outcome === 'Completed');
    assert.equal(stage.counted().failed, 0, 'every request had an answer');
  });

  it('with numbers of metrics.k8s.io, a bad version is stopped', async () => {
    const stage = await play('memory', undefined);
    assert.equal(stage.counted().answers['v1']?.[500], undefined);
  });
});

describe('what users have noticed of a bad version', () => {
  it('is counted over all versions', () => {
    const answers = { v1: { 200: 80 }, v2: { 200: 15, 500: 5 } };
    assert.equal(
      harm({ answers, failed: 1, skipped: 0, open: 0 }, 'v2'),
      'v2 answered 20 of 100 requests. 5 answers in all were errors (5.00 %); 1 request had no answer.',
    );
  });
});
