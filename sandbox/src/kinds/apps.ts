// apps/v1: Deployment, ReplicaSet, StatefulSet, DaemonSet, ControllerRevision.
import { field } from '../core/errors.ts';
import { same } from '../core/objects.ts';
import { resource } from '../core/resources.ts';
import { labelSelectorOf, matchesLabels } from '../core/select.ts';
import {
  checkSelector,
  immutable,
  isZero,
  notMoreThan100Percent,
  notNegative,
  oneOf,
  positiveIntOrPercent,
} from './checks.ts';
import {
  controllerRevisionColumns,
  daemonSetColumns,
  deploymentColumns,
  replicaSetColumns,
  statefulSetColumns,
} from './columns.ts';
import { fill, startWith } from './defaults.ts';
import { defaultClaim } from './volumes.ts';
import { defaultPodSpec } from './pod-defaults.ts';
import { podSpecWarnings } from './warnings.ts';
import { validateTemplate } from './pod-validation.ts';
import type { FieldError, KubeObject, ResourceType } from '../core/types.ts';
import type { DeploymentStrategy, RollingUpdate, StatefulSetStrategy, WorkloadSpec } from './native.ts';

const SCALE = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };

function defaultTemplate(object: KubeObject): void {
  const template = object.spec?.template;
  if (template?.spec) defaultPodSpec(template.spec);
}

function checkTemplate(spec: WorkloadSpec, kind: string): FieldError[] {
  const errors: FieldError[] = [];
  const { selector, template } = spec;
  if (!selector) errors.push(field.required('spec.selector'));
  else {
    errors.push(...checkSelector('spec.selector', selector));
    if (!Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length) {
      errors.push(field.invalid('spec.selector', selector, `empty selector is invalid for ${kind}`));
    }
  }
  if (!template) return [...errors, field.required('spec.template')];
  const labels = template.metadata?.labels;
  if (selector && !errors.length && !matchesLabels(labelSelectorOf(selector), labels)) {
    errors.push(
      field.invalid('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`'),
    );
  }
  errors.push(...validateTemplate('spec.template', template));
  if (template.spec?.restartPolicy !== 'Always') {
    errors.push(...oneOf('spec.template.spec.restartPolicy', template.spec?.restartPolicy, ['Always']));
  }
  if (template.spec?.activeDeadlineSeconds !== undefined) {
    errors.push(
      field.forbidden(
        'spec.template.spec.activeDeadlineSeconds',
        'activeDeadlineSeconds in ReplicaSet is not Supported',
      ),
    );
  }
  return errors;
}

