// The JSON Schemas of all objects whose shape is checked: the published ones, the admission request, and the fields of a workload that the program reads.
import type { JsonSchema } from '../api/schema/json-schema.ts';
import { releasePolicy } from '../api/schema/policy.ts';
import { rolloutV1beta1 } from '../api/schema/rollout.ts';
import { trafficRouting } from '../api/schema/traffic.ts';

const nullable = (schema: object): object => ({ ...schema, nullable: true });
const text = nullable({ type: 'string' });
const integer = nullable({ type: 'integer' });
const texts = nullable({ type: 'object', additionalProperties: { type: 'string' } });
const amount = { anyOf: [{ type: 'integer' }, { type: 'string' }, { type: 'null' }] };

const metadata = {
  type: 'object',
  properties: {
    name: text,
    namespace: text,
    uid: text,
    generation: integer,
    deletionTimestamp: text,
    labels: texts,
    annotations: texts,
  },
};

/** Adds the metadata fields to a published schema. */
const withMetadata = (schema: JsonSchema): object => ({
  ...schema,
  properties: { ...schema.properties, metadata },
  required: ['metadata', 'spec'],
});

export const rolloutShape = withMetadata(rolloutV1beta1);
export const trafficRoutingShape = withMetadata(trafficRouting);
export const policyShape = withMetadata(releasePolicy);

export const workloadShape = {
  type: 'object',
  required: ['metadata', 'spec'],
  properties: {
    metadata,
    spec: {
      type: 'object',
      required: ['template'],
      properties: {
        replicas: integer,
        paused: nullable({ type: 'boolean' }),
        minReadySeconds: integer,
        progressDeadlineSeconds: integer,
        strategy: nullable({
          type: 'object',
          properties: {
            type: text,
            rollingUpdate: nullable({ type: 'object', properties: { maxSurge: amount, maxUnavailable: amount } }),
          },
        }),
        updateStrategy: nullable({
          type: 'object',
          properties: {
            type: text,
            rollingUpdate: nullable({ type: 'object', properties: { partition: integer, maxUnavailable: amount } }),
          },
        }),
        template: {
          type: 'object',
          properties: { metadata: nullable({ type: 'object', properties: { labels: texts, annotations: texts } }) },
        },
      },
    },
    status: nullable({
      type: 'object',
      properties: { observedGeneration: integer, replicas: integer, updatedReplicas: integer },
    }),
  },
};

const kind = {
  type: 'object',
  required: ['group', 'version', 'kind'],
  properties: { group: { type: 'string' }, version: { type: 'string' }, kind: { type: 'string' } },
};

/** The fields of admission.k8s.io/v1 that the program reads (admission/shapes.ts). */
export const requestShape = {
  type: 'object',
  required: ['uid', 'kind', 'operation'],
  properties: {
    uid: { type: 'string', minLength: 1 },
    kind,
    requestKind: nullable(kind),
    resource: nullable({ type: 'object', properties: { group: text, resource: text } }),
    subResource: text,
    name: text,
    namespace: text,
    operation: { type: 'string' },
    userInfo: nullable({
      type: 'object',
      properties: { username: text, groups: nullable({ type: 'array', items: { type: 'string' } }) },
    }),
    dryRun: nullable({ type: 'boolean' }),
    options: nullable({ type: 'object', properties: { fieldManager: text } }),
  },
};
