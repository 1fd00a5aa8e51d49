// The core group: namespaces, nodes, Pods, Services, ConfigMaps, Secrets, service accounts, endpoints, events.
import { field, forbidden } from '../core/errors.ts';
import { resource, VERBS } from '../core/resources.ts';
import { checkLabel, checkLabelKey, checkSubdomain } from '../core/names.ts';
import { checkConfigKey, immutable, named } from './checks.ts';
import {
  configMapColumns,
  endpointsColumns,
  eventColumns,
  namespaceColumns,
  nodeColumns,
  quotaColumns,
  secretColumns,
  serviceAccountColumns,
  serviceColumns,
} from './columns.ts';
import { podColumns } from './pod-columns.ts';
import { same } from '../core/objects.ts';
import { admitPod, defaultPod, qosClass, tolerateNodes } from './pod-defaults.ts';
import { validatePodChange, validatePodSpec } from './pod-validation.ts';
import { podSpecWarnings } from './warnings.ts';
import { serviceRules } from './service.ts';
import type { FieldError, KubeObject, ResourceType } from '../core/types.ts';
import type { Store } from '../core/store.ts';

const POD_FIELDS = [
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.serviceAccountName',
  'spec.hostNetwork',
  'status.phase',
  'status.podIP',
  'status.podIPs',
  'status.nominatedNodeName',
];
const EVENT_FIELDS = [
  ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
    (key) => `involvedObject.${key}`,
  ),
  'reason',
  'reportingComponent',
  'source',
  'type',
];
const BUILT_IN_PRIORITIES: Record<string, number> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};
const MAX_DATA_BYTES = 1024 * 1024;

type Data = Record<string, string>;

interface Limit {
  type?: string;
  min?: Data;
  max?: Data;
  default?: Data;
  defaultRequest?: Data;
}

/** Data of a ConfigMap or Secret: keys, size and immutability. */
function checkData(object: KubeObject, old: KubeObject | undefined, keys: string[]): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const part of keys) {
    for (const [key, value] of Object.entries((object[part] ?? {}) as Data)) {
      errors.push(...named(`${part}[${key}]`, key, checkConfigKey));
      const other = keys.find((each) => each !== part && object[each]?.[key] !== undefined);
      if (other) errors.push(field.invalid(`${part}[${key}]`, key, `duplicate of key present in ${other}`));
      size += value.length;
    }
  }
  if (size > MAX_DATA_BYTES) errors.push(field.tooLong(keys.length > 1 ? '' : 'data', MAX_DATA_BYTES));
  if (!old?.immutable) return errors;
  const fixed = 'field is immutable when `immutable` is set';
  if (!object.immutable) errors.push(field.forbidden('immutable', fixed));
  for (const part of keys) {
    if (!same(object[part] ?? {}, old[part] ?? {})) errors.push(field.forbidden(part, fixed));
  }
  return errors;
}

const SECRET_KEYS: Record<string, string[]> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
};

function validateSecret(secret: KubeObject, old: KubeObject | undefined): FieldError[] {
  const errors = checkData(secret, old, ['data']);
  const { type, data = {}, metadata } = secret;
  for (const key of SECRET_KEYS[type] ?? []) {
    if (data[key] === undefined) errors.push(field.required(`data[${key}]`));
    else if (key.startsWith('.docker')) errors.push(...checkJson(`data[${key}]`, data[key]));
  }
  if (type === 'kubernetes.io/basic-auth' && data.username === undefined && data.password === undefined) {
    errors.push(field.required('data[username]'), field.required('data[password]'));
  }
  if (type === 'kubernetes.io/service-account-token' && !metadata.annotations?.['kubernetes.io/service-account.name']) {
    errors.push(field.required('metadata.annotations[kubernetes.io/service-account.name]'));
  }
  if (old) errors.push(...immutable('type', type, old.type));
  return errors;
}

/** The content is secret, so errors do not contain it. */
function checkJson(path: string, value: string): FieldError[] {
  try {
    JSON.parse(Buffer.from(value, 'base64').toString());
    return [];
  } catch {
    return [field.invalid(path, '<secret contents redacted>', 'is not valid JSON')];
  }
}

