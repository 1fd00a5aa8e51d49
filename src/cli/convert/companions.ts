// What stands beside an Argo Rollout or a Canary in its files: an autoscaler finds the Deployment, the rest has no counterpart.
import type { Json } from '../../api/json.ts';
import { asObject, groupOf, metadataOf, type Converted } from './types.ts';

const NO_COUNTERPART: Readonly<Record<string, string>> = {
  'argoproj.io/AnalysisTemplate':
    'there is no analysis by metrics; what it asks can be asked in the pipeline, before approve',
  'argoproj.io/ClusterAnalysisTemplate':
    'there is no analysis by metrics; what it asks can be asked in the pipeline, before approve',
  'argoproj.io/Experiment': 'has no counterpart',
  'flagger.app/MetricTemplate':
    'there is no analysis by metrics; what it asks can be asked in the pipeline, before approve',
  'flagger.app/AlertProvider': 'see the Events of the Rollout, and the metrics and alerts of the chart',
};

/** Undefined when the object is none of them. `deploymentOf` gives the Deployment that takes the place of an Argo Rollout. */
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
    notes: [`its target is Deployment "${name}" now`],
  };
}
