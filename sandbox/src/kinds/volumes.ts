// PersistentVolumeClaims: stored and printed only. Nothing provisions volumes.
import { field } from '../core/errors.ts';
import { resource } from '../core/resources.ts';
import { same } from '../core/objects.ts';
import { AGE, column, columns, doc, wide } from './column.ts';
import type { FieldError, KubeObject, ResourceType } from '../core/types.ts';
import type { Claim, ClaimSpec } from './native.ts';

const CLAIM = 'core.v1.PersistentVolumeClaim';
const MODES: Record<string, string> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

/** Defaults of a claim, also within a StatefulSet. */
export function defaultClaim(claim: Claim): void {
  if (claim.spec && claim.spec.volumeMode === undefined) claim.spec.volumeMode = 'Filesystem';
  if (!claim.status?.phase) claim.status = { phase: 'Pending', ...claim.status };
}

/** Also within a StatefulSet. */
export function checkClaimSpec(path: string, { accessModes = [], resources }: ClaimSpec): FieldError[] {
  const errors: FieldError[] = [];
  if (!accessModes.length) errors.push(field.required(`${path}.accessModes`, 'at least 1 access mode is required'));
  for (const [i, mode] of accessModes.entries()) {
    if (!MODES[mode]) errors.push(field.notSupported(`${path}.accessModes[${i}]`, mode, Object.keys(MODES).sort()));
  }
  if (resources?.requests?.storage === undefined) errors.push(field.required(`${path}.resources[storage]`));
  return errors;
}

function validateClaim({ spec = {} }: KubeObject, old: KubeObject | undefined): FieldError[] {
  const errors = checkClaimSpec('spec', spec);
  if (old && old.spec.volumeName && !same({ ...spec, resources: 0 }, { ...old.spec, resources: 0 })) {
    errors.push(
      field.forbidden(
        'spec',
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      ),
    );
  }
  return errors;
}

const claimColumns = columns(
  column('Status', doc(`${CLAIM}Status.phase`), ({ status }) => status?.phase ?? ''),
  column('Volume', doc(`${CLAIM}Spec.volumeName`), ({ spec }) => spec.volumeName ?? ''),
  column('Capacity', doc(`${CLAIM}Status.capacity`), ({ spec, status }) =>
    spec.volumeName ? (status?.capacity?.storage ?? '') : '',
  ),
  column('Access Modes', doc(`${CLAIM}Status.accessModes`), ({ spec, status }) =>
    spec.volumeName ? ((status?.accessModes ?? []) as string[]).map((mode) => MODES[mode]).join(',') : '',
  ),
  column('StorageClass', doc(`${CLAIM}Spec.storageClassName`), ({ spec }) => spec.storageClassName ?? ''),
  column(
    'VolumeAttributesClass',
    doc(`${CLAIM}Spec.volumeAttributesClassName`),
    ({ spec }) => spec.volumeAttributesClassName ?? '<unset>',
  ),
  AGE,
  wide('VolumeMode', doc(`${CLAIM}Spec.volumeMode`), ({ spec }) => spec.volumeMode ?? '<unset>'),
);

export const volumeTypes = (): ResourceType[] => [
  resource('', 'v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', {
    status: true,
    shortNames: ['pvc'],
    returnsDeleted: true,
    columns: claimColumns,
    default({ spec }) {
      if (spec && spec.volumeMode === undefined) spec.volumeMode = 'Filesystem';
    },
    prepare(claim, old) {
      if (!old) claim.status = { phase: 'Pending' };
    },
    validate: validateClaim,
  }),
];
