// JSON schemas of received objects, checked with ajv: the admission request, and the fields of a Deployment that the program reads.
import type { ErrorObject, ValidateFunction } from 'ajv';
import type { Deployment } from '../api/types.ts';
import { ajv, metadata, nullable, pathOf } from '../schema/rollout.ts';

const text = nullable({ type: 'string' });
const integer = nullable({ type: 'integer' });
const texts = nullable({ type: 'object', additionalProperties: { type: 'string' } });
const amount = { anyOf: [{ type: 'integer' }, { type: 'string' }, { type: 'null' }] };

const deploymentShape = {
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

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The fields of admission.k8s.io/v1 that the program reads. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly kind: GroupVersionKind;
  readonly requestKind?: GroupVersionKind | null;
  readonly resource?: { readonly resource?: string | null } | null;
  readonly subResource?: string | null;
  readonly name?: string | null;
  readonly namespace?: string | null;
  readonly operation: string;
  readonly userInfo?: { readonly username?: string | null; readonly groups?: readonly string[] | null } | null;
  readonly object?: unknown;
  readonly oldObject?: unknown;
  readonly dryRun?: boolean | null;
  readonly options?: { readonly fieldManager?: string | null } | null;
}

const kind = {
  type: 'object',
  required: ['group', 'version', 'kind'],
  properties: { group: { type: 'string' }, version: { type: 'string' }, kind: { type: 'string' } },
};

const requestShape = {
  type: 'object',
  required: ['uid', 'kind', 'operation'],
  properties: {
    uid: { type: 'string', minLength: 1 },
    kind,
    requestKind: nullable(kind),
    resource: nullable({ type: 'object', properties: { resource: text } }),
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

export const isAdmissionRequest: ValidateFunction<AdmissionRequest> = ajv.compile<AdmissionRequest>(requestShape);
export const isDeployment: ValidateFunction<Deployment> = ajv.compile<Deployment>(deploymentShape);

/** `metadata.labels.a: must be string`. */
export const explain = (errors: readonly ErrorObject[] | null | undefined): string =>
  (errors ?? []).map((error) => `${pathOf(error)}: ${error.message ?? error.keyword}`).join('; ');
