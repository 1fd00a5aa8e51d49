// A cluster without the CRD of MetricSources: the program says so once, and finds them when the CRD comes.
import assert from 'node:assert/strict';
import { startMetricSources } from '../../src/app/metric-sources.ts';
import type { Api } from '../../src/kube/api.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { silent } from '../../src/kube/log.ts';
import { until } from '../main/cluster.ts';

const ITEMS = [{ metadata: { name: 'main', generation: 1 }, spec: { web: { url: 'http://tests.example' } } }];

describe('without the CRD of MetricSources', () => {
  it('one line says so, checks are Unknown, and the sources are found when it is installed', async () => {
    let [lists, isServed] = [0, false];
    const api: Api = {
      async request() {
        lists += 1;
        if (!isServed) throw new ApiError(404, { message: '404 page not found' });
        return {
          apiVersion: 'tranche.dev/v1alpha1',
          kind: 'MetricSourceList',
          metadata: { resourceVersion: '1' },
          items: ITEMS,
        };
      },
      watch: ({ signal }) => new Promise((resolve) => signal?.addEventListener('abort', () => resolve())),
    };
    const warnings: string[] = [];
    const logger = { ...silent, warn: (message: string) => void warnings.push(message), child: () => logger };
    const started = startMetricSources({
      api,
      logger,
      metrics: { watchRestart() {}, watchDrift() {} },
      namespace: 'tranche-system',
      namespaces: { get: () => undefined },
      guarded: true,
    });
    const said = (): string => {
      const source = started.sources.get('main', 'shop');
      return 'unknown' in source ? source.unknown : 'a source';
    };
    try {
      await until(
        () => lists >= 3,
        () => `${lists} lists`,
      );
      assert.equal(warnings.length, 1);
      assert.match(said(), /^the MetricSources cannot be read yet/);
      isServed = true;
      await until(
        () => said() === 'a source',
        () => said(),
      );
    } finally {
      await started.stop();
    }
  });
});
