// Wires the sources of metrics: the cache of MetricSources, and the sources that checks find by name.
import type { MetricSource } from '../api/analysis.ts';
import { METRIC_SOURCES } from '../api/resources.ts';
import type { KubeObject } from '../api/types.ts';
import type { Api } from '../kube/api.ts';
import { realClock, steadyClock } from '../kube/clock.ts';
import type { Collection } from '../kube/collection.ts';
import { isNotFound } from '../kube/errors.ts';
import { pathOf } from '../kube/path.ts';
import { Reflector } from '../kube/reflector.ts';
import { createMetricSources } from '../metric-sources/sources.ts';
import type { MetricSources } from '../metric-sources/source.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface MetricSourcesDeps {
  readonly api: Api;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'watchRestart' | 'watchDrift'>;
  /** Namespace of the program. */
  readonly namespace: string;
  /** False: addresses of this machine are allowed too, because the program runs on the machine of its user. */
  readonly guarded: boolean;
  /** All namespaces, for the selectors of MetricSources. */
  readonly namespaces: Pick<Collection<KubeObject>, 'get'>;
}

export interface StartedMetricSources {
  readonly sources: MetricSources;
  stop(): Promise<void>;
}

const LOG_MISSING_EVERY_MS = 3_600_000;

/** The program runs without the CRD too: checks with a MetricSource are Unknown then. */
export function startMetricSources(deps: MetricSourcesDeps): StartedMetricSources {
  const { api, metrics, namespace, namespaces, guarded, logger } = deps;
  const reflector = new Reflector<MetricSource>({
    api,
    clock: steadyClock,
    path: pathOf(METRIC_SOURCES),
    logger: seldomMissing(logger),
    onRestart: (reason) => metrics.watchRestart(METRIC_SOURCES.plural, reason),
    onDrift: (objects) => metrics.watchDrift(METRIC_SOURCES.plural, objects),
  });
  reflector.start();
  const sources = createMetricSources({
    api,
    namespace,
    sources: reflector,
    // A namespace has at least the label with its name.
    namespaceLabels: (name) => namespaces.get(name)?.metadata.labels,
    clock: realClock,
    logger,
    guarded,
  });
  return {
    sources,
    async stop() {
      sources.close();
      await reflector.stop();
    },
  };
}

/** Logs once an hour that the kind is not served, for example because the image was updated and the chart was not. */
function seldomMissing(logger: Logger, last = { at: -Infinity }): Logger {
  return {
    debug: (message, fields) => logger.debug(message, fields),
    info: (message, fields) => logger.info(message, fields),
    error: (message, fields) => logger.error(message, fields),
    child: (fields) => seldomMissing(logger.child(fields), last),
    warn(message, fields) {
      if (isNotFound(fields?.['error'])) {
        if (steadyClock.now() - last.at < LOG_MISSING_EVERY_MS) return;
        last.at = steadyClock.now();
      }
      logger.warn(message, fields);
    },
  };
}
