// Services: defaults, cluster IPs and node ports from a range, and immutable fields.
import { isIP } from 'node:net';
import { field } from '../core/errors.ts';
import { same } from '../core/objects.ts';
import { checkSubdomain, checkLabel } from '../core/names.ts';
import { isPort, named, oneOf, PORT_RANGE } from './checks.ts';
import type { FieldError, KubeObject, ResourceType } from '../core/types.ts';
import type { Store } from '../core/store.ts';
import type { ServicePort, ServiceSpec } from './native.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const IP_PREFIX = '10.96.';
const FIRST_NODE_PORT = 30000;
const LAST_NODE_PORT = 32767;

const MAX_IP = 2 ** 16 - 2;

const usesNodePorts = (spec: ServiceSpec): boolean => spec.type === 'NodePort' || spec.type === 'LoadBalancer';

function defaultService(service: KubeObject): void {
  const spec = (service.spec ??= {});
  spec.sessionAffinity ??= 'None';
  spec.type ??= 'ClusterIP';
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
  }
  if (spec.sessionAffinity === 'ClientIP') spec.sessionAffinityConfig ??= { clientIP: { timeoutSeconds: 10800 } };
  if (spec.type === 'ExternalName') return;
  spec.internalTrafficPolicy ??= 'Cluster';
  if (usesNodePorts(spec)) spec.externalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
}

/** Removes fields that only the previous type needs, unless the request sets them. */
function dropOutlived(spec: ServiceSpec, old: ServiceSpec): void {
  if (spec.type === 'ExternalName' && old.type !== 'ExternalName')
    for (const field of ['internalTrafficPolicy', 'ipFamilies', 'ipFamilyPolicy'] as const)
      if (same(spec[field], old[field])) delete spec[field];
  if (usesNodePorts(spec) || !usesNodePorts(old)) return;
  if (spec.externalTrafficPolicy === old.externalTrafficPolicy) delete spec.externalTrafficPolicy;
  if (spec.allocateLoadBalancerNodePorts === old.allocateLoadBalancerNodePorts) {
    delete spec.allocateLoadBalancerNodePorts;
  }
  const given = new Set((old.ports ?? []).map(({ nodePort }) => nodePort));
  spec.ports = (spec.ports ?? []).map((port) => {
    if (!given.has(port.nodePort)) return port;
    const { nodePort: _given, ...rest } = port;
    return rest;
  });
}

/** An update without these fields keeps the assigned values. */
function keepAllocated(spec: ServiceSpec, old: ServiceSpec): void {
  if (spec.type === 'ExternalName') return;
  if (old.type !== 'ExternalName' && !spec.clusterIP && !spec.clusterIPs?.length) {
    spec.clusterIP = old.clusterIP;
    spec.clusterIPs = old.clusterIPs;
  }
  spec.ipFamilies ??= old.ipFamilies;
  spec.ipFamilyPolicy ??= old.ipFamilyPolicy;
  if (!usesNodePorts(spec) || !usesNodePorts(old)) return;
  for (const port of spec.ports ?? []) {
    const before = (old.ports ?? []).find((each) => each.port === port.port && each.protocol === port.protocol);
    if (!port.nodePort && before?.nodePort) port.nodePort = before.nodePort;
  }
}

/** Free addresses, computed from existing Services. */
class Allocator {
  private readonly store: Store;
  private lastIp = 9;
  private lastPort = FIRST_NODE_PORT - 1;

  constructor(store: Store) {
    this.store = store;
  }

  ip(): string {
    const used = new Set(this.services().map(({ spec }) => spec.clusterIP as string));
    for (let tries = 0; tries < MAX_IP; tries++) {
      this.lastIp = (this.lastIp % MAX_IP) + 1;
      const ip = `${IP_PREFIX}${this.lastIp >> 8}.${this.lastIp & 255}`;
      if (!used.has(ip)) return ip;
    }
    throw new Error('no cluster IP is left');
  }

  nodePort(): number {
    const used = new Set(
      this.services().flatMap(({ spec }) => ((spec.ports ?? []) as ServicePort[]).map((each) => each.nodePort)),
    );
    for (let tries = FIRST_NODE_PORT; tries <= LAST_NODE_PORT; tries++) {
      this.lastPort = this.lastPort >= LAST_NODE_PORT ? FIRST_NODE_PORT : this.lastPort + 1;
      if (!used.has(this.lastPort)) return this.lastPort;
    }
    throw new Error('no node port is left');
  }

