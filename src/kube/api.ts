// The interface to an API server: requests and watches. client.ts implements it; tests use a simulated server in virtual time.

import type { OnItem } from './items.ts';

/** Source of time and random numbers. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls fn once after ms milliseconds. Returns a function that cancels the call. */
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
  /** Path without the query, e.g. `/apis/apps/v1/namespaces/default/deployments/web`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Default application/json. */
  readonly contentType?: PatchType | 'application/json';
  /** Cancels the call, which rejects with an AbortError. */
  readonly signal?: AbortSignal;
  /** For a list: receives the items one by one, in order, while they arrive. The answer does not contain the items that were passed to it. */
  readonly onItem?: OnItem;
  /** It does not wait for a connection behind calls that are not urgent. For short calls with a deadline. */
  readonly urgent?: boolean;
  /** Warnings of the API server about this call are not reported. */
  readonly quiet?: boolean;
}

/** A line of a watch: Kubernetes' {type, object}. */
export interface WatchLine {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  /** Without `metadata.managedFields`, like the items of `onItem`. A GET by name returns them. */
  readonly object: unknown;
}

export interface Api {
  /** Returns the parsed body of a 2xx answer. Throws ApiError (kube/errors.ts) for any other answer, and NetworkError without an answer. */
  request(call: ApiCall): Promise<unknown>;
  /**
   * Opens a watch and calls onLine for each line in order. Resolves when the server closes the watch, or when `call.signal` is aborted.
   * Rejects like `request`, also when the connection breaks.
   */
  watch(call: ApiCall, onLine: (line: WatchLine) => void): Promise<void>;
}
