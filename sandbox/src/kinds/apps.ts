// apps/v1: Deployment, ReplicaSet, StatefulSet, DaemonSet, ControllerRevision.
import { field } from '../core/errors.ts';
import { resource } from '../core/resources.ts';
import { immutable, isZero, notMoreThan100Percent, notNegative, oneOf, positiveIntOrPercent } from './checks.ts';
import { controllerRevisionColumns, deploymentColumns, replicaSetColumns } from './columns.ts';
import { daemonSet } from './daemon-set.ts';
import { fill, startWith } from './defaults.ts';
import { statefulSet } from './stateful-set.ts';
import { checkTemplate, defaultTemplate, keepLabels } from './template.ts';
import { podSpecWarnings } from './warnings.ts';
import type { FieldError, KubeObject, ResourceType } from '../core/types.ts';
import type { DeploymentStrategy } from './native.ts';

const SCALE = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };

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
    row('StatefulSet', 'statefulsets', statefulSet),
    row('DaemonSet', 'daemonsets', daemonSet),
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
