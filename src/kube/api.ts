// The port to an API server: one request, one watch. The real one is kube/client.ts; tests have one in virtual time that misbehaves.

import type { OnItem } from './items.ts';

/** Time and chance as the shell sees them. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls fn once after ms; returns a function that cancels it. */
  after(ms: number, fn: () => void): () => void;
  /** A number in [0, 1). */
  random(): number;
}

export type PatchType =
  | 'application/merge-patch+json'
  | 'application/json-patch+json'
  | 'application/strategic-merge-patch+json'
  | 'application/apply-patch+yaml';

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Without query, e.g. `/apis/apps/v1/namespaces/default/deployments/web`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Default application/json. */
  readonly contentType?: PatchType | 'application/json';
  /** Gives up: rejects with an AbortError. */
  readonly signal?: AbortSignal;
  /** Of a list: may be given the items one by one, in order, while they arrive; those that it was given are not in the answer. */
  readonly onItem?: OnItem;
}

/** A line of a watch: Kubernetes' {type, object}. */
export interface WatchLine {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  /** Without `metadata.managedFields`, as the items of `onItem`: whoever wants it asks for the object by name. */
  readonly object: unknown;
}

export interface Api {
  /** The parsed body of a 2xx answer. Throws ApiError (kube/errors.ts) for any other, NetworkError when there was none. */
  request(call: ApiCall): Promise<unknown>;
  /**
   * Opens a watch; calls onLine for each line in order; resolves when the server closes it in an orderly way, rejects as request does,
   * also when it breaks off. `call.signal` ends it: resolves.
   */
  watch(call: ApiCall, onLine: (line: WatchLine) => void): Promise<void>;
}