function podType(store: Store): ResourceType {
  const priorityOf = (name: string | undefined, pod: string): number => {
    const found = name ? store.get('scheduling.k8s.io/priorityclasses', '', name) : undefined;
    if (name && !found && !BUILT_IN_PRIORITIES[name]) {
      throw forbidden({ group: '', resource: 'pods' }, pod, `no PriorityClass with name ${name} was found`);
    }
    return found?.value ?? BUILT_IN_PRIORITIES[name ?? ''] ?? 0;
  };
  return resource('', 'v1', 'Pod', 'pods', {
    status: true,
    generation: true,
    shortNames: ['po'],
    categories: ['all'],
    columns: podColumns,
    fieldSelectors: POD_FIELDS,
    ownFieldLabels: true,
    returnsDeleted: true,
    graceSeconds(pod, asked) {
      const { phase } = pod.status ?? {};
      // Nothing runs on it, so there is nothing to wait for.
      if (!pod.spec?.nodeName || phase === 'Failed' || phase === 'Succeeded') return 0;
      return asked ?? pod.spec.terminationGracePeriodSeconds ?? 30;
    },
    subresources: [
      { name: 'binding', group: '', version: 'v1', kind: 'Binding', verbs: ['create'] },
      { name: 'ephemeralcontainers', group: '', version: 'v1', kind: 'Pod', verbs: ['get', 'patch', 'update'] },
      { name: 'eviction', group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
      { name: 'log', group: '', version: 'v1', kind: 'Pod', verbs: ['get'] },
    ],
    default(pod) {
      pod.spec ??= {};
      defaultPod(pod.spec);
    },
    prepare(pod, old) {
      if (old && pod.spec === old.spec) return;
      tolerateNodes(pod.spec);
      if (old) return;
      admitPod(pod.metadata.name ?? '', pod.spec, priorityOf);
      pod.status = { phase: 'Pending', qosClass: qosClass(pod.spec) };
    },
    validate(pod, old) {
      return old ? validatePodChange(pod, old) : validatePodSpec('spec', pod.spec ?? {});
    },
    warnings: ({ spec }) => podSpecWarnings('spec', spec),
    prepareStatus(pod, old) {
      if (old.metadata.ownerReferences) pod.metadata.ownerReferences = old.metadata.ownerReferences;
      if (old.status?.qosClass) pod.status = { ...pod.status, qosClass: old.status.qosClass };
    },
  });
}

const namespaceType = (): ResourceType =>
  resource('', 'v1', 'Namespace', 'namespaces', {
    namespaced: false,
    status: true,
    shortNames: ['ns'],
    verbs: VERBS.filter((verb) => verb !== 'deletecollection'),
    columns: namespaceColumns,
    fieldSelectors: ['status.phase'],
    ownFieldLabels: true,
    checkName: checkLabel,
    subresources: [{ name: 'finalize', group: '', version: 'v1', kind: 'Namespace', verbs: ['update'] }],
    default({ metadata }) {
      const key = 'kubernetes.io/metadata.name';
      if (metadata.name && metadata.labels?.[key] !== metadata.name) {
        metadata.labels = { ...metadata.labels, [key]: metadata.name };
      }
    },
    prepare(namespace, old) {
      if (!old) {
        const finalizers = ((namespace.spec?.finalizers ?? []) as string[]).filter((each) => each !== 'kubernetes');
        namespace.spec = { finalizers: [...finalizers, 'kubernetes'] };
        namespace.status = { phase: 'Active' };
      } else if (old.spec) namespace.spec = old.spec;
    },
    terminate(namespace, now) {
      const { metadata, spec } = namespace;
      if (metadata.deletionTimestamp) {
        return spec?.finalizers?.length || metadata.finalizers?.length ? namespace : undefined;
      }
      metadata.deletionTimestamp = now;
      namespace.status = { ...namespace.status, phase: 'Terminating' };
      return namespace;
    },
    heldBack: ({ spec }) => (spec?.finalizers?.length ?? 0) > 0,
  });

/** The group that serves the same events with other field names. */
const eventsType = (group: '' | 'events.k8s.io'): ResourceType =>
  resource(group, 'v1', 'Event', 'events', {
    shortNames: ['ev'],
    garbageCollected: false,
    createOnUpdate: true,
    storage: { group: '', resource: 'events' },
    columns: eventColumns,
    fieldSelectors:
      group === ''
        ? EVENT_FIELDS
        : EVENT_FIELDS.filter((each) => each !== 'source').map((each) =>
            each.replace('involvedObject', 'regarding').replace('reportingComponent', 'reportingController'),
          ),
    ownFieldLabels: true,
    ...(group === '' ? {} : { fromStorage: fromCoreEvent, toStorage: toCoreEvent }),
    validate(event, old) {
      const about = group === '' ? event.involvedObject : event.regarding;
      const path = group === '' ? 'involvedObject.namespace' : 'regarding.namespace';
      if (old) return [];
      const errors: FieldError[] = [];
      if ((about?.namespace ?? 'default') !== event.metadata.namespace) {
        errors.push(
          field.invalid(
            path.replace('regarding', 'involvedObject'),
            about?.namespace ?? '',
            'does not match event.namespace',
          ),
        );
      }
      if (group === '') return errors;
      // Fields that are optional in the older group and required in the newer one.
      for (const key of ['eventTime', 'reportingController', 'reportingInstance', 'action', 'reason']) {
        if (!event[key]) errors.push(field.required(key));
        if (key === 'reportingController') errors.push(...named(key, event[key] ?? '', checkLabelKey));
      }
      return errors;
    },
  });

const EVENT_NAMES: Record<string, string> = {
  involvedObject: 'regarding',
  message: 'note',
  reportingComponent: 'reportingController',
  source: 'deprecatedSource',
  firstTimestamp: 'deprecatedFirstTimestamp',
  lastTimestamp: 'deprecatedLastTimestamp',
  count: 'deprecatedCount',
};

function renamed(event: KubeObject, apiVersion: string, names: Record<string, string>): KubeObject {
  const result: Record<string, unknown> = {};
  for (const key in event) result[names[key] ?? key] = event[key];
  return { ...result, apiVersion } as KubeObject;
}

const fromCoreEvent = (event: KubeObject): KubeObject => renamed(event, 'events.k8s.io/v1', EVENT_NAMES);
const toCoreEvent = (event: KubeObject): KubeObject =>
  renamed(event, 'v1', Object.fromEntries(Object.entries(EVENT_NAMES).map(([core, events]) => [events, core])));

export function coreTypes(store: Store): ResourceType[] {
  return [
    namespaceType(),
    resource('', 'v1', 'Node', 'nodes', {
      namespaced: false,
      status: true,
      shortNames: ['no'],
      columns: nodeColumns,
      fieldSelectors: ['spec.unschedulable'],
      ownFieldLabels: true,
      prepare(node, old) {
        if (!old) node.status ??= {};
      },
    }),
    podType(store),
    resource('', 'v1', 'Service', 'services', {
      status: true,
      shortNames: ['svc'],
      categories: ['all'],
      columns: serviceColumns,
      fieldSelectors: ['spec.clusterIP', 'spec.type'],
      ownFieldLabels: true,
      createOnUpdate: true,
      returnsDeleted: true,
      checkName: checkLabel,
      ...serviceRules(store),
    }),
    resource('', 'v1', 'ConfigMap', 'configmaps', {
      shortNames: ['cm'],
      columns: configMapColumns,
      validate: (object, old) => checkData(object, old, ['data', 'binaryData']),
    }),
    resource('', 'v1', 'Secret', 'secrets', {
      columns: secretColumns,
      fieldSelectors: ['type'],
      ownFieldLabels: true,
      default(secret) {
        if (secret.type === undefined || secret.type === '') secret.type = 'Opaque';
        if (!secret.stringData) return;
        const data: Data = { ...secret.data };
        for (const [key, value] of Object.entries(secret.stringData as Data)) {
          data[key] = Buffer.from(value).toString('base64');
        }
        secret.data = data;
        delete secret.stringData;
      },
      validate: validateSecret,
    }),
    resource('', 'v1', 'ServiceAccount', 'serviceaccounts', {
      shortNames: ['sa'],
      columns: serviceAccountColumns,
      returnsDeleted: true,
      checkName: checkSubdomain,
      subresources: [
        { name: 'token', group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', verbs: ['create'] },
      ],
    }),
    resource('', 'v1', 'Endpoints', 'endpoints', {
      shortNames: ['ep'],
      columns: endpointsColumns,
      createOnUpdate: true,
      default(endpoints) {
        for (const subset of (endpoints.subsets ?? []) as { ports?: { protocol?: string }[] }[]) {
          for (const port of subset.ports ?? []) if (port.protocol === undefined) port.protocol = 'TCP';
        }
      },
      deprecationWarning: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
    }),
    eventsType(''),
    eventsType('events.k8s.io'),
    resource('', 'v1', 'ResourceQuota', 'resourcequotas', {
      status: true,
      shortNames: ['quota'],
      returnsDeleted: true,
      columns: quotaColumns,
      prepare(quota, old) {
        if (!old) quota.status = {};
      },
    }),
    resource('', 'v1', 'LimitRange', 'limitranges', {
      shortNames: ['limits'],
      createOnUpdate: true,
      default(range) {
        for (const limit of (range.spec?.limits ?? []) as Limit[]) {
          if (limit.type !== 'Container') continue;
          if (limit.max) limit.default = { ...limit.max, ...limit.default };
          const request = { ...limit.min, ...limit.default, ...limit.defaultRequest };
          if (Object.keys(request).length) limit.defaultRequest = request;
        }
      },
    }),
  ];
}
