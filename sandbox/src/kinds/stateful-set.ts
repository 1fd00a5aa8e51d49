// apps/v1: StatefulSet.
import { field } from '../core/errors.ts';
import { checkLabel } from '../core/names.ts';
import {
  immutable,
  isZero,
  named,
  notLess,
  notMoreThan100Percent,
  notNegative,
  oneOf,
  positiveIntOrPercent,
} from './checks.ts';
import { statefulSetColumns } from './columns.ts';
import { fill, startWith } from './defaults.ts';
import { checkTemplate, defaultTemplate, keepLabels } from './template.ts';
import { checkClaimSpec, defaultClaim } from './volumes.ts';
import { podSpecWarnings } from './warnings.ts';
import type { FieldError, KubeObject, ResourceType } from '../core/types.ts';
import type { ClaimSpec, StatefulSetSpec, StatefulSetStrategy, WorkloadSpec } from './native.ts';

const STATEFUL_MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

const checkPolicy = (policy: unknown): FieldError[] =>
  policy === 'OrderedReady' || policy === 'Parallel'
    ? []
    : [field.invalid('spec.podManagementPolicy', policy, "must be 'OrderedReady' or 'Parallel'")];

function checkStatefulStrategy(strategy: StatefulSetStrategy): FieldError[] {
  const path = 'spec.updateStrategy';
  const { type, rollingUpdate } = strategy;
  // The messages have the fields of Go's internal types, in their order.
  const refused = (at: string, value: unknown, why: string): FieldError[] => [
    { reason: 'FieldValueInvalid', field: at, message: `Invalid value: ${JSON.stringify(value)}: ${why}` },
  ];
  const shown = rollingUpdate ? { Partition: rollingUpdate.partition ?? 0, MaxUnavailable: null } : null;
  if (type === 'OnDelete') {
    return shown ? refused(`${path}.rollingUpdate`, shown, "only allowed for updateStrategy 'RollingUpdate'") : [];
  }
  if (type !== 'RollingUpdate') {
    return refused(path, { Type: type, RollingUpdate: shown }, "must be 'RollingUpdate' or 'OnDelete'");
  }
  const { partition, maxUnavailable } = rollingUpdate ?? {};
  const at = `${path}.rollingUpdate.maxUnavailable`;
  return [
    ...notNegative(`${path}.rollingUpdate.partition`, partition),
    ...(maxUnavailable === undefined ? [] : positiveIntOrPercent(at, maxUnavailable)),
    ...(maxUnavailable !== undefined && isZero(maxUnavailable)
      ? [field.invalid(at, maxUnavailable, 'cannot be 0')]
      : []),
    ...notMoreThan100Percent(at, maxUnavailable),
  ];
}

/** The template as its Pods will be: with the volumes of claims. */
function podsOf(spec: StatefulSetSpec): WorkloadSpec {
  const { template, volumeClaimTemplates: claims = [] } = spec;
  if (!template?.spec) return spec;
  const { volumes = [], ...rest } = template.spec;
  const claimed = claims.map(({ metadata: { name } }) => ({ name, persistentVolumeClaim: { claimName: name } }));
  const own = volumes.filter(({ name }) => !claimed.some((claim) => claim.name === name));
  return { ...spec, template: { ...template, spec: { ...rest, volumes: [...claimed, ...own] } } };
}

function checkRetention(policy: Record<string, string> | undefined): FieldError[] {
  const path = 'spec.persistentVolumeClaimRetentionPolicy';
  return ['whenDeleted', 'whenScaled'].flatMap((key) =>
    policy ? oneOf(`${path}.${key}`, policy[key], ['Retain', 'Delete']) : [],
  );
}

