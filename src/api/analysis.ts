// Types of the analysis in a Rollout, and of a MetricSource (tranche.dev/v1alpha1), which is cluster-scoped.
import type { KubeObject, LabelSelector } from './types.ts';

/** One check of a release. Exactly one of `ratio`, `value`, `pods` and `condition`. */
export interface AnalysisCheck {
  /** Unique in the Rollout. */
  readonly name: string;
  /** Name of a MetricSource, or `kubernetes`. Absent = the default one: `kubernetes` if the check reads an API of Kubernetes. */
  readonly source?: string;
  /** Seconds between two looks. Default 30. */
  readonly intervalSeconds?: number;
  /** Requests of a Pod in this time after its creation do not count. Default 60. */
  readonly warmUpSeconds?: number;
  /** Default: `onFailure` of the strategy. */
  readonly onFailure?: 'Hold' | 'Rollback';
  readonly ratio?: RatioSpec;
  readonly value?: ValueSpec;
  readonly pods?: PodsSpec;
  readonly condition?: ConditionSpec;
}

/** Bad requests among all requests, from counters of each Pod. At least one of `limit` and `timesStable`. */
export interface RatioSpec {
  /** PromQL selectors of counters. `bad` and `total`, or `slowerThan`. */
  readonly bad?: string;
  readonly total?: string;
  /** Requests that took longer. `histogram`: PromQL selector of a histogram, without `_bucket`. `seconds`: one of its buckets. */
  readonly slowerThan?: { readonly histogram: string; readonly seconds: number };
  /** Highest share in the new version, such as "1%". */
  readonly limit?: string;
  /** Highest share in the new version, as a multiple of the share in the stable version. */
  readonly timesStable?: number;
  /** Fine is shown when the share is below this multiple of the stable one. Default 3. */
  readonly fineBelowTimesStable?: number;
}

/** One number. Exactly one of `query`, `external` and `web`; at least one of `min` and `max`. */
export interface ValueSpec {
  /** PromQL. `{{namespace}}`, `{{workload}}`, `{{revision}}` and `{{stableRevision}}` are replaced. */
  readonly query?: string;
  /** A metric of external.metrics.k8s.io. `selector`: label selector of the metric. */
  readonly external?: { readonly metric: string; readonly selector?: string };
  /** A number of a JSON document, from a MetricSource of type web. */
  readonly web?: { readonly path: string; readonly jsonPath: string };
  readonly min?: number;
  readonly max?: number;
  /** Looks in a row. Default 3. */
  readonly failures?: number;
}

/** A value of each Pod, compared between the versions. Exactly one of `resource` and `metric`. It holds a release and never rolls it back. */
export interface PodsSpec {
  /** From metrics.k8s.io. */
  readonly resource?: 'cpu' | 'memory';
  /** Name of a metric of custom.metrics.k8s.io. */
  readonly metric?: string;
  readonly timesStable: number;
}

/** An object with the label `rollouts.kruise.io/rollout-id` of the release, in the namespace of the Rollout. */
export interface ConditionSpec {
  readonly apiVersion: string;
  readonly kind: string;
  /** Type of the condition that is True when the check has passed, and of the one that is True when it has failed. */
  readonly ok: string;
  readonly failed?: string;
}

/** How long a step is watched. */
export interface StepAnalysis {
  readonly seconds: number;
  /** Requests that the new version must have had. Default 100. */
  readonly minTotal?: number;
  /** If there were fewer: wait for an approval (default), wait for more requests, or continue. */
  readonly lowTraffic?: 'Approval' | 'Wait' | 'Continue';
}

/**
 * `Worse`: the new version is shown to be worse. It stays Worse for the rest of the release. `Fine`: it is shown not to be. `Open`: there are data,
 * and nothing is shown yet. `Unknown`: there are no data, or the source does not answer. Unknown never becomes Worse by itself.
 */
export type Verdict = 'Worse' | 'Fine' | 'Open' | 'Unknown';

/** What a check says, in `status.canaryStatus.analysis`. Only the operator writes it. */
export interface CheckStatus {
  readonly name: string;
  readonly verdict: Verdict;
  /** Time of the first look with this verdict, in a row. */
  readonly since: string;
  /** In words, with numbers. */
  readonly message?: string;
  /** Digest of the check. A changed check starts again. */
  readonly check?: string;
  /** Requests and bad requests of the new and of the stable version. Absent if the check counts none. */
  readonly total?: number;
  readonly bad?: number;
  readonly stableTotal?: number;
  readonly stableBad?: number;
  /** How much more likely the numbers are if the new version is worse than if it is not, rounded down. At `alarm` the verdict is Worse. */
  readonly evidence?: number;
  readonly alarm?: number;
  /** The one Pod, of three and more, that has nearly all bad requests. The check holds the release then, and does not roll it back. */
  readonly onePod?: string;
  /** Users who let the release go on although the verdict is Worse. */
  readonly acceptedBy?: readonly string[];
}

export interface MetricSource extends KubeObject {
  readonly spec: MetricSourceSpec;
}

/** Exactly one of `prometheus` and `web`. */
export interface MetricSourceSpec {
  readonly prometheus?: PrometheusSpec;
  readonly web?: Endpoint;
  /** Namespaces whose Rollouts may use the source. Absent or empty = all. */
  readonly namespaceSelector?: LabelSelector;
}

/** An address and how to authenticate. Exactly one of `url` and `service`. */
export interface Endpoint {
  readonly url?: string;
  readonly service?: {
    readonly namespace: string;
    readonly name: string;
    readonly port: number;
    readonly scheme?: 'http' | 'https';
    readonly path?: string;
  };
  /** `{{namespace}}` in a value is replaced by the namespace of the Rollout. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Name of a Secret in the namespace of Tranche: `token`, or `username` and `password`; `tls.crt` and `tls.key`; `ca.crt`. */
  readonly secretName?: string;
  /** Absolute path of a file with a bearer token in the container, such as a projected token. It is read before each request. */
  readonly bearerTokenFile?: string;
  /** Default 10. */
  readonly timeoutSeconds?: number;
}

export interface PrometheusSpec extends Endpoint {
  /** Further parameters of each query, such as `dedup: "true"` and `partial_response: "false"` for Thanos. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Default true: each selector gets a matcher for the namespace of the Rollout. */
  readonly enforceNamespace?: boolean;
  /** Names of labels. Default `namespace` and `pod`. */
  readonly namespaceLabel?: string;
  readonly podLabel?: string;
}
