// Whether a Pod may run on a node: node selector, required node affinity, taints.
import type { KubeObject } from '../../core/types.ts';

export interface Taint {
  key: string;
  value?: string;
  effect: string;
}

export interface Toleration {
  key?: string;
  operator?: string;
  value?: string;
  effect?: string;
}

/** The part of a Pod's spec that decides where it may run. */
export interface Placement {
  nodeName?: string;
  nodeSelector?: Record<string, string>;
  affinity?: { nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms?: Term[] } } };
  tolerations?: Toleration[];
}

interface Term {
  matchExpressions?: Requirement[];
  matchFields?: Requirement[];
}

interface Requirement {
  key: string;
  operator: string;
  values?: string[];
}

export const tolerates = ({ tolerations = [] }: Placement, taint: Taint): boolean =>
  tolerations.some(
    ({ key, operator, value, effect }) =>
      (!effect || effect === taint.effect) &&
      (operator === 'Exists' ? !key || key === taint.key : key === taint.key && (value ?? '') === (taint.value ?? '')),
  );

export const taintsOf = (node: KubeObject): Taint[] => node.spec?.taints ?? [];

/** The node has the labels and the name that the Pod asks for. */
export const isSelected = (node: KubeObject, { nodeSelector = {}, affinity }: Placement): boolean => {
  const labels = node.metadata.labels ?? {};
  if (Object.entries(nodeSelector).some(([key, value]) => labels[key] !== value)) return false;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!required) return true;
  const fields = { 'metadata.name': node.metadata.name };
  return (required.nodeSelectorTerms ?? []).some(
    ({ matchExpressions = [], matchFields = [] }) =>
      matchExpressions.length + matchFields.length > 0 &&
      matchExpressions.every((requirement) => fits(requirement, labels)) &&
      matchFields.every((requirement) => fits(requirement, fields)),
  );
};

const fits = ({ key, operator, values = [] }: Requirement, labels: Record<string, string>): boolean => {
  const value = labels[key];
  if (operator === 'NotIn') return value === undefined || !values.includes(value);
  if (operator === 'DoesNotExist') return value === undefined;
  if (value === undefined) return false;
  if (operator === 'In') return values.includes(value);
  if (operator === 'Gt') return Number(value) > Number(values[0]);
  if (operator === 'Lt') return Number(value) < Number(values[0]);
  return operator === 'Exists';
};
