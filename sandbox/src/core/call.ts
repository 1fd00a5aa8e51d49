// A request in the pipeline, and the parts of the server that it uses.
import type { Auth } from '../auth/index.ts';
import type { Registry } from './resources.ts';
import type { RequestInfo } from './routes.ts';
import type { Store } from './store.ts';
import type {
  AdmissionRequest,
  Attributes,
  Clock,
  KubeObject,
  ManagedFieldsEntry,
  ResourceType,
  User,
  WatchEvent,
} from './types.ts';

/** Field ownership (src/apply). Absent if it is not tracked, as in virtual time. */
export interface FieldTracker {
  trackUpdate(change: {
    old: KubeObject | undefined;
    next: KubeObject;
    manager: string;
    type: ResourceType;
    subresource: string;
    time: string;
  }): Promise<ManagedFieldsEntry[]>;
  apply(change: {
    live: KubeObject | undefined;
    /** The body as the client wrote it. */
    applied: KubeObject;
    manager: string;
    force: boolean;
    type: ResourceType;
    subresource: string;
    time: string;
  }): Promise<KubeObject>;
  /** Restores the old times of owners if a write changes nothing else. */
  keepTimes(old: KubeObject, next: KubeObject): void;
}

export interface Admission {
  mutate(request: AdmissionRequest): Promise<void>;
  validate(request: AdmissionRequest): Promise<void>;
  /** No webhook or policy is registered for this request, so both calls can be skipped. */
  concerns?(attributes: Attributes): boolean;
}

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface Machinery {
  readonly clock: Clock;
  readonly store: Store;
  readonly registry: Registry;
  readonly admission: Admission;
  readonly fields: FieldTracker | undefined;
  readonly auth: Pick<Auth, 'check' | 'reviews'>;
}

export interface Call {
  readonly info: RequestInfo;
  readonly user: User;
  readonly query: URLSearchParams;
  readonly headers: Record<string, string | undefined>;
  readonly body: Uint8Array | object | undefined;
  readonly type: ResourceType;
  readonly warnings: string[];
}

/** The result of a handler, before encoding. */
export type Result =
  | { kind: 'object'; code: number; object: KubeObject; type?: ResourceType }
  | { kind: 'list'; items: readonly KubeObject[]; type: ResourceType; metadata: Record<string, unknown> }
  | { kind: 'text'; code: number; text: string; contentType?: string }
  | { kind: 'watch'; type: ResourceType; watch: WatchStream };

export interface WatchStream {
  start(send: (event: WatchEvent) => void, end: () => void): void;
  stop(): void;
}

/** A body from the same process is a trusted, shared object. A body from a client is bytes. */
export const isBytes = (body: unknown): body is Uint8Array => body instanceof Uint8Array;

export const groupResource = (type: ResourceType): { group: string; resource: string } => ({
  group: type.group,
  resource: type.plural,
});

export const groupKind = (type: ResourceType): { group: string; kind: string } => ({
  group: type.group,
  kind: type.kind,
});

/** Converts between the version of a request and the stored version. */
export async function toStored(type: ResourceType, object: KubeObject): Promise<KubeObject> {
  if (type.toStorage) return type.toStorage(object);
  if (type.version === type.storageVersion) return object;
  if (type.convert) return (await type.convert([object], type.storageVersion))[0]!;
  return { ...object, apiVersion: type.group ? `${type.group}/${type.storageVersion}` : type.storageVersion };
}

export async function fromStored(type: ResourceType, objects: readonly KubeObject[]): Promise<readonly KubeObject[]> {
  if (type.fromStorage) return objects.map((object) => type.fromStorage!(object));
  const apiVersion = type.group ? `${type.group}/${type.version}` : type.version;
  if (objects.every((object) => object.apiVersion === apiVersion)) return objects;
  if (type.convert) return type.convert([...objects], type.version);
  return objects.map((object) => (object.apiVersion === apiVersion ? object : { ...object, apiVersion }));
}
