// metadata: fields that the server sets, keeps and refuses.
import { field } from './errors.ts';
import { checkLabelKey, checkLabelValue, checkLabel, checkSubdomain, type NameCheck } from './names.ts';
import type { FieldError, KubeObject, OwnerReference, ResourceType } from './types.ts';

export const ORPHAN = 'orphan';
export const FOREGROUND = 'foregroundDeletion';
const STANDARD_FINALIZERS = new Set([ORPHAN, FOREGROUND, 'kubernetes']);
const IMMUTABLE = 'field is immutable';
const MAX_ANNOTATIONS_BYTES = 256 * 1024;

const complaints = (path: string, value: string, check: NameCheck): FieldError[] =>
  check(value).map((problem) => field.invalid(path, value, problem));

export function checkLabels(labels: Record<string, string> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const key in labels) {
    errors.push(...complaints(path, key, checkLabelKey), ...complaints(path, labels[key]!, checkLabelValue));
  }
  return errors;
}

export function checkAnnotations(annotations: Record<string, string> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const key in annotations) {
    // Annotation keys with upper-case prefixes are valid for historical reasons.
    errors.push(...checkLabelKey(key.toLowerCase()).map((problem) => field.invalid(path, key, problem)));
    size += key.length + annotations[key]!.length;
  }
  if (size > MAX_ANNOTATIONS_BYTES) errors.push(field.tooLong(path, MAX_ANNOTATIONS_BYTES));
  return errors;
}

function checkOwners(owners: OwnerReference[] | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const path = 'metadata.ownerReferences';
  let controller = '';
  for (const owner of owners ?? []) {
    const { apiVersion = '' } = owner;
    if (!apiVersion) errors.push(field.invalid(`${path}.apiVersion`, apiVersion, 'version must not be empty'));
    for (const key of ['kind', 'name', 'uid'] as const) {
      if (!owner[key]) errors.push(field.invalid(`${path}.${key}`, owner[key] ?? '', 'must not be empty'));
    }
    if (!owner.controller) continue;
    const named = `${owner.kind}/${owner.name}`;
    if (controller) {
      errors.push(
        field.invalid(
          path,
          owners,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${named}`,
        ),
      );
    } else controller = named;
  }
  return errors;
}

function checkFinalizers(finalizers: string[] | undefined, custom: boolean): FieldError[] {
  const errors: FieldError[] = [];
  finalizers?.forEach((name, i) => {
    errors.push(...complaints('metadata.finalizers', name, checkLabelKey));
    if (!custom && !name.includes('/') && !STANDARD_FINALIZERS.has(name)) {
      errors.push(
        field.invalid(
          `metadata.finalizers[${i}]`,
          name,
          'name is neither a standard finalizer name nor is it fully qualified',
        ),
      );
    }
  });
  if (finalizers?.includes(ORPHAN) && finalizers.includes(FOREGROUND)) {
    errors.push(
      field.invalid('metadata.finalizers', finalizers, `finalizer ${ORPHAN} and ${FOREGROUND} cannot be both set`),
    );
  }
  return errors;
}

/** All errors in metadata, except invalid changes. Parts that `old` also has are not checked. */
export function validateMeta(type: ResourceType, { metadata }: KubeObject, old?: KubeObject): FieldError[] {
  const before = old?.metadata;
  const errors: FieldError[] = [];
  if (!before) {
    const check = type.checkName ?? checkSubdomain;
    if (metadata.generateName && !metadata.name) {
      errors.push(
        ...complaints('metadata.generateName', metadata.generateName, (name) => check(name.replace(/-$/, 'a'))),
      );
    }
    if (!metadata.name) errors.push(field.required('metadata.name', 'name or generateName is required'));
    else errors.push(...complaints('metadata.name', metadata.name, check));
    if (type.namespaced) {
      if (!metadata.namespace) errors.push(field.required('metadata.namespace'));
      else errors.push(...complaints('metadata.namespace', metadata.namespace, checkLabel));
    } else if (metadata.namespace) {
      errors.push(field.forbidden('metadata.namespace', 'not allowed on this type'));
    }
  }
  if (metadata.labels !== before?.labels) errors.push(...checkLabels(metadata.labels, 'metadata.labels'));
  if (metadata.annotations !== before?.annotations) {
    errors.push(...checkAnnotations(metadata.annotations, 'metadata.annotations'));
  }
  if (metadata.ownerReferences !== before?.ownerReferences) errors.push(...checkOwners(metadata.ownerReferences));
  if (metadata.finalizers !== before?.finalizers) {
    errors.push(...checkFinalizers(metadata.finalizers, type.custom === true));
  }
  return errors;
}

/** Invalid changes of metadata. */
export function validateMetaChange({ metadata }: KubeObject, { metadata: before }: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  if (before.deletionTimestamp) {
    const added = (metadata.finalizers ?? []).filter((each) => !before.finalizers?.includes(each)).sort();
    if (added.length) {
      errors.push(
        field.forbidden(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((each) => JSON.stringify(each)).join(', ')}}`,
        ),
      );
    }
  }
  for (const key of [
    'name',
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ] as const) {
    if (metadata[key] !== before[key]) errors.push(field.invalid(`metadata.${key}`, metadata[key] ?? null, IMMUTABLE));
  }
  return errors;
}

/** Warnings about metadata. */
export function warningsOf(type: ResourceType, object: KubeObject, old: KubeObject | undefined): string[] {
  const { finalizers } = object.metadata;
  return [
    ...(finalizers === old?.metadata.finalizers ? [] : (finalizers ?? []))
      .filter((name) => !name.includes('/') && !STANDARD_FINALIZERS.has(name))
      .map(
        (name) =>
          `metadata.finalizers: ${JSON.stringify(name)}: prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers`,
      ),
    ...(object.spec === old?.spec ? [] : (type.warnings?.(object) ?? [])),
  ];
}

/** Merges duplicate references to the same owner, with a warning. */
export function dedupeOwners(object: KubeObject, warn: (text: string) => void): void {
  const owners = object.metadata.ownerReferences;
  if (!owners || owners.length < 2) return;
  const seen: string[] = [];
  const repeated = new Set<string>();
  const unique = owners.filter((owner) => {
    const text = JSON.stringify([
      owner.uid,
      owner.name,
      owner.kind,
      owner.apiVersion,
      owner.controller,
      owner.blockOwnerDeletion,
    ]);
    if (!seen.includes(text)) return seen.push(text);
    repeated.add(owner.uid);
    return false;
  });
  if (unique.length === owners.length) return;
  object.metadata.ownerReferences = unique;
  warn(
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...repeated].join(', ')}`,
  );
}
