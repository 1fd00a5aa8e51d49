// Errors of requests to an API server, and functions that tell them apart.

/** The fields of metav1.Status that are read. */
export interface Status {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[];
  };
}

/** The status code of the answer is not 2xx. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status. */
  readonly code: number;
  /** Kubernetes' reason, e.g. `NotFound` or `Conflict`. "" if the answer has none. */
  readonly reason: string;
  /** Retry-After in seconds, if the answer has it. */
  readonly retryAfterSeconds: number | undefined;
  readonly status: Status;

  constructor(code: number, status: Status, retryAfterSeconds?: number) {
    super(status.message ?? `HTTP ${code}`);
    this.code = code;
    this.reason = status.reason ?? '';
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds ?? status.details?.retryAfterSeconds;
  }
}

/** There is no answer. The request may or may not have taken effect. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  readonly code: string;

  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const isForbidden = (error: unknown): boolean => error instanceof ApiError && error.code === 403;
export const isNotFound = (error: unknown): boolean => error instanceof ApiError && error.code === 404;
/** The resourceVersion of the write is stale: read the object and decide again. */
export const isConflict = (error: unknown): boolean =>
  error instanceof ApiError && error.code === 409 && error.reason === 'Conflict';
export const isAlreadyExists = (error: unknown): boolean =>
  error instanceof ApiError && error.reason === 'AlreadyExists';
/** The server asks to wait, e.g. while it prepares the storage of a CRD that has changed ("storage is (re)initializing"). */
export const isBusy = (error: unknown): boolean => error instanceof ApiError && error.code === 429;
/** The resourceVersion is too old for a watch: list again. */
export const isGone = (error: unknown): boolean =>
  error instanceof ApiError && (error.code === 410 || error.reason === 'Expired' || error.reason === 'Gone');
