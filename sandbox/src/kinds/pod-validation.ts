// Validates Pods and Pod templates: common errors, with the texts of the API server.
import { field } from '../core/errors.ts';
import { checkLabel, checkSubdomain } from '../core/names.ts';
import { checkAnnotations, checkLabels } from '../core/meta.ts';
import { same } from '../core/objects.ts';
import { compareQuantities } from '../schema/index.ts';
import { checkPortName, isPort, named, notNegative, oneOf, PORT_RANGE } from './checks.ts';
import type { FieldError, KubeObject } from '../core/types.ts';
import type { Container, ContainerPort, EnvVar, PodSpec, PodTemplate, Probe, Resources, Toleration } from './native.ts';

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc'] as const;
const SOURCES = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'] as const;
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function checkEnv(path: string, list: EnvVar[]): FieldError[] {
  return list.flatMap((variable, i) => {
    const at = `${path}[${i}]`;
    const errors: FieldError[] = [];
    if (!variable.name) errors.push(field.required(`${at}.name`));
    else if (!/^[ -<>-~]+$/.test(variable.name)) {
      errors.push(
        field.invalid(
          `${at}.name`,
          variable.name,
          "a valid environment variable name must consist only of printable ASCII characters other than '='",
        ),
      );
    }
    const from = variable.valueFrom;
    if (!from) return errors;
    const count = SOURCES.filter((source) => from[source]).length;
    if (count === 0) {
      errors.push(
        field.invalid(
          `${at}.valueFrom`,
          '',
          'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
        ),
      );
    } else if (variable.value) {
      errors.push(field.invalid(`${at}.valueFrom`, '', 'may not be specified when `value` is not empty'));
    } else if (count > 1) {
      errors.push(field.invalid(`${at}.valueFrom`, '', 'may not have more than one field specified at a time'));
    }
    return errors;
  });
}

function checkPorts(path: string, list: ContainerPort[]): FieldError[] {
  const names = new Set<string>();
  return list.flatMap((port, i) => {
    const at = `${path}[${i}]`;
    const errors: FieldError[] = [];
    if (port.name) {
      const wrong = named(`${at}.name`, port.name, checkPortName);
      errors.push(...wrong);
      if (!wrong.length && names.has(port.name)) errors.push(field.duplicate(`${at}.name`, port.name));
      names.add(port.name);
    }
    if (!port.containerPort) errors.push(field.required(`${at}.containerPort`));
    else if (!isPort(port.containerPort))
      errors.push(field.invalid(`${at}.containerPort`, port.containerPort, PORT_RANGE));
    if (port.hostPort && !isPort(port.hostPort))
      errors.push(field.invalid(`${at}.hostPort`, port.hostPort, PORT_RANGE));
    if (!port.protocol) errors.push(field.required(`${at}.protocol`));
    else errors.push(...oneOf(`${at}.protocol`, port.protocol, PROTOCOLS));
    return errors;
  });
}

function checkResources(path: string, resources: Resources | undefined): FieldError[] {
  const errors: FieldError[] = [];
  for (const kind of ['limits', 'requests'] as const) {
    for (const [name, value] of Object.entries(resources?.[kind] ?? {})) {
      if ((compareQuantities(value, '0') ?? 0) < 0) {
        errors.push(field.invalid(`${path}.${kind}[${name}]`, value, 'must be greater than or equal to 0'));
      }
    }
  }
  for (const [name, value] of Object.entries(resources?.requests ?? {})) {
    const limit = resources?.limits?.[name];
    if (limit !== undefined && (compareQuantities(value, limit) ?? 0) > 0) {
      errors.push(field.invalid(`${path}.requests`, value, `must be less than or equal to ${name} limit of ${limit}`));
    }
  }
  return errors;
}

function checkProbe(path: string, probe: Probe | undefined): FieldError[] {
  if (!probe) return [];
  const errors: FieldError[] = [];
  const handlers = HANDLERS.filter((kind) => probe[kind]);
  if (handlers.length === 0) errors.push(field.required(path, 'must specify a handler type'));
  for (const extra of handlers.slice(1)) {
    errors.push(field.forbidden(`${path}.${extra}`, 'may not specify more than 1 handler type'));
  }
  const port = probe.httpGet?.port ?? probe.tcpSocket?.port ?? probe.grpc?.port;
  if (typeof port === 'number' && !isPort(port)) {
    errors.push(field.invalid(`${path}.${handlers[0]}.port`, port, PORT_RANGE));
  }
  for (const key of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const) {
    errors.push(...notNegative(`${path}.${key}`, probe[key]));
  }
  return errors;
}

