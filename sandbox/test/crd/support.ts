// Short definitions for these tests.
import type { FieldError, KubeObject, ResourceType, Schema } from '../../src/core/types.ts';
import { defaultDefinition, prepareDefinition, resourceTypesOf, validateCrd } from '../../src/crd/index.ts';

export interface VersionOptions {
  storage?: boolean;
  served?: boolean;
  subresources?: object;
  [key: string]: unknown;
}

export const version = (name: string, spec: Schema, more: VersionOptions = {}): object => ({
  name,
  served: true,
  storage: true,
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: { spec, status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    },
  },
  ...more,
});

export function definition(versions: object[], more: object = {}): KubeObject {
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'gadgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'gadgets', kind: 'Gadget' },
      versions,
      ...more,
    },
  } as KubeObject;
  defaultDefinition(crd);
  prepareDefinition(crd, undefined);
  return crd;
}

/** The row of a kind whose spec has this schema. */
export const typeWithSpec = (spec: Schema, more: VersionOptions = {}): ResourceType =>
  resourceTypesOf(definition([version('v1', spec, more)]))[0]!;

export const gadget = (spec: unknown, more: object = {}): KubeObject =>
  ({ apiVersion: 'example.com/v1', kind: 'Gadget', metadata: { name: 'g' }, spec, ...more }) as KubeObject;

export const text = ({ field, message }: FieldError): string => `${field}: ${message}`;

/** What is wrong with an object whose spec is this, by the schema of the spec. */
export const problems = (spec: Schema, value: unknown, old?: unknown): string[] =>
  typeWithSpec(spec).validate!(gadget(value), old === undefined ? undefined : gadget(old)).map(text);

/** What is wrong with a definition. */
export const refusals = (crd: KubeObject, old?: KubeObject): string[] => validateCrd(crd, old).map(text);
