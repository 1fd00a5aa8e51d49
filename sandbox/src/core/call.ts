// A request on its way through the pipeline, and the parts of the server it can use.
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

/** Who owns which field (sandbox/src/apply); absent where nobody looks, as in virtual time. */
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
    /** As the client wrote it. */
    applied: KubeObject;
    manager: string;
    force: boolean;
    type: ResourceType;
    subresource: string;
    time: string;
  }): Promise<KubeObject>;
  /** Where a write changes nothing but the times of owners, puts back the old times. */
  keepTimes(old: KubeObject, next: KubeObject): void;
}

export interface Admission {
  mutate(request: AdmissionRequest): Promise<void>;
  validate(request: AdmissionRequest): Promise<void>;
  /** Nothing is registered for this at present: both calls can be skipped. */
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

/** What a handler found, before it is put into the form the client asked for. */
export type Result =
  | { kind: 'object'; code: number; object: KubeObject; type?: ResourceType }
  | { kind: 'list'; items: readonly KubeObject[]; type: ResourceType; metadata: Record<string, unknown> }
  | { kind: 'text'; code: number; text: string; contentType?: string }
  | { kind: 'watch'; type: ResourceType; watch: WatchStream };

export interface WatchStream {
  start(send: (event: WatchEvent) => void, end: () => void): void;
  stop(): void;
}

/** A body within the process is an object, trusted and shared; from the wire it is bytes. */
export const isBytes = (body: unknown): body is Uint8Array => body instanceof Uint8Array;

export const groupResource = (type: ResourceType): { group: string; resource: string } => ({
  group: type.group,
  resource: type.plural,
});

export const groupKind = (type: ResourceType): { group: string; kind: string } => ({
  group: type.group,
  kind: type.kind,
});

/** Between the version of a request and the version that is stored. */
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
