// Pod Security admission: labels of a namespace select the standard that its Pods must meet, and the one to warn about.
import { forbidden } from '../core/errors.ts';
import { same } from '../core/objects.ts';
import type { Store } from '../core/store.ts';
import type { AdmissionRequest, Attributes, KubeObject } from '../core/types.ts';
import { nameOf } from './validating-policy.ts';

const LABEL = 'pod-security.kubernetes.io/';
type Level = 'privileged' | 'baseline' | 'restricted';

interface SecurityContext {
  privileged?: boolean;
  allowPrivilegeEscalation?: boolean;
  runAsNonRoot?: boolean;
  runAsUser?: number;
  capabilities?: { add?: string[]; drop?: string[] };
  seccompProfile?: { type?: string };
}

interface Container {
  name: string;
  securityContext?: SecurityContext;
  ports?: { hostPort?: number }[];
}

interface PodSpec {
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  securityContext?: SecurityContext;
  containers?: Container[];
  initContainers?: Container[];
  ephemeralContainers?: Container[];
  volumes?: { name: string; [type: string]: unknown }[];
}

/** The path of the Pod spec in kinds that create Pods. These kinds only get warnings; Pods themselves are refused. */
const TEMPLATES: Record<string, (object: KubeObject) => PodSpec | undefined> = {
  '/pods': (object) => object.spec,
  '/replicationcontrollers': (object) => object.spec?.template?.spec,
  'apps/deployments': (object) => object.spec?.template?.spec,
  'apps/replicasets': (object) => object.spec?.template?.spec,
  'apps/statefulsets': (object) => object.spec?.template?.spec,
  'apps/daemonsets': (object) => object.spec?.template?.spec,
  'batch/jobs': (object) => object.spec?.template?.spec,
  'batch/cronjobs': (object) => object.spec?.jobTemplate?.spec?.template?.spec,
};

export class PodSecurity {
  private readonly store: Pick<Store, 'get'>;

  constructor(store: Pick<Store, 'get'>) {
    this.store = store;
  }

  concerns({ group, resource, subresource, namespace }: Attributes): boolean {
    if (subresource !== '' || TEMPLATES[`${group}/${resource}`] === undefined) return false;
    const labels = this.labels(namespace);
    return labels[`${LABEL}enforce`] !== undefined || labels[`${LABEL}warn`] !== undefined;
  }

  /** Throws 403 if a Pod violates the enforced standard. Adds a warning if it violates the standard to warn about. */
  validate(request: AdmissionRequest): void {
    const { attributes, object, oldObject, operation, warnings } = request;
    if (!object || (operation !== 'CREATE' && operation !== 'UPDATE') || !this.concerns(attributes)) return;
    const specOf = TEMPLATES[`${attributes.group}/${attributes.resource}`]!;
    const spec = specOf(object);
    if (!spec || (oldObject && same(spec, specOf(oldObject)))) return;
    const labels = this.labels(attributes.namespace);
    const judge = (mode: string): string | undefined => {
      const level = labels[`${LABEL}${mode}`] as Level | undefined;
      const found = violations(spec, level ?? 'privileged');
      if (found.length === 0) return undefined;
      return `violate PodSecurity "${level}:${labels[`${LABEL}${mode}-version`] ?? 'latest'}": ${found.join(', ')}`;
    };
    const refused = attributes.resource === 'pods' ? judge('enforce') : undefined;
    if (refused) throw forbidden(attributes, nameOf(request), refused.replace('violate', 'violates'));
    const warned = judge('warn');
    if (warned) warnings.push(`would ${warned}`);
  }

  private labels(namespace: string): Record<string, string> {
    return this.store.get('/namespaces', '', namespace)?.metadata.labels ?? {};
  }
}

type Check = (spec: PodSpec, containers: Container[]) => string | undefined;

const quote = (names: string[]): string => names.map((name) => JSON.stringify(name)).join(', ');
const containerNames = (containers: Container[]): string =>
  `${containers.length > 1 ? 'containers' : 'container'} ${quote(containers.map(({ name }) => name))}`;
const bad = (containers: Container[], wrong: (context: SecurityContext) => boolean): Container[] =>
  containers.filter(({ securityContext }) => wrong(securityContext ?? {}));

/** The default capabilities of container runtimes. */
const DEFAULT_CAPABILITIES = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
);
const HARMLESS_VOLUMES = new Set(
  'configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret'.split(' '),
);

/** The capabilities that a container adds beyond `allowed`, as an error text. */
const addedBeyond = (containers: Container[], allowed: (capability: string) => boolean): string[] =>
  containers.flatMap(({ name, securityContext }) => {
    const added = (securityContext?.capabilities?.add ?? []).filter((capability) => !allowed(capability));
    return added.length > 0
      ? [
          `container ${JSON.stringify(name)} must not include ${quote(added.sort())} in securityContext.capabilities.add`,
        ]
      : [];
  });

