// apps/v1: DaemonSet.
import { field } from '../core/errors.ts';
import { same } from '../core/objects.ts';
import { immutable, isZero, notLess, notMoreThan100Percent, notNegative, positiveIntOrPercent } from './checks.ts';
import { daemonSetColumns } from './columns.ts';
import { fill, startWith } from './defaults.ts';
import { checkTemplate, defaultTemplate } from './template.ts';
import type { FieldError, KubeObject, ResourceType } from '../core/types.ts';
import type { DeploymentStrategy } from './native.ts';

/** Only one of maxUnavailable and maxSurge may be set. */
function checkDaemonStrategy({ type, rollingUpdate }: DeploymentStrategy): FieldError[] {
  if (type === 'OnDelete') return [];
  const { maxUnavailable = null, maxSurge = null } = rollingUpdate ?? {};
  if (type !== 'RollingUpdate') {
    const shown = rollingUpdate ? { MaxUnavailable: maxUnavailable, MaxSurge: maxSurge } : null;
    const value = JSON.stringify({ Type: type, RollingUpdate: shown });
    const message = `Unsupported value: ${value}: supported values: "RollingUpdate", "OnDelete"`;
    return [{ reason: 'FieldValueNotSupported', field: 'spec.updateStrategy', message }];
  }
  const path = 'spec.updateStrategy.rollingUpdate';
  const errors = [
    ...positiveIntOrPercent(`${path}.maxUnavailable`, maxUnavailable),
    ...positiveIntOrPercent(`${path}.maxSurge`, maxSurge),
    ...notMoreThan100Percent(`${path}.maxUnavailable`, maxUnavailable),
    ...notMoreThan100Percent(`${path}.maxSurge`, maxSurge),
  ];
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.push(field.required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
  } else if (!isZero(maxUnavailable) && !isZero(maxSurge)) {
    errors.push(field.invalid(`${path}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'));
  }
  return errors;
}

function validateDaemonSet({ spec = {} }: KubeObject, old: KubeObject | undefined): FieldError[] {
  if (spec === old?.spec) return [];
  return [
    ...(old ? immutable('spec.selector', spec.selector, old.spec.selector) : []),
    ...checkTemplate(spec, 'daemonset', 'DaemonSet'),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...checkDaemonStrategy(spec.updateStrategy),
    ...notNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
  ];
}

/** A field from before apps/v1. DaemonSets still have it. */
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';
const UNSCHEDULED = { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 };

const COUNTS = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
];

const validateStatus = ({ status = {} }: KubeObject, old: KubeObject): FieldError[] => [
  ...COUNTS.flatMap((key) => notNegative(`status.${key}`, status[key])),
  ...notLess('status.collisionCount', status.collisionCount, old.status?.collisionCount),
];

export const daemonSet: Partial<ResourceType> = {
  shortNames: ['ds'],
  columns: daemonSetColumns,
  default(object) {
    const { spec } = object;
    if (!spec) return;
    fill(spec, { revisionHistoryLimit: 10 });
    if (!spec.updateStrategy) spec.updateStrategy = {};
    fill(spec.updateStrategy, { type: 'RollingUpdate' });
    if (spec.updateStrategy.type === 'RollingUpdate') {
      if (!spec.updateStrategy.rollingUpdate) spec.updateStrategy.rollingUpdate = {};
      fill(spec.updateStrategy.rollingUpdate, { maxUnavailable: 1, maxSurge: 0 });
    }
    defaultTemplate(object);
  },
  prepare(object, old) {
    startWith(UNSCHEDULED)(object, old);
    const before = Number(old?.metadata.annotations?.[TEMPLATE_GENERATION] ?? 0);
    const changed = !old || !same(object.spec.template, old.spec.template);
    const generation = String(changed ? before + 1 : before);
    object.metadata.annotations = { ...object.metadata.annotations, [TEMPLATE_GENERATION]: generation };
  },
  validate: validateDaemonSet,
  validateStatus,
};
