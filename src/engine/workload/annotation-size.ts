// Kubernetes limits the total size of an object's annotations. A release whose record exceeds the limit could not continue, so it is refused.
import { CHANGED_BY, FIELD_OWNERS, GLASS_BROKEN, HELD, PAUSED_UNSEEN } from '../../api/keys.ts';
import type { KubeObject } from '../../api/types.ts';
import { HELD_ANNOTATIONS } from './record.ts';
import type { PatchOp } from '../lib/json-patch.ts';
import type { Violation } from '../validate/violation.ts';

/** Limit for the keys and values of all annotations, in bytes. */
const LIMIT_BYTES = 262_144;
/** Room for the record to grow during the release (marks, edited settings), and for the Deployment controller's annotations. */
const ROOM_BYTES = 1_024;
/** Maximum number of bytes of a UTF-16 code unit in UTF-8. */
const WIDEST = 3;
const ANNOTATIONS = '/metadata/annotations';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const OURS: ReadonlySet<string> = new Set([...HELD_ANNOTATIONS, CHANGED_BY, FIELD_OWNERS, GLASS_BROKEN, PAUSED_UNSEEN]);

type Annotations = Readonly<Record<string, string>>;

/** The error if a change leaves no room for the record. Undefined if it fits, or if the user's annotations alone are too large. */
export function recordTooLarge(
  old: KubeObject | undefined,
  received: KubeObject,
  patch: readonly PatchOp[],
): Violation | undefined {
  const before = received.metadata.annotations ?? {};
  if (isPlainlySmall(before, patch)) return undefined;
  const after = patched(before, patch);
  if (after[HELD] === undefined) return undefined;
  const total = sizeOf(after);
  if (total + ROOM_BYTES <= LIMIT_BYTES) return undefined;
  const [own, others] = [sizeOf(pick(after, true)), sizeOf(pick(after, false))];
  // The API server refuses this itself and names the right cause.
  if (others > LIMIT_BYTES) return undefined;
  // During a release, an edit that does not increase the size passes.
  if (old?.metadata.annotations?.[HELD] !== undefined && others <= sizeOf(pick(old.metadata.annotations, false))) {
    return undefined;
  }
  return {
    field: 'metadata.annotations',
    value: `${others} bytes`,
    reason:
      `must leave ${own + ROOM_BYTES} bytes for the record of the release (${HELD}): ` +
      `Kubernetes limits all annotations together to ${LIMIT_BYTES} bytes`,
    remedy: `remove at least ${others + own + ROOM_BYTES - LIMIT_BYTES} bytes; the largest annotation is ${largest(after)}`,
  };
}

/** True for the API server's error if a write of the operator makes the annotations too large. */
export const isTooLarge = (message: string): boolean =>
  message.includes('metadata.annotations') && message.includes(`${LIMIT_BYTES}`);

/** The message for this error. The operator does not cache kubectl's annotation, so it cannot name the largest one. */
export const tooLargeForUs = ({ kind, metadata }: KubeObject): string =>
  `the annotations of ${kind ?? 'the workload'} "${metadata.name}" are too large for the record of the release (${HELD}): remove some of them, or ` +
  `apply with --server-side, which does not write ${LAST_APPLIED}`;

function patched(before: Annotations, patch: readonly PatchOp[]): Annotations {
  let after: Record<string, string> = { ...before };
  for (const op of patch) {
    if (op.path === ANNOTATIONS && op.op !== 'remove') after = { ...(op.value as Annotations) };
    if (!op.path.startsWith(`${ANNOTATIONS}/`)) continue;
    const key = op.path
      .slice(ANNOTATIONS.length + 1)
      .replaceAll('~1', '/')
      .replaceAll('~0', '~');
    if (op.op === 'remove') delete after[key];
    else after[key] = op.value as string;
  }
  return after;
}

/** A cheap check that is enough for nearly all objects. It counts what the patch replaces, too. */
function isPlainlySmall(before: Annotations, patch: readonly PatchOp[]): boolean {
  let characters = 0;
  for (const key of Object.keys(before)) characters += key.length + (before[key]?.length ?? 0);
  for (const op of patch) {
    if (op.op === 'remove' || !op.path.startsWith(ANNOTATIONS)) continue;
    characters += op.path.length + (typeof op.value === 'string' ? op.value : JSON.stringify(op.value)).length;
  }
  return characters * WIDEST + ROOM_BYTES <= LIMIT_BYTES;
}

const pick = (annotations: Annotations, ours: boolean): Annotations =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => OURS.has(key) === ours));

const sizeOf = (annotations: Annotations): number =>
  Object.entries(annotations).reduce((sum, [key, value]) => sum + bytesOf(key) + bytesOf(value), 0);

/** Size in UTF-8. */
function bytesOf(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A surrogate pair is two code units and four bytes.
    if (unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff)) bytes += 2;
    else if (unit > 0x7f) bytes += 1;
  }
  return bytes;
}

function largest(annotations: Annotations): string {
  const sizes = Object.entries(annotations)
    .filter(([key]) => !OURS.has(key))
    .map(([key, value]) => [key, bytesOf(key) + bytesOf(value)] as const)
    .sort(([, a], [, b]) => b - a);
  const [first] = sizes;
  const advice = first?.[0] === LAST_APPLIED ? ', which kubectl apply --server-side does not write' : '';
  return first === undefined ? 'none' : `${first[0]} (${first[1]} bytes)${advice}`;
}
