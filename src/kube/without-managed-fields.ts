// Parses objects of the API server without metadata.managedFields, which are a third to half of their bytes and more than half of the work.

const FIELD = '"managedFields":[';
/** The field after the metadata. Inside a string, the quotes would be escaped. */
const SPEC = '"spec":{';
/** The second object of an AdmissionReview. */
const OLD_OBJECT = '"oldObject":{';

/**
 * Parses an object, an item of a list or a line of a watch. `metadata.managedFields` becomes an empty list, or stays if its end is not
 * certain. Throws SyntaxError.
 */
export function parseWithoutManagedFields(bytes: Buffer): unknown {
  const json = bytes.toString('utf8');
  return parse(json, cut(json, 0));
}

/** Parses an AdmissionReview. Both of its objects lose `metadata.managedFields` in the same way. Throws SyntaxError. */
export function parseReviewWithoutManagedFields(json: string): unknown {
  const object = cut(json, 0);
  const at = json.indexOf(OLD_OBJECT, object?.to);
  const old = at < 0 ? undefined : cut(json, at);
  const review = parse(json, object, old);
  const { request } = (review ?? {}) as {
    readonly request?: { readonly object?: unknown; readonly oldObject?: unknown };
  };
  // Without an object, as in a deletion, the first list belongs to oldObject.
  const isOld = object !== undefined && json.lastIndexOf(OLD_OBJECT, object.from) >= 0;
  if (object) keep(isOld ? request?.oldObject : request?.object, json.slice(object.from, object.to));
  if (old) keep(request?.oldObject, json.slice(old.from, old.to));
  return review;
}

/** The text of the fields that were removed from an object, as long as the object exists. */
const removedText = new WeakMap<object, string>();

const keep = (object: unknown, text: string): void => {
  if (typeof object === 'object' && object !== null) removedText.set(object, text);
};

/** `metadata.managedFields` of an object that parseReviewWithoutManagedFields has parsed. */
export function managedFieldsOf(object: unknown): unknown {
  if (typeof object !== 'object' || object === null) return undefined;
  const text = removedText.get(object);
  if (text !== undefined) {
    try {
      return JSON.parse(`[${text}]`);
    } catch {
      // The list contains another list, so nothing was removed.
    }
  }
  return (object as { readonly metadata?: { readonly managedFields?: unknown } | null }).metadata?.managedFields;
}

interface Part {
  readonly from: number;
  readonly to: number;
}

/** Position of the items of managedFields in the object that begins at `start`. Undefined if there are none, or if their end is not certain. */
function cut(json: string, start: number): Part | undefined {
  const at = json.indexOf(FIELD, start);
  const from = at + FIELD.length;
  if (at < 1 || json[at - 1] === '\\') return undefined;
  // After `spec` it is the metadata of a template, which must not change.
  if (json.slice(start, at).includes(SPEC)) return undefined;
  // The list contains no other list, so the first `]` ends it. A `]` inside a string is not followed by `},"` and a field name.
  const to = json.indexOf(']', from);
  return to > from && /^\}\]\}?,"[a-z]/i.test(json.slice(to - 1, to + 5)) ? { from, to } : undefined;
}

function parse(json: string, first: Part | undefined, second?: Part): unknown {
  if (first === undefined) return second ? parse(json, second) : JSON.parse(json);
  const rest = second ? json.slice(first.to, second.from) + json.slice(second.to) : json.slice(first.to);
  try {
    return JSON.parse(json.slice(0, first.from) + rest);
  } catch {
    // The list contains another list, and the wrong `]` was taken for its end.
    return JSON.parse(json);
  }
}
