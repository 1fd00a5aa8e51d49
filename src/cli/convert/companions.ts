// Converts the other resources of Argo Rollouts and Flagger: autoscalers get a new target, the rest has no counterpart.
import type { Json } from '../../api/json.ts';
import { asObject, groupOf, metadataOf, type Converted } from './types.ts';

const NO_COUNTERPART: Readonly<Record<string, string>> = {
  'argoproj.io/AnalysisTemplate':
    'analysis by metrics is not supported; run its queries in the pipeline, before kubectl tranche approve',
  'argoproj.io/ClusterAnalysisTemplate':
    'analysis by metrics is not supported; run its queries in the pipeline, before kubectl tranche approve',
  'argoproj.io/Experiment': 'has no counterpart',
  'flagger.app/MetricTemplate':
    'analysis by metrics is not supported; run its queries in the pipeline, before kubectl tranche approve',
  'flagger.app/AlertProvider': 'use the Events of the Rollout, and the metrics and alerts of the chart',
};

/** Undefined for other objects. `deploymentOf`: returns the Deployment that replaces an Argo Rollout. */
export function convertCompanion(object: Json, deploymentOf: (rollout: string) => string): Converted | undefined {
  const kind = String(object['kind']);
  const note = NO_COUNTERPART[`${groupOf(object)}/${kind}`];
  if (note !== undefined) return { objects: [], notes: [note] };
  // HorizontalPodAutoscalers, and KEDA's ScaledObjects.
  const spec = asObject(object['spec']);
  const target = asObject(spec?.['scaleTargetRef']);
  if (!String(target?.['apiVersion'] ?? '').startsWith('argoproj.io/') || target?.['kind'] !== 'Rollout')
    return undefined;
  const name = deploymentOf(String(target['name']));
  const { apiVersion } = object;
  const scaleTargetRef = { ...target, apiVersion: 'apps/v1', kind: 'Deployment', name };
  return {
    objects: [
      { apiVersion, kind, metadata: metadataOf(asObject(object['metadata'])), spec: { ...spec, scaleTargetRef } },
    ],
    notes: [`now targets Deployment "${name}"`],
  };
}