function validateStatefulSet({ spec = {} }: KubeObject, old: KubeObject | undefined): FieldError[] {
  if (spec === old?.spec) return [];
  const errors = [
    ...checkPolicy(spec.podManagementPolicy),
    ...checkStatefulStrategy(spec.updateStrategy),
    ...checkRetention(spec.persistentVolumeClaimRetentionPolicy),
    ...(old ? [] : checkClaims(spec.volumeClaimTemplates)),
    ...notNegative('spec.replicas', spec.replicas),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...notNegative('spec.ordinals.start', spec.ordinals?.start),
    ...(spec.serviceName && !old ? named('spec.serviceName', spec.serviceName, checkLabel) : []),
    ...checkTemplate(podsOf(spec), 'statefulset', 'StatefulSet'),
  ];
  const frozen = (value: object): object =>
    Object.fromEntries(Object.entries(value).filter(([key]) => !STATEFUL_MUTABLE.includes(key)));
  if (old && immutable('spec', frozen(spec), frozen(old.spec)).length) {
    errors.push(
      field.forbidden(
        'spec',
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ),
    );
  }
  return errors;
}

const checkClaims = (templates: readonly { spec?: ClaimSpec }[] = []): FieldError[] =>
  templates.flatMap(({ spec }, i) => checkClaimSpec(`spec.volumeClaimTemplates[${i}].spec`, spec ?? {}));

const COUNTS = ['replicas', 'readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'];

function validateStatus({ status = {} }: KubeObject, old: KubeObject): FieldError[] {
  const count = (key: string): number => status[key] ?? 0;
  const atMost = (key: string, limit: string): FieldError[] =>
    count(key) > count(limit)
      ? [field.invalid(`status.${key}`, count(key), `cannot be greater than status.${limit}`)]
      : [];
  return [
    ...[...COUNTS, 'observedGeneration', 'collisionCount'].flatMap((key) => notNegative(`status.${key}`, status[key])),
    ...COUNTS.slice(1).flatMap((key) => atMost(key, 'replicas')),
    ...atMost('availableReplicas', 'readyReplicas'),
    ...notLess('status.collisionCount', status.collisionCount, old.status?.collisionCount),
  ];
}

export const statefulSet: Partial<ResourceType> = {
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
  shortNames: ['sts'],
  columns: statefulSetColumns,
  default(object) {
    const { spec } = object;
    if (!spec) return;
    fill(spec, { podManagementPolicy: 'OrderedReady', replicas: 1, revisionHistoryLimit: 10 });
    if (!spec.updateStrategy) spec.updateStrategy = {};
    if (!spec.updateStrategy.type) fill(spec.updateStrategy, { type: 'RollingUpdate', rollingUpdate: {} });
    const { type, rollingUpdate } = spec.updateStrategy;
    if (type === 'RollingUpdate' && rollingUpdate) fill(rollingUpdate, { partition: 0 });
    if (!spec.persistentVolumeClaimRetentionPolicy) spec.persistentVolumeClaimRetentionPolicy = {};
    for (const claim of spec.volumeClaimTemplates ?? []) {
      fill(claim, { apiVersion: 'v1', kind: 'PersistentVolumeClaim' });
      defaultClaim(claim);
    }
    fill(spec.persistentVolumeClaimRetentionPolicy, { whenDeleted: 'Retain', whenScaled: 'Retain' });
    defaultTemplate(object);
  },
  checkName: checkLabel,
  prepare(object, old) {
    startWith({ replicas: 0, availableReplicas: 0 })(object, old);
    if (old?.spec.updateStrategy.rollingUpdate?.maxUnavailable !== undefined) return;
    // The feature gate MaxUnavailableStatefulSet is off by default.
    const strategy = object.spec?.updateStrategy;
    if (strategy?.rollingUpdate?.maxUnavailable === undefined) return;
    const { maxUnavailable: _, ...rollingUpdate } = strategy.rollingUpdate;
    object.spec.updateStrategy = { ...strategy, rollingUpdate };
  },
  prepareStatus(object, old) {
    keepLabels(object, old);
  },
  validate: validateStatefulSet,
  validateStatus,
  warnings: ({ spec }) => [
    ...podSpecWarnings('spec.template.spec', spec?.template?.spec),
    ...(spec?.revisionHistoryLimit < 0
      ? ['spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended']
      : []),
  ],
};
