// CustomResourceDefinitions as objects: their schema, their defaults, and fields that users cannot write.
import type { KubeObject, Schema } from '../core/types.ts';

export interface Names {
  plural: string;
  singular?: string;
  kind: string;
  listKind?: string;
  shortNames?: string[];
  categories?: string[];
}

export interface ServiceReference {
  namespace: string;
  name: string;
  path?: string;
  port?: number;
}

export interface WebhookClientConfig {
  url?: string;
  service?: ServiceReference;
  caBundle?: string;
}

export interface Version {
  name: string;
  served: boolean;
  storage: boolean;
  deprecated?: boolean;
  deprecationWarning?: string;
  schema?: { openAPIV3Schema?: Schema };
  subresources?: {
    status?: object;
    scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath?: string };
  };
  additionalPrinterColumns?: PrinterColumn[];
  selectableFields?: { jsonPath: string }[];
}

export interface PrinterColumn {
  name: string;
  type: string;
  format?: string;
  description?: string;
  priority?: number;
  jsonPath: string;
}

export interface DefinitionSpec {
  group: string;
  names: Names;
  scope: 'Namespaced' | 'Cluster';
  versions: Version[];
  preserveUnknownFields?: boolean;
  conversion?: {
    strategy: 'None' | 'Webhook';
    webhook?: { clientConfig?: WebhookClientConfig; conversionReviewVersions: string[] };
  };
}

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export interface DefinitionStatus {
  acceptedNames: Names;
  conditions: Condition[] | null;
  storedVersions: string[];
}

export const specOf = (crd: KubeObject): DefinitionSpec => crd['spec'] as DefinitionSpec;

/** Sets the defaults of a definition. Changes it. */
export function defaultDefinition(crd: KubeObject): void {
  const spec = specOf(crd);
  if (!spec?.names) return;
  spec.names.singular ||= spec.names.kind?.toLowerCase() ?? '';
  if (spec.names.kind) spec.names.listKind ||= `${spec.names.kind}List`;
  spec.conversion ??= { strategy: 'None' };
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service) service.port ??= 443;
}

/** Before storing: discards the status from users, and adds the storage version to the stored versions. Changes the definition. */
export function prepareDefinition(crd: KubeObject, old: KubeObject | undefined): void {
  const before = (old?.['status'] ?? {
    acceptedNames: { kind: '', plural: '' },
    conditions: null,
    storedVersions: [],
  }) as DefinitionStatus;
  const storage = specOf(crd).versions?.find((version) => version.storage)?.name;
  const stored = before.storedVersions ?? [];
  const storedVersions = storage === undefined || stored.includes(storage) ? stored : [...stored, storage];
  crd['status'] = { ...before, storedVersions };
}

/** Whether the definition has the condition. */
export const isTrue = (crd: KubeObject, type: string): boolean =>
  ((crd['status'] as DefinitionStatus | undefined)?.conditions ?? []).some(
    (condition) => condition.type === type && condition.status === 'True',
  );
