// Finds the source of a check: the built-in one, or a MetricSource that the namespace may use.
import type { Endpoint, MetricSource as MetricSourceObject } from '../api/analysis.ts';
import type { LabelSelector } from '../api/types.ts';
import { plural } from '../engine/lib/text.ts';
import { selects } from '../engine/policy/policy.ts';
import { show } from '../engine/validate/violation.ts';
import type { Api, Clock } from '../kube/api.ts';
import type { Collection } from '../kube/collection.ts';
import type { Logger } from '../kube/log.ts';
import { createCredentials } from './credentials.ts';
import type { HttpOptions } from './http.ts';
import { KubernetesMetrics } from './kubernetes.ts';
import { Prometheus } from './prometheus.ts';
import { Shared } from './shared.ts';
import { KUBERNETES_SOURCE, type MetricSource, type MetricSources, type Unknown } from './source.ts';
import { Web } from './web.ts';

export interface MetricSourcesOptions {
  readonly api: Api;
  /** Namespace of Tranche, where the Secrets of sources are. */
  readonly namespace: string;
  readonly sources: Pick<Collection<MetricSourceObject>, 'synced' | 'on'>;
  /** Labels of a namespace. Undefined if it is not known. */
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>> | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** False: addresses of this machine are allowed too. For tests, and for the plugin on the user's machine. */
  readonly guarded?: boolean;
}

/** The source of checks that name none. */
const DEFAULT = 'default';

export function createMetricSources(options: MetricSourcesOptions): MetricSources & { close(): void } {
  const { sources, namespaceLabels, clock } = options;
  const share = (source: MetricSource, name: string): MetricSource =>
    new Shared(source, { clock, logger: options.logger.child({ source: name }) });
  const kubernetes = share(new KubernetesMetrics({ api: options.api }), KUBERNETES_SOURCE);
  const objects = new Map<string, MetricSourceObject>();
  /** Made when they are used for the first time, and again when their spec changes. */
  const made = new Map<string, MetricSource | Unknown>();

  const forget = (name: string): void => {
    const source = made.get(name);
    made.delete(name);
    if (source && !('unknown' in source)) source.close();
  };
  const end = sources.on(({ type, object, old }) => {
    const { name, generation } = object.metadata;
    if (type === 'deleted') objects.delete(name);
    else objects.set(name, object);
    if (type !== 'updated' || generation === undefined || generation !== old?.metadata.generation) forget(name);
  });

  const isUsable = ({ spec }: MetricSourceObject, namespace: string): boolean => {
    if (isEmpty(spec.namespaceSelector)) return true;
    const labels = namespaceLabels(namespace);
    return labels !== undefined && selects(spec.namespaceSelector, labels);
  };

  const find = (name: string | undefined, namespace: string): MetricSourceObject | Unknown => {
    if (name !== undefined) {
      const object = objects.get(name);
      if (!object) return { unknown: `there is no MetricSource ${show(name)}` };
      if (isUsable(object, namespace)) return object;
      return {
        unknown: `namespace ${namespace} may not use MetricSource ${name}: its namespaceSelector does not match`,
      };
    }
    const usable = [...objects.values()].filter((object) => isUsable(object, namespace));
    const chosen = usable.find(({ metadata }) => metadata.name === DEFAULT) ?? (usable.length === 1 && usable[0]);
    if (chosen) return chosen;
    return usable.length === 0
      ? { unknown: `there is no MetricSource for namespace ${namespace}` }
      : {
          unknown: `namespace ${namespace} may use ${plural(usable.length, 'MetricSource')} and none is named default: write source`,
        };
  };

  return {
    get(name, namespace) {
      if (name === KUBERNETES_SOURCE) return kubernetes;
      if (!sources.synced)
        return {
          unknown: 'the MetricSources cannot be read yet: check that the CRD metricsources.tranche.dev is installed',
        };
      const object = find(name, namespace);
      if ('unknown' in object) return object;
      const known = made.get(object.metadata.name);
      if (known) return known;
      const source = make(object, options);
      const shared = 'unknown' in source ? source : share(source, object.metadata.name);
      made.set(object.metadata.name, shared);
      return shared;
    },
    close() {
      end();
      kubernetes.close();
      for (const name of [...made.keys()]) forget(name);
    },
  };
}

const isEmpty = ({ matchLabels = {}, matchExpressions = [] }: LabelSelector = {}): boolean =>
  Object.keys(matchLabels).length + matchExpressions.length === 0;

/** Unknown if the address is not valid: the object may be older than the rules of its CRD. */
function make({ spec }: MetricSourceObject, options: MetricSourcesOptions): MetricSource | Unknown {
  const { prometheus, web } = spec;
  const endpoint = prometheus ?? web;
  const url = endpoint && addressOf(endpoint);
  if (!url) return { unknown: 'the address of the source is not valid' };
  const { timeoutSeconds } = endpoint;
  const http: HttpOptions = {
    url,
    credentials: createCredentials(endpoint, options),
    ...(timeoutSeconds !== undefined && { timeoutMs: timeoutSeconds * 1000 }),
    ...(options.guarded !== undefined && { guarded: options.guarded }),
  };
  if (!prometheus) return new Web(http);
  const { parameters, enforceNamespace, namespaceLabel, podLabel } = prometheus;
  return new Prometheus({
    ...http,
    ...(parameters && { parameters }),
    ...(enforceNamespace !== undefined && { enforceNamespace }),
    ...(namespaceLabel !== undefined && { namespaceLabel }),
    ...(podLabel !== undefined && { podLabel }),
  });
}

/** The address of the endpoint. Undefined if it is not valid. */
export function addressOf({ url, service }: Endpoint): URL | undefined {
  const text = service
    ? `${service.scheme ?? 'http'}://${service.name}.${service.namespace}.svc:${service.port}${service.path ?? ''}`
    : (url ?? '');
  const found = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = found && /^https?:$/.test(found.protocol) && !found.username && !found.password;
  return isPlain && found.search === '' && found.hash === '' ? found : undefined;
}
