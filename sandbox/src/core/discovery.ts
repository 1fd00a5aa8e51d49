// Discovery: /api, /apis, groups and versions, also in aggregated form. Derived from the table of resources.
import { createHash } from 'node:crypto';
import { apiVersionOf, collectionOf, type Registry } from './resources.ts';
import { PageNotFound } from './errors.ts';
import { parseAccept } from './encode.ts';
import type { ResourceType } from './types.ts';

/** The order of groups that kubectl prefers. Others follow by name, custom ones last. */
const GROUPS = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
];

const rank = (group: string): number => GROUPS.indexOf(group) + 1 || GROUPS.length + 1;

/** Kubernetes' order of versions: GA before beta before alpha, newest first. */
export function compareVersions(a: string, b: string): number {
  const parse = (text: string): [number, number, number] | undefined => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text);
    if (!match) return undefined;
    return [match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0, Number(match[1]), Number(match[3] ?? 0)];
  };
  const left = parse(a);
  const right = parse(b);
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : a > b ? 1 : 0;
  for (let i = 0; i < 3; i++) if (left[i] !== right[i]) return right[i]! - left[i]!;
  return 0;
}

interface Group {
  name: string;
  versions: { version: string; types: ResourceType[] }[];
}

function groupsOf(registry: Registry): Group[] {
  const groups = new Map<string, Map<string, ResourceType[]>>();
  for (const type of registry.all()) {
    let versions = groups.get(type.group);
    if (!versions) groups.set(type.group, (versions = new Map()));
    const types = versions.get(type.version);
    if (types) types.push(type);
    else versions.set(type.version, [type]);
  }
  return [...groups]
    .sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map(([name, versions]) => ({
      name,
      versions: [...versions.keys()].sort(compareVersions).map((version) => ({
        version,
        types: [...versions.get(version)!].sort((a, b) => (a.plural < b.plural ? -1 : 1)),
      })),
    }));
}

const CUSTOM_VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

function storageHash(type: ResourceType): string {
  const group = collectionOf(type).split('/')[0]!;
  return createHash('sha256')
    .update(`${group}/${type.storageVersion}/${type.kind}`)
    .digest()
    .subarray(0, 8)
    .toString('base64');
}

interface Entry {
  name: string;
  group: string;
  version: string;
  kind: string;
  verbs: string[];
}

function subresources(type: ResourceType): Entry[] {
  const entries: Entry[] = [];
  const own = { group: type.group, version: type.version, kind: type.kind };
  if (type.scale) {
    entries.push({
      name: 'scale',
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: ['get', 'patch', 'update'],
    });
  }
  if (type.status) entries.push({ name: 'status', ...own, verbs: ['get', 'patch', 'update'] });
  entries.push(...(type.subresources ?? []));
  return type.custom ? entries.reverse() : entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The APIResourceList of a group version. */
function resourceList(group: string, version: string, types: ResourceType[]): object {
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(group, version),
    resources: types.flatMap((type) => [
      {
        name: type.plural,
        singularName: type.singular,
        namespaced: type.namespaced,
        kind: type.kind,
        verbs: type.custom ? CUSTOM_VERBS : type.verbs,
        ...(type.shortNames.length ? { shortNames: type.shortNames } : {}),
        ...(type.categories.length ? { categories: type.categories } : {}),
        ...(type.virtual || type.computed ? {} : { storageVersionHash: storageHash(type) }),
      },
      ...subresources(type).map((each) => ({
        name: `${type.plural}/${each.name}`,
        singularName: '',
        namespaced: type.namespaced,
        ...(each.group !== type.group || each.version !== type.version
          ? { group: each.group, version: each.version }
          : {}),
        kind: each.kind,
        verbs: each.verbs,
      })),
    ]),
  };
}

function aggregated(groups: Group[]): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map(({ name, versions }) => ({
      metadata: name ? { name } : {},
      versions: versions.map(({ version, types }) => ({
        version,
        freshness: 'Current',
        resources: types.map((type) => ({
          resource: type.plural,
          responseKind: { group: type.group, version: type.version, kind: type.kind },
          scope: type.namespaced ? 'Namespaced' : 'Cluster',
          singularResource: type.singular,
          verbs: type.custom ? CUSTOM_VERBS : type.verbs,
          ...(type.shortNames.length ? { shortNames: type.shortNames } : {}),
          ...(type.categories.length ? { categories: type.categories } : {}),
          ...(subresources(type).length
            ? {
                subresources: subresources(type).map((each) => ({
                  subresource: each.name,
                  responseKind: { group: each.group, version: each.version, kind: each.kind },
                  verbs: each.verbs,
                })),
              }
            : {}),
        })),
      })),
    })),
  };
}

const apiGroup = ({ name, versions }: Group, top: boolean): object => {
  const list = versions.map(({ version }) => ({ groupVersion: `${name}/${version}`, version }));
  return { ...(top ? { kind: 'APIGroup', apiVersion: 'v1' } : {}), name, versions: list, preferredVersion: list[0] };
};

const wantsAggregated = (accept: string | undefined): boolean => {
  const first = parseAccept(accept).find(({ media }) => media === 'application/json');
  return first?.parameters.as === 'APIGroupDiscoveryList' && first.parameters.v === 'v2';
};

export const AGGREGATED_TYPE = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** Answers /api, /apis and the paths of groups and versions. */
export function discover(
  registry: Registry,
  path: string,
  accept: string | undefined,
  serverAddress: string,
): { body: object; contentType: string } {
  const [, root, ...rest] = path.replace(/\/$/, '').split('/');
  const groups = groupsOf(registry);
  const reply = (body: object): { body: object; contentType: string } => ({ body, contentType: 'application/json' });
  if (root === 'api') {
    const core = groups.filter(({ name }) => name === '');
    if (rest.length === 0) {
      if (wantsAggregated(accept)) return { body: aggregated(core), contentType: AGGREGATED_TYPE };
      return reply({
        kind: 'APIVersions',
        versions: ['v1'],
        serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
      });
    }
    const found = rest.length === 1 ? core[0]?.versions.find(({ version }) => version === rest[0]) : undefined;
    if (found) return reply(resourceList('', found.version, found.types));
    throw new PageNotFound();
  }
  const named = groups.filter(({ name }) => name !== '');
  if (rest.length === 0) {
    if (wantsAggregated(accept)) return { body: aggregated(named), contentType: AGGREGATED_TYPE };
    return reply({ kind: 'APIGroupList', apiVersion: 'v1', groups: named.map((group) => apiGroup(group, false)) });
  }
  const group = named.find(({ name }) => name === rest[0]);
  if (group && rest.length === 1) return reply(apiGroup(group, true));
  const found = rest.length === 2 ? group?.versions.find(({ version }) => version === rest[1]) : undefined;
  if (found) return reply(resourceList(group!.name, found.version, found.types));
  throw new PageNotFound();
}
