// The smaller groups: autoscaling, policy, coordination, discovery, networking, scheduling, storage, registration of APIs, reviews.
import { field } from '../core/errors.ts';
import { resource } from '../core/resources.ts';
import { same } from '../core/objects.ts';
import { checkSelector, notMoreThan100Percent, notNegative, oneOf, positiveIntOrPercent } from './checks.ts';
import {
  autoscalerColumns,
  budgetColumns,
  endpointSliceColumns,
  ingressColumns,
  leaseColumns,
  networkPolicyColumns,
} from './columns.ts';
import { fill, startWith } from './defaults.ts';
import type { FieldError, KubeObject, ResourceType } from '../core/types.ts';
import type { CurrentMetric, IngressRule, Metric } from './native.ts';

function validateAutoscaler({ spec = {} }: KubeObject, old: KubeObject | undefined): FieldError[] {
  if (spec === old?.spec) return [];
  const { minReplicas, maxReplicas, scaleTargetRef: target } = spec;
  const errors: FieldError[] = [];
  if (minReplicas !== undefined && minReplicas < 1) {
    errors.push(field.invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'));
  }
  if (!(maxReplicas >= 1)) errors.push(field.invalid('spec.maxReplicas', maxReplicas ?? 0, 'must be greater than 0'));
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.push(field.invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'));
  }
  if (!target?.kind) errors.push(field.required('spec.scaleTargetRef.kind'));
  if (!target?.name) errors.push(field.required('spec.scaleTargetRef.name'));
  return errors;
}

/** v1 has only CPU utilisation. The other metrics of v2 are lost here. A real server keeps them in annotations. */
function toV1(hpa: KubeObject): KubeObject {
  const { metrics, behavior: _behavior, ...spec } = hpa.spec;
  const cpu = ((metrics ?? []) as Metric[]).find((each) => each.resource?.name === 'cpu');
  const percentage = cpu?.resource?.target?.averageUtilization;
  const { currentMetrics, conditions: _conditions, ...status } = hpa.status ?? {};
  const current = ((currentMetrics ?? []) as CurrentMetric[]).find((each) => each.resource?.name === 'cpu');
  return {
    ...hpa,
    apiVersion: 'autoscaling/v1',
    spec: { ...spec, ...(percentage === undefined ? {} : { targetCPUUtilizationPercentage: percentage }) },
    status: {
      ...status,
      currentReplicas: status.currentReplicas ?? 0,
      ...(current ? { currentCPUUtilizationPercentage: current.resource?.current?.averageUtilization } : {}),
    },
  };
}

const cpuMetric = (averageUtilization: number): object => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

function fromV1(hpa: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: percentage, ...spec } = hpa.spec ?? {};
  const { currentCPUUtilizationPercentage: _current, ...status } = hpa.status ?? {};
  return {
    ...hpa,
    apiVersion: 'autoscaling/v2',
    spec: { ...spec, metrics: [cpuMetric(percentage ?? 80)] },
    status: {
      currentMetrics: null,
      desiredReplicas: 0,
      ...status,
      ...(status.currentReplicas ? {} : { currentReplicas: undefined }),
    },
  };
}

function autoscaling(): ResourceType[] {
  const common: Partial<ResourceType> = {
    status: true,
    shortNames: ['hpa'],
    categories: ['all'],
    storageVersion: 'v2',
    columns: autoscalerColumns,
    validate: validateAutoscaler,
  };
  const defaults = (object: KubeObject): void => {
    if (object.spec) fill(object.spec, { minReplicas: 1 });
  };
  return [
    resource('autoscaling', 'v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', {
      ...common,
      default(object) {
        defaults(object);
        if (object.spec && !object.spec.metrics?.length) object.spec.metrics = [cpuMetric(80)];
      },
      prepare: startWith({ currentMetrics: null, desiredReplicas: 0 }),
    }),
    resource('autoscaling', 'v1', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', {
      ...common,
      default: defaults,
      prepare: startWith({ currentReplicas: 0, desiredReplicas: 0 }),
      fromStorage: toV1,
      toStorage: fromV1,
      // The columns use the stored version.
      columns: autoscalerColumns.map((each) => ({
        ...each,
        value: (object: KubeObject, now: number) =>
          (each.value as (o: KubeObject, n: number) => unknown)(fromV1(object), now),
      })),
    }),
  ];
}

function validateBudget({ spec = {} }: KubeObject, old: KubeObject | undefined): FieldError[] {
  if (spec === old?.spec) return [];
  const errors: FieldError[] = [];
  const { minAvailable, maxUnavailable } = spec;
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    errors.push(field.invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set'));
  }
  for (const [key, value] of Object.entries({ minAvailable, maxUnavailable })) {
    if (value === undefined) continue;
    errors.push(...positiveIntOrPercent(`spec.${key}`, value), ...notMoreThan100Percent(`spec.${key}`, value));
  }
  errors.push(...checkSelector('spec.selector', spec.selector));
  if (spec.unhealthyPodEvictionPolicy !== undefined) {
    errors.push(
      ...oneOf('spec.unhealthyPodEvictionPolicy', spec.unhealthyPodEvictionPolicy, ['AlwaysAllow', 'IfHealthyBudget']),
    );
  }
  return errors;
}

