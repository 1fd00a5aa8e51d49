// Kubernetes limits the annotations of an object together; our record is one of them, and a release that outgrows them could not go on.
import { CHANGED_BY, FIELD_OWNERS, GLASS_BROKEN, HELD, PAUSED_UNSEEN } from '../../api/keys.ts';
import type { KubeObject } from '../../api/types.ts';
import { HELD_ANNOTATIONS } from './record.ts';
import type { PatchOp } from '../lib/json-patch.ts';
import type { Violation } from '../validate/violation.ts';

/** Of the keys and values of all annotations, in bytes. */
const LIMIT_BYTES = 262_144;
/** What the record may grow by until the release ends: budgets, marks, settings that are edited. The native controller adds its own too. */
const ROOM_BYTES = 1_024;
/** A character is at most so many bytes. */
const WIDEST = 3;
const ANNOTATIONS = '/metadata/annotations';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const OURS: ReadonlySet<string> = new Set([...HELD_ANNOTATIONS, CHANGED_BY, FIELD_OWNERS, GLASS_BROKEN, PAUSED_UNSEEN]);

type Annotations = Readonly<Record<string, string>>;

/** What is wrong with a change that leaves no room for the record; undefined when it fits, and when it is no fault of the record. */
export function recordTooLarge(
  old: KubeObject | undefined,
  received: KubeObject,
  patch: readonly PatchOp[],
): Violation | undefined {
  const before = received.metadata.annotations ?? {};
  const after = patched(before, patch);
  if (after[HELD] === undefined || isPlainlySmall(after)) return undefined;
  const total = sizeOf(after);
  if (total + ROOM_BYTES <= LIMIT_BYTES) return undefined;
  const [own, others] = [sizeOf(pick(after, true)), sizeOf(pick(after, false))];
  // The API server refuses it by itself, and names the cause rightly.
  if (others > LIMIT_BYTES) return undefined;
  // A release in flight that is as large already: what makes it no larger may pass.
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

/** What the API server says when a write of the operator makes them too large. */
export const isTooLarge = (message: string): boolean =>
  message.includes('metadata.annotations') && message.includes(`${LIMIT_BYTES}`);

/** Whose fault it is, and what to do about it. The operator does not keep kubectl's annotation, so it cannot say which is the largest. */
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

/** For a fraction of the time, nearly always enough. */
function isPlainlySmall(annotations: Annotations): boolean {
  let characters = 0;
  for (const key in annotations) characters += key.length + (annotations[key]?.length ?? 0);
  return characters * WIDEST + ROOM_BYTES <= LIMIT_BYTES;
}

const pick = (annotations: Annotations, ours: boolean): Annotations =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => OURS.has(key) === ours));

const sizeOf = (annotations: Annotations): number =>
  Object.entries(annotations).reduce((sum, [key, value]) => sum + bytesOf(key) + bytesOf(value), 0);

/** In UTF-8. */
function bytesOf(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A character outside of the basic plane is two units here and four bytes there.
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
