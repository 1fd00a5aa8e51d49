// Converts the other objects beside Argo Rollouts and Canaries: autoscalers get a new target, the rest is named.
import type { Json } from '../../api/json.ts';
import { asObject, groupOf, lost, metadataOf, note, type Converted } from './types.ts';

const NO_COUNTERPART: Readonly<Record<string, string>> = {
  'argoproj.io/AnalysisRun': 'has no counterpart: the status of the Rollout says what the checks say',
  'argoproj.io/Experiment': 'has no counterpart',
  'flagger.app/AlertProvider': 'use the Events of the Rollout, and the metrics and alerts of the chart',
};

/** They become checks of the Rollouts that name them. */
const TEMPLATES = new Set([
  'argoproj.io/AnalysisTemplate',
  'argoproj.io/ClusterAnalysisTemplate',
  'flagger.app/MetricTemplate',
]);

/** What to look at in objects that a release of Argo Rollouts or Flagger changes or depends on. */
const LOOK_AT: Readonly<Record<string, string>> = {
  Service: 'select the Pods of both versions, without rollouts-pod-template-hash and without -primary',
  PodDisruptionBudget: 'select the Pods of both versions',
  Ingress: 'send all requests to one Service',
  VirtualService: 'send all requests to one Service',
  DestinationRule: 'remove the subsets of the two versions',
  HTTPRoute: 'send all requests to one Service',
  TrafficSplit: 'send all requests to one Service, then delete it',
};

/** `deploymentOf`: returns the Deployment that replaces an Argo Rollout. */
export function convertCompanion(object: Json, deploymentOf: (rollout: string) => string): Converted {
  const kind = String(object['kind']);
  const known = NO_COUNTERPART[`${groupOf(object)}/${kind}`];
  if (known !== undefined) return { objects: [], remarks: [lost(known)] };
  if (TEMPLATES.has(`${groupOf(object)}/${kind}`))
    return { objects: [], remarks: [note('its metrics become checks of the Rollouts that name it')] };
  // HorizontalPodAutoscalers, and KEDA's ScaledObjects.
  const spec = asObject(object['spec']);
  const target = asObject(spec?.['scaleTargetRef']);
  if (!String(target?.['apiVersion'] ?? '').startsWith('argoproj.io/') || target?.['kind'] !== 'Rollout') {
    const look = LOOK_AT[kind];
    return {
      objects: [],
      remarks: [lost(`is not part of the output: keep it as it is${look === undefined ? '' : `, but ${look}`}`)],
    };
  }
  const name = deploymentOf(String(target['name']));
  const { apiVersion } = object;
  const scaleTargetRef = { ...target, apiVersion: 'apps/v1', kind: 'Deployment', name };
  return {
    objects: [
      { apiVersion, kind, metadata: metadataOf(asObject(object['metadata'])), spec: { ...spec, scaleTargetRef } },
    ],
    remarks: [note(`now targets Deployment "${name}"`)],
  };
}