function validateLease({ spec }: KubeObject): FieldError[] {
  if (!spec) return [];
  const errors: FieldError[] = [];
  if (spec.leaseDurationSeconds !== undefined && spec.leaseDurationSeconds <= 0) {
    errors.push(field.invalid('spec.leaseDurationSeconds', spec.leaseDurationSeconds, 'must be greater than 0'));
  }
  errors.push(...notNegative('spec.leaseTransitions', spec.leaseTransitions));
  return errors;
}

function networking(): ResourceType[] {
  return [
    resource('networking.k8s.io', 'v1', 'Ingress', 'ingresses', {
      shortNames: ['ing'],
      status: true,
      generation: true,
      columns: ingressColumns,
      prepare: startWith({ loadBalancer: {} }),
      validate({ spec = {} }) {
        const errors: FieldError[] = [];
        if (!spec.rules?.length && !spec.defaultBackend) {
          errors.push(field.invalid('spec', spec, 'either `defaultBackend` or `rules` must be specified'));
        }
        for (const [i, rule] of ((spec.rules ?? []) as IngressRule[]).entries()) {
          for (const [j, path] of (rule.http?.paths ?? []).entries()) {
            const at = `spec.rules[${i}].http.paths[${j}].pathType`;
            if (!path.pathType) errors.push(field.required(at, 'pathType must be specified'));
            else errors.push(...oneOf(at, path.pathType, ['Exact', 'ImplementationSpecific', 'Prefix']));
          }
        }
        return errors;
      },
    }),
    resource('networking.k8s.io', 'v1', 'IngressClass', 'ingressclasses', { namespaced: false, generation: true }),
    resource('networking.k8s.io', 'v1', 'NetworkPolicy', 'networkpolicies', {
      shortNames: ['netpol'],
      generation: true,
      columns: networkPolicyColumns,
      default({ spec }) {
        if (!spec) return;
        if (!spec.policyTypes?.length) spec.policyTypes = ['Ingress', ...(spec.egress?.length ? ['Egress'] : [])];
        for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
          for (const port of rule.ports ?? []) fill(port, { protocol: 'TCP' });
        }
      },
    }),
  ];
}

function scheduling(): ResourceType {
  return resource('scheduling.k8s.io', 'v1', 'PriorityClass', 'priorityclasses', {
    namespaced: false,
    shortNames: ['pc'],
    generation: true,
    default: (object) => fill(object, { preemptionPolicy: 'PreemptLowerPriority' }),
    validate: (object, old) =>
      old && !same(object.value, old.value) ? [field.forbidden('value', 'may not be changed in an update.')] : [],
  });
}

/** Kinds that are computed and not stored. */
function reviews(): ResourceType[] {
  const row = (group: string, kind: string, plural: string, namespaced = false): ResourceType =>
    resource(group, 'v1', kind, plural, { namespaced, verbs: ['create'], virtual: true });
  const authorization = 'authorization.k8s.io';
  return [
    row('authentication.k8s.io', 'TokenReview', 'tokenreviews'),
    row('authentication.k8s.io', 'SelfSubjectReview', 'selfsubjectreviews'),
    row(authorization, 'SubjectAccessReview', 'subjectaccessreviews'),
    row(authorization, 'SelfSubjectAccessReview', 'selfsubjectaccessreviews'),
    row(authorization, 'SelfSubjectRulesReview', 'selfsubjectrulesreviews'),
    row(authorization, 'LocalSubjectAccessReview', 'localsubjectaccessreviews', true),
  ];
}

export function otherTypes(): ResourceType[] {
  return [
    ...autoscaling(),
    resource('policy', 'v1', 'PodDisruptionBudget', 'poddisruptionbudgets', {
      status: true,
      generation: true,
      shortNames: ['pdb'],
      columns: budgetColumns,
      unconditionalUpdate: false,
      prepare: startWith({ currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }),
      validate: validateBudget,
    }),
    resource('coordination.k8s.io', 'v1', 'Lease', 'leases', {
      createOnUpdate: true,
      unconditionalUpdate: false,
      columns: leaseColumns,
      validate: validateLease,
    }),
    resource('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices', {
      generation: true,
      labelsBumpGeneration: true,
      columns: endpointSliceColumns,
      default(slice) {
        for (const port of slice.ports ?? []) fill(port, { name: '', protocol: 'TCP' });
      },
    }),
    ...networking(),
    scheduling(),
    resource('storage.k8s.io', 'v1', 'StorageClass', 'storageclasses', {
      namespaced: false,
      shortNames: ['sc'],
      default: (object) => fill(object, { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' }),
    }),
    resource('apiregistration.k8s.io', 'v1', 'APIService', 'apiservices', {
      namespaced: false,
      status: true,
      unconditionalUpdate: false,
      categories: ['api-extensions'],
    }),
    ...reviews(),
  ];
}
