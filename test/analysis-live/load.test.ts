// The client of the live tests: an even rate over the ready endpoints of a Service, within its bounds.
import assert from 'node:assert/strict';
import { until } from '../main/cluster.ts';
import { Load, type Counted } from '../support/load.ts';
import {
  createService,
  deploy,
  deploymentOf,
  NAMESPACE,
  setImage,
  startLiveCluster,
  type LiveCluster,
} from './stage.ts';

const sum = (codes: Readonly<Record<number, number>> = {}): number =>
  Object.values(codes).reduce((total, count) => total + count, 0);

describe('requests to a Service of the embedded cluster', function () {
  for (const [what, ownAddresses] of [
    ['addresses of its Pods', true],
    ['shared address', false],
  ] as const)
    describe(`at the ${what}`, () => {
      let cluster: LiveCluster;
      let load: Load | undefined;
      before(async function () {
        if (ownAddresses && process.platform !== 'linux') return this.skip();
        cluster = await startLiveCluster({ ownAddresses });
        await createService(cluster);
      });
      afterEach(() => load?.stop());
      after(() => cluster?.close());

      const start = async (perSecond: number, atMost?: number): Promise<Load> => {
        const options = { api: cluster.api, namespace: NAMESPACE, service: 'web', perSecond };
        return (load = await Load.start({ ...options, ...(atMost === undefined ? {} : { atMost }) }));
      };
      const answered = async (version: string, least: number): Promise<Counted> => {
        await until(
          () => sum(load?.counted.answers[version]) >= least,
          () => `${least} answers of ${version}: ${JSON.stringify(load?.counted)}`,
        );
        return load!.counted;
      };

      it('are skipped while no endpoint is ready', async () => {
        await start(100);
        await until(
          () => load!.counted.skipped > 20,
          () => JSON.stringify(load?.counted),
        );
        assert.deepEqual(load!.counted.answers, {});
      });

      it('are spread over its Pods, and counted by version and code', async () => {
        await deploy(cluster, 'web-a', 'web:v1', 2);
        await deploy(cluster, 'web-b', 'web:v2-errors-50', 2);
        await start(100);
        const { answers, failed } = await answered('v2-errors-50', 100);
        assert.deepEqual(Object.keys(answers['v1'] ?? {}), ['200']);
        assert.deepEqual(Object.keys(answers['v2-errors-50'] ?? {}), ['200', '500']);
        assert.ok(Math.abs(sum(answers['v1']) - 100) < 20, JSON.stringify(answers));
        assert.equal(failed, 0);
      });

      it('do not fail while the Pods are replaced', async () => {
        await start(100);
        await answered('v1', 20);
        await setImage(cluster.api, 'web-a', 'web:v3');
        await until(
          async () => {
            const { status } = await deploymentOf(cluster.api, 'web-a');
            return status?.updatedReplicas === 2 && status.replicas === 2 && status.availableReplicas === 2;
          },
          () => 'all Pods of v3',
        );
        const { failed } = await answered('v3', 50);
        assert.equal(failed, 0);
      });

      it('are never more at a time than the bound, and all are answered when it has stopped', async () => {
        await setImage(cluster.api, 'web-a', 'web:v4-delay-500');
        await start(200, 5);
        await until(
          () => {
            assert.ok(load!.counted.open <= 5);
            return sum(load!.counted.answers['v4-delay-500']) > 5 && load!.counted.skipped > 0;
          },
          () => JSON.stringify(load?.counted),
        );
        await load!.stop();
        assert.equal(load!.counted.open, 0);
        const { answers, failed } = load!.counted;
        await new Promise((resolve) => setTimeout(resolve, 50));
        assert.deepEqual(load!.counted.answers, answers);
        assert.equal(failed, 0);
      });
    });
});
