// The shared types of the sandbox: API machinery, controllers, kubelet and server.

/** A stored object. The store freezes its objects: change a copy. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- an object of any kind
}

export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: ManagedFieldsEntry[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ManagedFieldsEntry {
  manager: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  time?: string;
  fieldsType: 'FieldsV1';
  fieldsV1: Record<string, unknown>;
  subresource?: string;
}

/** Time and random numbers. All parts of the sandbox use this interface, so that virtual time can repeat a run from its seed. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls fn once after ms. Returns a function that cancels it. */
  after(ms: number, fn: () => void): () => void;
  /** A number in [0, 1). */
  random(): number;
}

export interface User {
  username: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
}

export interface GroupResource {
  group: string;
  /** Plural, lower case. */
  resource: string;
}

/** OpenAPI v3 schema as in a CRD. Native kinds use the same form, with `$ref: "#/definitions/<name>"` between types. */
export interface Schema {
  $ref?: string;
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  format?: string;
  description?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  required?: string[];
  enum?: unknown[];
  default?: unknown;
  nullable?: boolean;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minProperties?: number;
  maxProperties?: number;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  not?: Schema;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-embedded-resource'?: boolean;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-map-type'?: 'atomic' | 'granular';
  'x-kubernetes-patch-strategy'?: string;
  'x-kubernetes-patch-merge-key'?: string;
  'x-kubernetes-validations'?: {
    rule: string;
    message?: string;
    messageExpression?: string;
    reason?: string;
    fieldPath?: string;
    optionalOldSelf?: boolean;
  }[];
}

/** One row of the table of resources. Routes, discovery, validation and printing use it. CRDs add rows at run time. */
export interface ResourceType {
  group: string;
  version: string;
  kind: string;
  listKind: string;
  plural: string;
  singular: string;
  shortNames: string[];
  categories: string[];
  namespaced: boolean;
  verbs: string[];
  /** Has the status subresource: other writes keep the old status, /status writes change only the status. */
  status: boolean;
  scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath?: string };
  /** Has metadata.generation, which increases if anything except metadata and status changes. */
  generation: boolean;
  schema: Schema;
  /** The definitions for `$ref`s of the schema. */
  definitions: Record<string, Schema>;
  columns: Column[];
  /** The stored version. Other versions are converted. */
  storageVersion: string;
  /** Rejects patches of this content type with 415 (strategic merge for custom resources). */
  strategicMerge: boolean;
  /** Sets defaults. Receives a mutable copy. */
  default?(object: KubeObject): void;
  /** Removes unknown fields (pruning). Receives a mutable copy. */
  prepare?: ((object: KubeObject, old: KubeObject | undefined) => void) | undefined;
  /** All errors of the object, and of the change from `old`. */
  validate?(object: KubeObject, old: KubeObject | undefined): FieldError[];
  /** Converts to another version of the kind. Absent: the versions differ only in apiVersion. */
  convert?(objects: KubeObject[], toVersion: string): Promise<KubeObject[]>;
  fieldSelectors: string[];
  /** Kinds with their own conversion of field labels have other error texts. */
  ownFieldLabels?: boolean;
  /** A custom resource: no unconditional updates, list items contain their kind, /status keeps all metadata. */
  custom?: boolean;
  /** The storage key, if another group serves the same objects (events.k8s.io). */
  storage?: GroupResource;
  /** Converts from and to the stored version, for native versions that differ in more than apiVersion. */
  fromStorage?(object: KubeObject): KubeObject;
  toStorage?(object: KubeObject): KubeObject;
  /** Checks a name. Default: a DNS subdomain. */
  checkName?(name: string): string[];
  /** PUT creates a missing object. */
  createOnUpdate?: boolean;
  /** false: PUT requires a resourceVersion. */
  unconditionalUpdate?: boolean;
  /** Deletion in two phases: a grace period, then removal by the kubelet. Returns the period in seconds, 0 for immediate removal. */
  graceSeconds?(object: KubeObject, asked: number | undefined): number;
  /**
   * The kind's own deletion (namespaces, definitions): returns the object to store during the cleanup, from a copy. Undefined if nothing
   * blocks the removal.
   */
  terminate?(object: KubeObject, now: string): KubeObject | undefined;
  /** Blocks the removal, even without metadata.finalizers (namespaces have spec.finalizers). */
  heldBack?(object: KubeObject): boolean;
  /** DELETE returns the object instead of a Status. */
  returnsDeleted?: boolean;
  /** false: no orphan/foregroundDeletion finalizers (events). */
  garbageCollected?: boolean;
  /** Changes of annotations increase the generation (Deployments). */
  annotationsBumpGeneration?: boolean;
  labelsBumpGeneration?: boolean;
  /** Extra rules for writes to /status. Receives a mutable copy. */
  prepareStatus?(object: KubeObject, old: KubeObject): void;
  validateStatus?(object: KubeObject, old: KubeObject): FieldError[];
  /** Other subresources besides status and scale, for discovery. */
  subresources?: { name: string; group: string; version: string; kind: string; verbs: string[] }[];
  /** Warnings about accepted but suspicious values. Called only if the spec changed. */
  warnings?(object: KubeObject): string[];
  /** A warning for each response. */
  deprecationWarning?: string;
  /** Supports only get and list. The objects are computed for each request, and nothing is stored (metrics.k8s.io). */
  computed?(namespace: string | undefined): readonly KubeObject[];
  /** Supports only create. The answer is computed and nothing is stored (reviews). */
  virtual?: boolean;
}

