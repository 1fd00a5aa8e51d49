// The objects of the demo of traffic, as a user writes them.
import { NAME, PORT, REPLICAS, shopManifest } from '../shop.ts';

export { NAME, REPLICAS };

export const GATEWAY = 'web';

export const workloadManifest = (namespace: string): string => `\
${shopManifest(namespace, 4)}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: ${NAME}
  namespace: ${namespace}
spec:
  parentRefs:
  - name: ${GATEWAY}
  rules:
  - backendRefs:
    - name: ${NAME}
      port: ${PORT}
`;

export const rolloutManifest = (namespace: string): string => `\
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
      trafficRoutings:
      - service: ${NAME}
        gateway:
          httpRouteName: ${NAME}
      steps:
      - replicas: 1
        traffic: 5%
      - replicas: 50%
        traffic: 50%
      - replicas: 100%
`;