  /** Errors of requested addresses, for new and changed Services. */
  check({ metadata, spec }: KubeObject, old: KubeObject | undefined): FieldError[] {
    const others = this.services().filter((each) => each.metadata.uid !== metadata.uid);
    const errors: FieldError[] = [];
    const ip = spec.clusterIP as string | undefined;
    if (ip && ip !== 'None' && ip !== old?.spec.clusterIP) {
      const path = 'spec.clusterIPs';
      const failed = (why: string): FieldError =>
        field.invalid(path, spec.clusterIPs, `failed to allocate IP ${ip}: ${why}`);
      if (!isIP(ip)) {
        errors.push(field.invalid(`${path}[0]`, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'));
      } else if (!ip.startsWith(IP_PREFIX)) {
        const range = `${IP_PREFIX}0.0/16`;
        errors.push(failed(`the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${range}`));
      } else if (others.some((each) => each.spec.clusterIP === ip))
        errors.push(failed('provided IP is already allocated'));
    }
    const before = new Set(((old?.spec.ports ?? []) as ServicePort[]).map(({ nodePort }) => nodePort));
    const taken = new Set(
      others.flatMap((each) => ((each.spec.ports ?? []) as ServicePort[]).map(({ nodePort }) => nodePort)),
    );
    ((spec.ports ?? []) as ServicePort[]).forEach(({ nodePort }, i) => {
      if (!nodePort || before.has(nodePort)) return;
      const path = `spec.ports[${i}].nodePort`;
      if (nodePort < FIRST_NODE_PORT || nodePort > LAST_NODE_PORT) {
        const range = `${FIRST_NODE_PORT}-${LAST_NODE_PORT}`;
        errors.push(
          field.invalid(
            path,
            nodePort,
            `provided port is not in the valid range. The range of valid ports is ${range}`,
          ),
        );
      } else if (taken.has(nodePort)) errors.push(field.invalid(path, nodePort, 'provided port is already allocated'));
    });
    return errors;
  }

  private services(): readonly KubeObject[] {
    return this.store.list('/services');
  }
}

function validateService(service: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { spec } = service;
  if (spec === old?.spec) return [];
  const errors: FieldError[] = [];
  const headless = spec.clusterIP === 'None';
  const ports = (spec.ports ?? []) as ServicePort[];
  if (!TYPES.includes(spec.type)) return oneOf('spec.type', spec.type, TYPES);
  if (!ports.length && !headless && spec.type !== 'ExternalName') errors.push(field.required('spec.ports'));
  if (spec.type === 'ExternalName') {
    if (!spec.externalName) errors.push(field.required('spec.externalName'));
    else errors.push(...named('spec.externalName', spec.externalName, checkSubdomain));
  }
  const names = new Set<string>();
  const seen = new Set<string>();
  ports.forEach((port, i) => {
    const at = `spec.ports[${i}]`;
    if (!port.name && ports.length > 1) errors.push(field.required(`${at}.name`));
    if (port.name) {
      errors.push(...named(`${at}.name`, port.name, checkLabel));
      if (names.has(port.name)) errors.push(field.duplicate(`${at}.name`, port.name));
      names.add(port.name);
    }
    if (!isPort(port.port)) errors.push(field.invalid(`${at}.port`, port.port ?? 0, PORT_RANGE));
    errors.push(...oneOf(`${at}.protocol`, port.protocol, PROTOCOLS));
    if (typeof port.targetPort === 'number' && !isPort(port.targetPort)) {
      errors.push(field.invalid(`${at}.targetPort`, port.targetPort, PORT_RANGE));
    }
    if (port.nodePort && !usesNodePorts(spec)) {
      errors.push(field.forbidden(`${at}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
    }
    const key = `${port.protocol}/${port.port}`;
    if (seen.has(key)) errors.push(field.duplicate(at, { port: port.port, protocol: port.protocol }));
    seen.add(key);
  });
  errors.push(...oneOf('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None']));
  if (old && old.spec.type !== 'ExternalName' && spec.type !== 'ExternalName' && old.spec.clusterIP) {
    if (!same(spec.clusterIPs, old.spec.clusterIPs)) {
      errors.push(field.invalid('spec.clusterIPs[0]', spec.clusterIPs ?? [], 'may not change once set'));
    }
  }
  return errors;
}

export function serviceRules(store: Store): Pick<ResourceType, 'default' | 'prepare' | 'validate'> {
  const allocator = new Allocator(store);
  return {
    default: defaultService,
    prepare(service, old) {
      const { spec } = service;
      if (spec === old?.spec) return;
      if (old) {
        dropOutlived(spec, old.spec);
        keepAllocated(spec, old.spec);
      } else service.status = { loadBalancer: {} };
      if (spec.type === 'ExternalName') return;
      if (spec.clusterIP && spec.clusterIP !== spec.clusterIPs?.[0]) spec.clusterIPs = [spec.clusterIP];
      if (!spec.clusterIP) {
        spec.clusterIP = spec.clusterIPs?.[0] ?? allocator.ip();
        spec.clusterIPs = [spec.clusterIP];
      }
      spec.ipFamilies ??= ['IPv4'];
      spec.ipFamilyPolicy ??= 'SingleStack';
      if (!usesNodePorts(spec)) return;
      if (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts === false) return;
      for (const port of spec.ports ?? []) port.nodePort ??= allocator.nodePort();
    },
    validate(service, old) {
      if (service.spec === old?.spec) return [];
      const errors = validateService(service, old);
      // Addresses are assigned after all other checks.
      return errors.length ? errors : allocator.check(service, old);
    },
  };
}
