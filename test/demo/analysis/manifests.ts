// The objects of the demo of the analysis, as a user writes them.
import { NAME, REPLICAS, shopManifest } from '../shop.ts';

export { NAME, REPLICAS };

/** Where the numbers come from. */
export type Source = 'prometheus' | 'kubernetes';

/** The versions that the demo releases. The tag decides how their Pods answer (sandbox/README.md). */
export const VERSIONS: Readonly<Record<Source, { readonly good: string; readonly bad: string }>> = {
  prometheus: { good: 'v2', bad: 'v3-errors-20' },
  kubernetes: { good: 'v2', bad: 'v3-hungry-3' },
};

export const workloadManifest = (namespace: string): string => shopManifest(namespace, 3);

export const sourceManifest = (url: string): string => `\
apiVersion: tranche.dev/v1alpha1
kind: MetricSource
metadata:
  name: default
spec:
  prometheus:
    url: ${url}
`;

const CHECKS: Readonly<Record<Source, string>> = {
  prometheus: `\
      - name: errors
        intervalSeconds: 5
        warmUpSeconds: 5
        onFailure: Rollback
        ratio:
          bad: http_requests_total{code=~"5.."}
          total: http_requests_total
          limit: 5%`,
  // A value of single Pods holds a release. It does not roll it back.
  kubernetes: `\
      - name: memory
        source: kubernetes
        intervalSeconds: 5
        warmUpSeconds: 0
        pods:
          resource: memory
          timesStable: 1.5`,
};

/** A comparison of Pods by rank shows something only if there are enough of both versions: 4 and 6 can be divided in 210 ways, 3 and 7 in 120. */
const FIRST_STEP: Readonly<Record<Source, number>> = { prometheus: 1, kubernetes: 4 };

export const rolloutManifest = (namespace: string, source: Source): string => `\
apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata:
  name: ${NAME}
  namespace: ${namespace}
spec:
  workloadRef:
    apiVersion: apps/v1
    kind: Deployment
    name: ${NAME}
  strategy:
    canary:
      analysis:
${CHECKS[source]}
      steps:
      - replicas: ${FIRST_STEP[source]}
        analysis:
          seconds: 300
      - replicas: 7
        analysis:
          seconds: 300
      - replicas: 100%
`;

export const mostBad = (source: Source): number => FIRST_STEP[source];