export interface Column {
  name: string;
  type: string;
  format?: string;
  description?: string;
  priority: number;
  /** The JSON path of a CRD's printer column, or a function for a native kind. */
  value: string | ((object: KubeObject, now: number) => unknown);
}

/** One cause in a 422, like Kubernetes' field.Error. */
export interface FieldError {
  reason:
    | 'FieldValueInvalid'
    | 'FieldValueRequired'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueDuplicate'
    | 'FieldValueTypeInvalid'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueNotFound'
    | 'InternalError';
  field: string;
  /** In the format of field.Error.ErrorBody(): `Invalid value: -1: must be greater than or equal to 0`. */
  message: string;
}

/** An error response: metav1.Status. Throw it anywhere in the pipeline. */
export class ApiError extends Error {
  readonly status: Status;
  constructor(status: Partial<Status> & { code: number; reason: string; message: string }) {
    // No stack trace: it has no value for a response, and costs more than the whole request.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(status.message);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'ApiError';
    this.status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', ...status };
  }
}

export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: Record<string, unknown>;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    uid?: string;
    causes?: { reason?: string; message?: string; field?: string }[];
    retryAfterSeconds?: number;
  };
  code: number;
}

/** The attributes of a request after routing and authentication, for authorization and admission. */
export interface Attributes {
  user: User;
  verb: string;
  group: string;
  version: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  /** The whole path, for non-resource requests. */
  path: string;
  resourceRequest: boolean;
}

/** An admission request. A mutating webhook may replace `object`. */
export interface AdmissionRequest {
  attributes: Attributes;
  type: ResourceType;
  kind: { group: string; version: string; kind: string };
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  object: KubeObject | null;
  oldObject: KubeObject | null;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions, as in a real admission request. */
  options: Record<string, unknown>;
  dryRun: boolean;
  warnings: string[];
}

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: KubeObject;
  /** The previous object (MODIFIED, DELETED). */
  previous?: KubeObject;
}

/** A request, over HTTPS or from a controller in the same process. */
export interface ApiRequest {
  method: string;
  /** Without the query. */
  path: string;
  query: URLSearchParams;
  /** Lower-case names. */
  headers: Record<string, string | undefined>;
  /** Bytes from a client, or an object from the same process (not copied: do not change it afterwards). */
  body?: Uint8Array | object | undefined;
  /** The user, if already known (callers in the same process, client certificates). */
  user?: User | undefined;
  /** Ends a watch. */
  signal?: AbortSignal;
}

export interface ApiResponse {
  status: number;
  headers: Record<string, string>;
  /** An object for JSON, or text. */
  body?: object | string;
  /** A watch: start() begins the delivery in order, and calls end() at its end (timeout, or an ERROR event). */
  watch?: { start(send: (event: WatchEvent) => void, end: () => void): void; stop(): void };
}

/**
 * The cluster for callers in the same process (controllers, kubelet, tests, fault injection of property tests).
 * Each request passes the same pipeline as over HTTPS.
 */
export interface Client {
  /** Throws ApiError for status 400 and higher. */
  request(
    method: string,
    path: string,
    options?: { query?: Record<string, string>; type?: string; body?: object },
  ): Promise<KubeObject>;
  /** The current objects of a kind and all later changes, in order. Delivered synchronously within the commit. */
  watch(type: GroupResource, listener: (event: WatchEvent) => void): () => void;
}
