// Helpers for printer columns. The description of a column is the documentation of its field.
import { NAME_COLUMN } from '../core/resources.ts';
import { formatLabelSelector, labelSelectorOf } from '../core/select.ts';
import { AGE_COLUMN } from '../core/table.ts';
import { definitions } from '../schema/index.ts';
import type { Column, KubeObject } from '../core/types.ts';
import type { LabelSelector } from './native.ts';

export type Value = (object: KubeObject, now: number) => unknown;

const SELECTORS =
  'More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors';

/** Fields that refer to another type. The generated schemas contain no description for them. */
const REFERENCES: Record<string, string> = {
  'apps.v1.DeploymentSpec.selector':
    "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by this deployment. It must match the pod template's labels.",
  'apps.v1.ReplicaSetSpec.selector': `Selector is a label query over pods that should match the replica count. Label keys and values that must match in order to be controlled by this replica set. It must match the pod template's labels. ${SELECTORS}`,
  'apps.v1.DaemonSetSpec.selector': `A label query over pods that are managed by the daemon set. Must match in order to be controlled. It must match the pod template's labels. ${SELECTORS}`,
  'autoscaling.v2.HorizontalPodAutoscalerSpec.scaleTargetRef':
    'scaleTargetRef points to the target resource to scale, and is used to the pods for which metrics should be collected, as well as to actually change the replica count.',
  'core.v1.Event.involvedObject': 'The object that this event is about.',
  'core.v1.Event.source': 'The component reporting this event. Should be a short machine understandable string.',
  'rbac.v1.RoleBinding.roleRef':
    'RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error. This field is immutable.',
};

/** The documentation of a field of a native type, e.g. `apps.v1.DeploymentStatus.updatedReplicas`. */
export function doc(path: string): string {
  const at = path.lastIndexOf('.');
  const definition = definitions[`io.k8s.api.${path.slice(0, at)}`];
  return definition?.properties?.[path.slice(at + 1)]?.description ?? REFERENCES[path] ?? '';
}

export const column = (name: string, description: string, value: Value, type = 'string'): Column => ({
  name,
  type,
  description,
  priority: 0,
  value,
});
/** Shown by `-o wide` only. */
export const wide = (name: string, description: string, value: Value): Column => ({
  ...column(name, description, value),
  priority: 1,
});

export const columns = (...list: Column[]): Column[] => [NAME_COLUMN, ...list];
export const AGE = AGE_COLUMN;
export const NONE = '<none>';

export const joined = (list: readonly unknown[] | undefined): string => (list?.length ? list.join(',') : NONE);
export const selectorText = (selector: LabelSelector | undefined): string =>
  selector ? formatLabelSelector(labelSelectorOf(selector)) || NONE : NONE;
export const labelsText = (labels: Record<string, string> | undefined): string =>
  labels ? formatLabelSelector(labelSelectorOf({ matchLabels: labels })) || NONE : NONE;
