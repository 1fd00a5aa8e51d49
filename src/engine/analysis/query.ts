// What a check asks its source for, and what a source answers.
import type { AnalysisCheck, RatioSpec } from '../../api/analysis.ts';

/** Values of one Pod, or of none: by time in milliseconds since the epoch. */
export interface Series {
  /** Name of the Pod. Undefined for a series without it. */
  readonly pod: string | undefined;
  readonly samples: ReadonlyMap<number, number>;
}

/** Why there are no data. A source never says that a release has failed. */
export interface Unknown {
  readonly unknown: string;
}

/** A source limits each query to the namespace; it answers a query that it does not support with Unknown. */
export type Query =
  /** Raw counters, one series for each Pod of the workload. `selector`: PromQL, checked (schema/promql.ts). */
  | { readonly kind: 'Counters'; readonly namespace: string; readonly workload: string; readonly selector: string }
  /** One number. `expression`: PromQL, checked. */
  | { readonly kind: 'Expression'; readonly namespace: string; readonly expression: string }
  /** Current use of each Pod, in cores or bytes. `pods`: label selector. */
  | {
      readonly kind: 'PodResource';
      readonly namespace: string;
      readonly pods: string;
      readonly resource: 'cpu' | 'memory';
    }
  /** Current value of a custom metric of each Pod. `pods`: label selector. */
  | { readonly kind: 'PodMetric'; readonly namespace: string; readonly pods: string; readonly metric: string }
  /** Current value of an external metric. `selector`: label selector of the metric. */
  | {
      readonly kind: 'External';
      readonly namespace: string;
      readonly metric: string;
      readonly selector: string | undefined;
    }
  /** One number of a JSON document. `path` is added to the address of the source. */
  | { readonly kind: 'Web'; readonly namespace: string; readonly path: string; readonly jsonPath: string };

/** The release that a check watches. */
export interface Release {
  readonly namespace: string;
  /** Name of the workload. */
  readonly workload: string;
  /** Label selector of its Pods. */
  readonly pods: string;
  readonly rolloutID: string;
  /** Hash in the names of the Pods of the new version, and of the stable one. */
  readonly revision: string;
  readonly stableRevision: string;
  /** Start of the release, in milliseconds. Nothing before it counts. */
  readonly startedAt: number;
  /** Number of ratio checks, which share the probability of a false alarm. */
  readonly ratioChecks: number;
}

/** The queries of a check, in a fixed order. Empty for a condition. */
export function queriesOf(check: AnalysisCheck, release: Release): readonly Query[] {
  const { namespace, workload } = release;
  const { ratio, value, pods } = check;
  if (ratio !== undefined)
    return selectorsOf(ratio).map((selector) => ({ kind: 'Counters', namespace, workload, selector }));
  if (value?.query !== undefined)
    return [{ kind: 'Expression', namespace, expression: withNames(value.query, release) }];
  if (value?.external !== undefined) {
    const { metric, selector } = value.external;
    return [{ kind: 'External', namespace, metric, selector }];
  }
  if (value?.web !== undefined) return [{ kind: 'Web', namespace, ...value.web }];
  if (pods?.resource !== undefined)
    return [{ kind: 'PodResource', namespace, pods: release.pods, resource: pods.resource }];
  if (pods?.metric !== undefined) return [{ kind: 'PodMetric', namespace, pods: release.pods, metric: pods.metric }];
  return [];
}

/** Selectors of all requests and of the bad ones, or, with `slowerThan`, of all requests and of the fast ones. */
function selectorsOf({ total = '', bad = '', slowerThan }: RatioSpec): readonly string[] {
  if (slowerThan === undefined) return [total, bad];
  const { histogram, seconds } = slowerThan;
  const brace = histogram.includes('{') ? histogram.indexOf('{') : histogram.length;
  const name = histogram.slice(0, brace).trim();
  const matchers = histogram.slice(brace).trim();
  // Servers write whole numbers as 1 or as 1.0.
  const le = `le=~"${String(seconds).replaceAll('.', '[.]')}${Number.isInteger(seconds) ? '([.]0)?' : ''}"`;
  return [`${name}_count${matchers}`, `${name}_bucket{${le}${matchers === '' ? '}' : `,${matchers.slice(1)}`}`];
}

/** Names that a PromQL expression may use: `{{namespace}}`. Their values are names and hashes, and they are escaped for a quoted string. */
const NAMES: Readonly<Record<string, (release: Release) => string>> = {
  namespace: ({ namespace }) => namespace,
  workload: ({ workload }) => workload,
  revision: ({ revision }) => revision,
  stableRevision: ({ stableRevision }) => stableRevision,
};

export const PLACEHOLDERS: readonly string[] = Object.keys(NAMES);

export const withNames = (expression: string, release: Release): string =>
  expression.replaceAll(/\{\{ *(\w+) *\}\}/g, (whole, name: string) => {
    const read = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
    return read === undefined ? whole : JSON.stringify(read(release)).slice(1, -1);
  });
