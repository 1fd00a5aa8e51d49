// apiextensions.k8s.io/v1: CustomResourceDefinition as a kind. ../definitions.ts adds its kinds to the table.
import { resource } from '../core/resources.ts';
import { defaultDefinition, prepareDefinition, validateCrd, withCondition, type Condition } from '../crd/index.ts';
import { definitionColumns } from './columns.ts';
import type { ResourceType } from '../core/types.ts';

export const CLEANUP = 'customresourcecleanup.apiextensions.k8s.io';

export const extensionTypes = (): ResourceType[] => [
  resource('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition', 'customresourcedefinitions', {
    namespaced: false,
    status: true,
    generation: true,
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    unconditionalUpdate: false,
    columns: definitionColumns,
    default: defaultDefinition,
    prepare: prepareDefinition,
    validate: validateCrd,
    // The objects are deleted first. The finalizer blocks the definition until then.
    terminate(definition, now) {
      const { metadata } = definition;
      if (metadata.deletionTimestamp) return metadata.finalizers?.length ? definition : undefined;
      metadata.deletionTimestamp = now;
      metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), CLEANUP])];
      const terminating: Condition = {
        type: 'Terminating',
        status: 'True',
        reason: 'InstanceDeletionPending',
        message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
      };
      const conditions = (definition.status?.conditions ?? []) as Condition[];
      definition.status = { ...definition.status, conditions: withCondition(conditions, terminating, now) };
      return definition;
    },
  }),
];