function checkStrategy(strategy: DeploymentStrategy | undefined): FieldError[] {
  const path = 'spec.strategy';
  const { type, rollingUpdate } = strategy ?? {};
  if (type === 'Recreate') {
    return rollingUpdate
      ? [field.forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")]
      : [];
  }
  if (type !== 'RollingUpdate') return oneOf(`${path}.type`, type, ['Recreate', 'RollingUpdate']);
  if (!rollingUpdate) return [field.required(`${path}.rollingUpdate`, 'this should be defaulted and never be nil')];
  const { maxUnavailable, maxSurge } = rollingUpdate;
  const at = `${path}.rollingUpdate`;
  return [
    ...positiveIntOrPercent(`${at}.maxUnavailable`, maxUnavailable),
    ...positiveIntOrPercent(`${at}.maxSurge`, maxSurge),
    ...(isZero(maxUnavailable) && isZero(maxSurge)
      ? [field.invalid(`${at}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0')]
      : []),
    ...notMoreThan100Percent(`${at}.maxUnavailable`, maxUnavailable),
  ];
}

function validateDeployment({ spec = {} }: KubeObject, old: KubeObject | undefined): FieldError[] {
  if (spec === old?.spec) return [];
  const { minReadySeconds = 0, progressDeadlineSeconds } = spec;
  return [
    ...notNegative('spec.replicas', spec.replicas),
    ...checkTemplate(spec, 'deployment'),
    ...checkStrategy(spec.strategy),
    ...notNegative('spec.minReadySeconds', minReadySeconds),
    ...notNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...notNegative('spec.progressDeadlineSeconds', progressDeadlineSeconds),
    ...(progressDeadlineSeconds !== undefined && progressDeadlineSeconds <= minReadySeconds
      ? [field.invalid('spec.progressDeadlineSeconds', progressDeadlineSeconds, 'must be greater than minReadySeconds')]
      : []),
    ...(old ? immutable('spec.selector', spec.selector, old.spec.selector) : []),
  ];
}

function validateReplicaSet({ spec = {} }: KubeObject, old: KubeObject | undefined): FieldError[] {
  if (spec === old?.spec) return [];
  return [
    ...notNegative('spec.replicas', spec.replicas),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    // Does not validate an unchanged template again, because controllers scale ReplicaSets very often in virtual time.
    ...(spec.template === old?.spec.template && spec.selector === old?.spec.selector
      ? []
      : checkTemplate(spec, 'replicaset')),
    ...(old ? immutable('spec.selector', spec.selector, old.spec.selector) : []),
  ];
}

const STATEFUL_MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

const STATEFUL_POLICIES = ['OrderedReady', 'Parallel'] as const;

const eitherOf = (path: string, choice: unknown, value: unknown, [a, b]: readonly [string, string]): FieldError[] =>
  choice === a || choice === b ? [] : [field.invalid(path, value, `must be '${a}' or '${b}'`)];

function checkStatefulStrategy(strategy: StatefulSetStrategy): FieldError[] {
  const path = 'spec.updateStrategy';
  if (strategy.type === 'OnDelete' && strategy.rollingUpdate) {
    const why = "only allowed for updateStrategy 'RollingUpdate'";
    return [field.invalid(`${path}.rollingUpdate`, strategy.rollingUpdate, why)];
  }
  const partition = strategy.rollingUpdate?.partition;
  return [
    ...eitherOf(path, strategy.type, strategy, ['RollingUpdate', 'OnDelete']),
    ...notNegative(`${path}.rollingUpdate.partition`, partition),
  ];
}

function validateStatefulSet({ spec = {} }: KubeObject, old: KubeObject | undefined): FieldError[] {
  if (spec === old?.spec) return [];
  const errors = [
    ...eitherOf('spec.podManagementPolicy', spec.podManagementPolicy, spec.podManagementPolicy, STATEFUL_POLICIES),
    ...checkStatefulStrategy(spec.updateStrategy),
    ...notNegative('spec.replicas', spec.replicas),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...checkTemplate(spec, 'statefulset'),
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

/** Only one of maxUnavailable and maxSurge may be set. */
function checkDaemonStrategy(rolling: RollingUpdate | undefined): FieldError[] {
  if (!rolling) return [];
  const path = 'spec.updateStrategy.rollingUpdate';
  const { maxUnavailable, maxSurge } = rolling;
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
    ...checkTemplate(spec, 'daemonset'),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...oneOf('spec.updateStrategy.type', spec.updateStrategy?.type, ['RollingUpdate', 'OnDelete']),
    ...checkDaemonStrategy(spec.updateStrategy?.rollingUpdate),
    ...(old ? immutable('spec.selector', spec.selector, old.spec.selector) : []),
  ];
}

/** A field from before apps/v1. DaemonSets still have it. */
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';
const UNSCHEDULED = { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 };

export function appsTypes(): ResourceType[] {
  const row = (kind: string, plural: string, more: Partial<ResourceType>): ResourceType =>
    resource('apps', 'v1', kind, plural, {
      status: true,
      generation: true,
      categories: ['all'],
      warnings: ({ spec }) => podSpecWarnings('spec.template.spec', spec?.template?.spec),
      ...more,
    });
  return [
    row('Deployment', 'deployments', {
      scale: SCALE,
      shortNames: ['deploy'],
      annotationsBumpGeneration: true,
      columns: deploymentColumns,
      default(object) {
        const { spec } = object;
        if (!spec) return;
        fill(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 });
        if (!spec.strategy) spec.strategy = {};
        fill(spec.strategy, { type: 'RollingUpdate' });
        if (spec.strategy.type === 'RollingUpdate') {
          if (!spec.strategy.rollingUpdate) spec.strategy.rollingUpdate = {};
          fill(spec.strategy.rollingUpdate, { maxUnavailable: '25%', maxSurge: '25%' });
        }
        defaultTemplate(object);
      },
      prepare: startWith({}),
      // Status writes of the controller must not revert a label that another client has just set.
      prepareStatus(object, old) {
        keepLabels(object, old);
      },
      validate: validateDeployment,
    }),
    row('ReplicaSet', 'replicasets', {
      scale: SCALE,
      shortNames: ['rs'],
      columns: replicaSetColumns,
      default(object) {
        if (!object.spec) return;
        fill(object.spec, { replicas: 1 });
        defaultTemplate(object);
      },
      prepare: startWith({ replicas: 0 }),
      validate: validateReplicaSet,
    }),
    row('StatefulSet', 'statefulsets', {
      scale: SCALE,
      shortNames: ['sts'],
      columns: statefulSetColumns,
      default(object) {
        const { spec } = object;
        if (!spec) return;
        fill(spec, { podManagementPolicy: 'OrderedReady', replicas: 1, revisionHistoryLimit: 10 });
        if (!spec.updateStrategy) spec.updateStrategy = {};
        fill(spec.updateStrategy, { type: 'RollingUpdate' });
        if (spec.updateStrategy.type === 'RollingUpdate') {
          if (!spec.updateStrategy.rollingUpdate) spec.updateStrategy.rollingUpdate = {};
          fill(spec.updateStrategy.rollingUpdate, { partition: 0 });
        }
        if (!spec.persistentVolumeClaimRetentionPolicy) spec.persistentVolumeClaimRetentionPolicy = {};
        for (const claim of spec.volumeClaimTemplates ?? []) {
          fill(claim, { apiVersion: 'v1', kind: 'PersistentVolumeClaim' });
          defaultClaim(claim);
        }
        fill(spec.persistentVolumeClaimRetentionPolicy, { whenDeleted: 'Retain', whenScaled: 'Retain' });
        defaultTemplate(object);
      },
      prepare: startWith({ replicas: 0, availableReplicas: 0 }),
      prepareStatus(object, old) {
        keepLabels(object, old);
      },
      validate: validateStatefulSet,
    }),
    row('DaemonSet', 'daemonsets', {
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
    }),
    resource('apps', 'v1', 'ControllerRevision', 'controllerrevisions', {
      columns: controllerRevisionColumns,
      validate: ({ data, revision }, old) => [
        ...(data === undefined || data === null ? [field.required('data', 'data is mandatory')] : []),
        ...notNegative('revision', revision),
        ...(old ? immutable('data', data, old.data) : []),
      ],
    }),
  ];
}

function keepLabels(object: KubeObject, old: KubeObject): void {
  if (old.metadata.labels) object.metadata.labels = old.metadata.labels;
  else delete object.metadata.labels;
}