function checkContainer(at: string, container: Container, volumes: Set<string>): FieldError[] {
  const errors: FieldError[] = [];
  const { image } = container;
  if (!image) errors.push(field.required(`${at}.image`));
  else if (image !== image.trim()) {
    errors.push(field.invalid(`${at}.image`, image, 'must not have leading or trailing whitespace'));
  }
  errors.push(...checkPorts(`${at}.ports`, container.ports ?? []));
  errors.push(...checkEnv(`${at}.env`, container.env ?? []));
  const paths = new Set<string>();
  for (const [i, mount] of (container.volumeMounts ?? []).entries()) {
    const here = `${at}.volumeMounts[${i}]`;
    if (!mount.name) errors.push(field.required(`${here}.name`));
    if (!volumes.has(mount.name)) errors.push(field.notFound(`${here}.name`, mount.name ?? ''));
    if (!mount.mountPath) errors.push(field.required(`${here}.mountPath`));
    if (paths.has(mount.mountPath)) errors.push(field.invalid(`${here}.mountPath`, mount.mountPath, 'must be unique'));
    paths.add(mount.mountPath);
  }
  errors.push(...oneOf(`${at}.imagePullPolicy`, container.imagePullPolicy, PULL_POLICIES));
  errors.push(...checkResources(`${at}.resources`, container.resources));
  errors.push(...checkProbe(`${at}.livenessProbe`, container.livenessProbe));
  errors.push(...checkProbe(`${at}.readinessProbe`, container.readinessProbe));
  errors.push(...checkProbe(`${at}.startupProbe`, container.startupProbe));
  return errors;
}

function checkContainers(path: string, list: Container[], volumes: Set<string>, names: Set<string>): FieldError[] {
  return list.flatMap((container, i) => {
    const at = `${path}[${i}]`;
    const errors: FieldError[] = [];
    if (!container.name) errors.push(field.required(`${at}.name`));
    else errors.push(...named(`${at}.name`, container.name, checkLabel));
    if (names.has(container.name)) errors.push(field.duplicate(`${at}.name`, container.name));
    names.add(container.name);
    return [...errors, ...checkContainer(at, container, volumes)];
  });
}

export function validatePodSpec(path: string, spec: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  const volumes = new Set<string>();
  for (const [i, volume] of (spec.volumes ?? []).entries()) {
    const at = `${path}.volumes[${i}].name`;
    if (!volume.name) errors.push(field.required(at));
    else errors.push(...named(at, volume.name, checkLabel));
    if (volumes.has(volume.name)) errors.push(field.duplicate(at, volume.name));
    volumes.add(volume.name);
  }
  const names = new Set<string>();
  if (!spec.containers?.length) errors.push(field.required(`${path}.containers`));
  errors.push(...checkContainers(`${path}.containers`, spec.containers ?? [], volumes, names));
  errors.push(...checkContainers(`${path}.initContainers`, spec.initContainers ?? [], volumes, names));
  errors.push(...oneOf(`${path}.restartPolicy`, spec.restartPolicy, RESTART_POLICIES));
  errors.push(...oneOf(`${path}.dnsPolicy`, spec.dnsPolicy, DNS_POLICIES));
  errors.push(...checkLabels(spec.nodeSelector, `${path}.nodeSelector`));
  if (spec.serviceAccountName)
    errors.push(...named(`${path}.serviceAccountName`, spec.serviceAccountName, checkSubdomain));
  if (spec.nodeName) errors.push(...named(`${path}.nodeName`, spec.nodeName, checkSubdomain));
  for (const [i, toleration] of (spec.tolerations ?? []).entries()) {
    const at = `${path}.tolerations[${i}]`;
    if (!toleration.key && toleration.operator !== 'Exists') {
      errors.push(
        field.invalid(
          `${at}.operator`,
          toleration.operator ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (toleration.effect) errors.push(...oneOf(`${at}.effect`, toleration.effect, EFFECTS));
  }
  errors.push(...notNegative(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds));
  if (spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds < 1) {
    errors.push(
      field.invalid(
        `${path}.activeDeadlineSeconds`,
        spec.activeDeadlineSeconds,
        'must be between 1 and 2147483647, inclusive',
      ),
    );
  }
  return errors;
}

export const validateTemplate = (path: string, template: PodTemplate | undefined): FieldError[] => [
  ...checkLabels(template?.metadata?.labels, `${path}.labels`),
  ...checkAnnotations(template?.metadata?.annotations, `${path}.annotations`),
  ...validatePodSpec(`${path}.spec`, template?.spec ?? {}),
];

/** Removes the mutable fields of a Pod spec before the comparison. */
function mutableAside(spec: PodSpec): object {
  const images = (list: Container[] | undefined): object[] | undefined =>
    list?.map(({ image: _image, resources: _resources, ...container }) => container);
  const {
    tolerations: _tolerations,
    activeDeadlineSeconds: _deadline,
    ephemeralContainers: _ephemeral,
    ...rest
  } = spec;
  return { ...rest, containers: images(spec.containers), initContainers: images(spec.initContainers) };
}

const MUTABLE =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** Tolerations may be added. In existing ones, only tolerationSeconds may change. */
function checkTolerations(added: Toleration[], before: Toleration[]): FieldError[] {
  const key = ({ tolerationSeconds: _seconds, ...toleration }: Toleration): Toleration => toleration;
  return before.every((old) => added.some((each) => same(key(each), key(old))))
    ? []
    : [field.forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')];
}

export function validatePodChange(pod: KubeObject, old: KubeObject): FieldError[] {
  if (pod.spec === old.spec) return [];
  const tolerations = checkTolerations(pod.spec.tolerations ?? [], old.spec.tolerations ?? []);
  if (tolerations.length || same(mutableAside(pod.spec), mutableAside(old.spec))) return tolerations;
  const changed = Object.keys({ ...pod.spec, ...old.spec })
    .filter((key) => !same(pod.spec[key], old.spec[key]))
    .sort();
  return [field.forbidden('spec', `${MUTABLE}\n  changed: ${changed.join(', ')}\n`)];
}
