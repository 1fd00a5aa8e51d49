// The sandbox's vocabulary: what its parts (API machinery, controllers, kubelet, server) say to each other.

/** A stored object. The store freezes what it holds; change a copy. */
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

/** Time and chance. Everything in the sandbox takes both from here, so that virtual time can replay a run from its seed. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls fn once after ms; returns a function that cancels it. */
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

/** OpenAPI v3 schema as in a CRD; native kinds use the same form, with `$ref: "#/definitions/<name>"` between types. */
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

/** One row of the table of resources: drives routes, discovery, validation, printing. CRDs add rows while running. */
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
  /** Has the status subresource: main writes keep the old status, /status writes keep all but status. */
  status: boolean;
  scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath?: string };
  /** metadata.generation is kept, and grows when anything but metadata and status changes. */
  generation: boolean;
  schema: Schema;
  /** Where `$ref`s of the schema point. */
  definitions: Record<string, Schema>;
  columns: Column[];
  /** Version that is stored; others are converted. */
  storageVersion: string;
  /** Rejects patches of this content type with 415 (strategic merge for custom resources). */
  strategicMerge: boolean;
  /** Fills in defaults; gets a copy that it may change. */
  default?(object: KubeObject): void;
  /** Drops what this kind does not keep (pruning); gets a copy that it may change. */
  prepare?: ((object: KubeObject, old: KubeObject | undefined) => void) | undefined;
  /** All that is wrong with the object (or with the change from old). */
  validate?(object: KubeObject, old: KubeObject | undefined): FieldError[];
  /** To another version of the same kind; absent = the versions differ in apiVersion only. */
  convert?(objects: KubeObject[], toVersion: string): Promise<KubeObject[]>;
  fieldSelectors: string[];
  /** Kinds with a conversion of field labels of their own complain in other words. */
  ownFieldLabels?: boolean;
  /** A custom resource: no unconditional updates, list items carry their kind, /status keeps all metadata. */
  custom?: boolean;
  /** Where its objects are stored when another group serves the same objects (events.k8s.io). */
  storage?: GroupResource;
  /** From and to the stored version, where native versions differ in more than apiVersion. */
  fromStorage?(object: KubeObject): KubeObject;
  toStorage?(object: KubeObject): KubeObject;
  /** What is wrong with a name; default: a DNS subdomain. */
  checkName?(name: string): string[];
  /** PUT on a missing object creates it. */
  createOnUpdate?: boolean;
  /** false: PUT must say its resourceVersion. */
  unconditionalUpdate?: boolean;
  /** Deleted in two phases: marked with a grace period, removed by the kubelet. Returns the period in seconds, 0 for at once. */
  graceSeconds?(object: KubeObject, asked: number | undefined): number;
  /**
   * Deletion in the kind's own way (namespaces, definitions): what is stored while others clean up, from a copy; undefined when
   * nothing is in the way any more.
   */
  terminate?(object: KubeObject, now: string): KubeObject | undefined;
  /** Stays while this holds, even without metadata.finalizers (namespaces have spec.finalizers). */
  heldBack?(object: KubeObject): boolean;
  /** DELETE answers with the object instead of a Status. */
  returnsDeleted?: boolean;
  /** false: no orphan/foregroundDeletion finalizers (events). */
  garbageCollected?: boolean;
  /** Changes of annotations count for the generation (Deployments). */
  annotationsBumpGeneration?: boolean;
  /** Extra rules for a write to /status; gets a copy that it may change. */
  prepareStatus?(object: KubeObject, old: KubeObject): void;
  validateStatus?(object: KubeObject, old: KubeObject): FieldError[];
  /** Served below the resource, besides status and scale: for discovery. */
  subresources?: { name: string; group: string; version: string; kind: string; verbs: string[] }[];
  /** What is accepted but most likely a mistake: told in Warning headers. Only asked when the spec changed. */
  warnings?(object: KubeObject): string[];
  /** Said in a Warning header of every answer. */
  deprecationWarning?: string;
  /** Only create, and the answer is computed, nothing is stored (reviews). */
  virtual?: boolean;
}

export interface Column {
  name: string;
  type: string;
  format?: string;
  description?: string;
  priority: number;
  /** JSON path of a CRD's printer column, or a function of a native kind. */
  value: string | ((object: KubeObject, now: number) => unknown);
}

/** One cause in a 422, in Kubernetes' field.Error terms. */
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
  /** As field.Error.ErrorBody() prints it: `Invalid value: -1: must be greater than or equal to 0`. */
  message: string;
}

/** An error answer: metav1.Status. Throw it anywhere in the pipeline. */
export class ApiError extends Error {
  readonly status: Status;
  constructor(status: Partial<Status> & { code: number; reason: string; message: string }) {
    // An answer, not a mistake: where it was made says nothing, and finding out costs more than the whole request.
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

/** What a request asks, after routing and authentication: for authorization and admission. */
export interface Attributes {
  user: User;
  verb: string;
  group: string;
  version: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  /** The whole path, for requests that are not about resources. */
  path: string;
  resourceRequest: boolean;
}

/** An admission attempt. `object` may be replaced by a mutating webhook. */
export interface AdmissionRequest {
  attributes: Attributes;
  type: ResourceType;
  kind: { group: string; version: string; kind: string };
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  object: KubeObject | null;
  oldObject: KubeObject | null;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions as the server would send them. */
  options: Record<string, unknown>;
  dryRun: boolean;
  warnings: string[];
}

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: KubeObject;
  /** The object before (MODIFIED, DELETED). */
  previous?: KubeObject;
}

/** One request, however it came in: over HTTPS or from a controller in the same process. */
export interface ApiRequest {
  method: string;
  /** Without query. */
  path: string;
  query: URLSearchParams;
  /** Lower-case names. */
  headers: Record<string, string | undefined>;
  /** Bytes from the wire, or an object from within the process (then not copied: do not change it afterwards). */
  body?: Uint8Array | object | undefined;
  /** Who it is, when known already (in-process callers, client certificates). */
  user?: User | undefined;
  /** Ends a watch. */
  signal?: AbortSignal;
}

export interface ApiResponse {
  status: number;
  headers: Record<string, string>;
  /** An object to be sent as JSON, or text. */
  body?: object | string;
  /** A watch: start() begins delivery in order, and calls end() when it is over (timeout, or an ERROR event). */
  watch?: { start(send: (event: WatchEvent) => void, end: () => void): void; stop(): void };
}

/**
 * The cluster as callers in the same process see it (controllers, kubelet, tests, the property tests' fault injector).
 * Every answer has gone through the same pipeline as one over HTTPS.
 */
export interface Client {
  /** Throws ApiError for an answer of 400 or more. */
  request(
    method: string,
    path: string,
    options?: { query?: Record<string, string>; type?: string; body?: object },
  ): Promise<KubeObject>;
  /** The newest stored objects of a kind and every later change, in order; delivery is synchronous with the store's commit. */
  watch(type: GroupResource, listener: (event: WatchEvent) => void): () => void;
}
