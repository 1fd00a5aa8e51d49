// The error responses of the API server, with identical texts.
import { ApiError, type FieldError, type GroupResource, type Status } from './types.ts';
import { canonical } from './objects.ts';

/** `deployments.apps`; `pods` for the core group. */
export const qualified = (group: string, resource: string): string => (group ? `${resource}.${group}` : resource);

const details = (group: string, kind: string, name?: string): NonNullable<Status['details']> => ({
  ...(name ? { name } : {}),
  ...(group ? { group } : {}),
  ...(kind ? { kind } : {}),
});

export const badRequest = (message: string): ApiError => new ApiError({ code: 400, reason: 'BadRequest', message });

export const notFound = ({ group, resource }: GroupResource, name: string): ApiError =>
  new ApiError({
    code: 404,
    reason: 'NotFound',
    message: `${qualified(group, resource)} "${name}" not found`,
    details: details(group, resource, name),
  });

export const alreadyExists = ({ group, resource }: GroupResource, name: string): ApiError =>
  new ApiError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${qualified(group, resource)} "${name}" already exists`,
    details: details(group, resource, name),
  });

export const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again';

export const conflict = ({ group, resource }: GroupResource, name: string, why: string = MODIFIED): ApiError =>
  new ApiError({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${qualified(group, resource)} "${name}": ${why}`,
    details: details(group, resource, name),
  });

export const forbidden = ({ group, resource }: GroupResource, name: string, why: string): ApiError =>
  new ApiError({
    code: 403,
    reason: 'Forbidden',
    message: resource
      ? `${qualified(group, resource)}${name ? ` "${name}"` : ''} is forbidden: ${why}`
      : `forbidden: ${why}`,
    details: details(group, resource, name),
  });

export const invalid = (
  { group, kind }: { group: string; kind: string },
  name: string,
  errors: FieldError[],
): ApiError => {
  const texts = [...new Set(errors.map((error) => `${error.field}: ${error.message}`))];
  const list = texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`;
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: `${qualified(group, kind)} "${name}" is invalid${texts.length ? `: ${list}` : ''}`,
    details: {
      ...details(group, kind, name),
      ...(errors.length ? { causes: errors.map(({ reason, message, field }) => ({ reason, message, field })) } : {}),
    },
  });
};

export const internal = (message: string): ApiError =>
  new ApiError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  });

export const methodNotSupported = ({ group, resource }: GroupResource, action: string): ApiError =>
  new ApiError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: `${action} is not supported on resources of kind "${qualified(group, resource)}"`,
    details: details(group, resource),
  });

export const expired = (message: string): ApiError => new ApiError({ code: 410, reason: 'Expired', message });

export const tooManyRequests = (message: string, retryAfterSeconds: number, causes?: object[]): ApiError =>
  new ApiError({
    code: 429,
    reason: 'TooManyRequests',
    message,
    details: { ...(retryAfterSeconds ? { retryAfterSeconds } : {}), ...(causes ? { causes } : {}) },
  });

export const unsupportedMediaType = (accepted: string[]): ApiError =>
  new ApiError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  });

/** Errors of the HTTP layer, before a handler runs. */
export const generic = (code: 404 | 405 | 415 | 422): ApiError =>
  new ApiError({
    code,
    reason: { 404: 'NotFound', 405: 'MethodNotAllowed', 415: 'UnsupportedMediaType', 422: 'Invalid' }[code],
    message: {
      404: 'the server could not find the requested resource',
      405: 'the server does not allow this method on the requested resource',
      415: '415: Unsupported Media Type',
      422: 'the server rejected our request due to an error in our request',
    }[code],
    details: {},
  });

/** An unknown path: plain text, as in Go, not a Status. */
export class PageNotFound extends Error {}

/** The constructors of Kubernetes' field.Error. */
const show = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : canonical(value));

export const field = {
  invalid: (path: string, value: unknown, detail: string): FieldError => ({
    reason: 'FieldValueInvalid',
    field: path,
    message: `Invalid value: ${show(value)}: ${detail}`,
  }),
  required: (path: string, detail = ''): FieldError => ({
    reason: 'FieldValueRequired',
    field: path,
    message: `Required value${detail ? `: ${detail}` : ''}`,
  }),
  forbidden: (path: string, detail: string): FieldError => ({
    reason: 'FieldValueForbidden',
    field: path,
    message: `Forbidden: ${detail}`,
  }),
  notSupported: (path: string, value: unknown, supported: readonly string[]): FieldError => ({
    reason: 'FieldValueNotSupported',
    field: path,
    message: `Unsupported value: ${show(value)}: supported values: ${supported.map((each) => JSON.stringify(each)).join(', ')}`,
  }),
  duplicate: (path: string, value: unknown): FieldError => ({
    reason: 'FieldValueDuplicate',
    field: path,
    message: `Duplicate value: ${show(value)}`,
  }),
  tooLong: (path: string, maxBytes: number): FieldError => ({
    reason: 'FieldValueTooLong',
    field: path,
    message: `Too long: may not be more than ${maxBytes} bytes`,
  }),
  tooMany: (path: string, actual: number, max: number): FieldError => ({
    reason: 'FieldValueTooMany',
    field: path,
    message: `Too many: ${actual}: must have at most ${max} items`,
  }),
  notFound: (path: string, value: unknown): FieldError => ({
    reason: 'FieldValueNotFound',
    field: path,
    message: `Not found: ${show(value)}`,
  }),
};