const nonDefaultCapabilities: Check = (_spec, containers) => {
  const added = addedBeyond(containers, (capability) => DEFAULT_CAPABILITIES.has(capability));
  return added.length > 0 ? `non-default capabilities (${added.join('; ')})` : undefined;
};

const hostNamespaces: Check = (spec) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field] === true);
  return used.length > 0 ? `host namespaces (${used.map((field) => `${field}=true`).join(', ')})` : undefined;
};

const hostPaths: Check = (spec) => {
  const volumes = (spec.volumes ?? []).filter((volume) => volume['hostPath'] !== undefined).map(({ name }) => name);
  return volumes.length > 0
    ? `hostPath volumes (${volumes.length > 1 ? 'volumes' : 'volume'} ${quote(volumes)})`
    : undefined;
};

const hostPorts: Check = (_spec, containers) => {
  const ports = (container: Container): number[] =>
    (container.ports ?? []).flatMap(({ hostPort }) => (hostPort ? [hostPort] : []));
  const users = containers.filter((container) => ports(container).length > 0);
  if (users.length === 0) return undefined;
  const used = users.flatMap(ports);
  return `hostPort (${containerNames(users)} ${users.length > 1 ? 'use' : 'uses'} ${used.length > 1 ? 'hostPorts' : 'hostPort'} ${used.join(', ')})`;
};

const privileged: Check = (_spec, containers) => {
  const found = bad(containers, (context) => context.privileged === true);
  return found.length > 0
    ? `privileged (${containerNames(found)} must not set securityContext.privileged=true)`
    : undefined;
};

const escalation: Check = (_spec, containers) => {
  const found = bad(containers, (context) => context.allowPrivilegeEscalation !== false);
  return found.length > 0
    ? `allowPrivilegeEscalation != false (${containerNames(found)} must set securityContext.allowPrivilegeEscalation=false)`
    : undefined;
};

const unrestrictedCapabilities: Check = (_spec, containers) => {
  const keep = bad(containers, (context) => !context.capabilities?.drop?.includes('ALL'));
  const complaints = [
    ...(keep.length > 0 ? [`${containerNames(keep)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...addedBeyond(containers, (capability) => capability === 'NET_BIND_SERVICE'),
  ];
  return complaints.length > 0 ? `unrestricted capabilities (${complaints.join('; ')})` : undefined;
};

const restrictedVolumes: Check = (spec) => {
  const found = (spec.volumes ?? []).flatMap(({ name, ...types }) => {
    const type = Object.keys(types).find((each) => !HARMLESS_VOLUMES.has(each));
    return type ? [`volume ${JSON.stringify(name)} uses restricted volume type ${JSON.stringify(type)}`] : [];
  });
  return found.length > 0 ? `restricted volume types (${found.join('; ')})` : undefined;
};

const root: Check = (spec, containers) => {
  const byDefault = spec.securityContext?.runAsNonRoot === true;
  const found = bad(containers, (context) => !(context.runAsNonRoot ?? byDefault));
  return found.length > 0
    ? `runAsNonRoot != true (pod or ${containerNames(found)} must set securityContext.runAsNonRoot=true)`
    : undefined;
};

const rootUser: Check = (spec, containers) => {
  const found = bad(containers, (context) => context.runAsUser === 0);
  const who = [
    ...(spec.securityContext?.runAsUser === 0 ? ['pod'] : []),
    ...(found.length > 0 ? [containerNames(found)] : []),
  ];
  return who.length > 0 ? `runAsUser=0 (${who.join(' and ')} must not set runAsUser=0)` : undefined;
};

const seccomp: Check = (spec, containers) => {
  const good = (type: string | undefined): boolean => type === 'RuntimeDefault' || type === 'Localhost';
  const byDefault = spec.securityContext?.seccompProfile?.type;
  const found = bad(containers, (context) => !good(context.seccompProfile?.type ?? byDefault));
  return found.length > 0
    ? `seccompProfile (pod or ${containerNames(found)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`
    : undefined;
};

const BASELINE: Check[] = [nonDefaultCapabilities, hostNamespaces, hostPaths, hostPorts, privileged];
/** In the order of the API server. The restricted standard replaces two baseline checks by stricter ones. */
const RESTRICTED: Check[] = [
  ...[escalation, unrestrictedCapabilities, hostNamespaces, hostPorts, privileged],
  ...[restrictedVolumes, root, rootUser, seccomp],
];

const violations = (spec: PodSpec, level: Level): string[] => {
  const checks = { privileged: [], baseline: BASELINE, restricted: RESTRICTED }[level] ?? [];
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
  return checks.flatMap((check) => check(spec, containers) ?? []);
};
