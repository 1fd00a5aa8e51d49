// OpenAPI documents, sufficient for kubectl explain, kubectl diff, and the client-side validation of kubectl and helm.
import { createHash } from 'node:crypto';
import type { ResourceType } from '../core/types.ts';
import { pathsOf } from './paths.ts';
import { publish, schemaName, type Dialect } from './schemas.ts';

const V3: Dialect = { prefix: '#/components/schemas/', wrap: true };
const V2: Dialect = { prefix: '#/definitions/', wrap: false };
const info = { title: 'Kubernetes', version: 'v1.36.2' };

/** The document at a path below /openapi. Undefined if it does not exist. */
export function openApi(path: string, types: readonly ResourceType[]): object | undefined {
  if (path === '/openapi/v2') return openApiV2(types);
  if (/^\/openapi\/v3\/?$/.test(path)) return openApiV3Index(types);
  const [, group = '', version = ''] = /^\/openapi\/v3\/(?:api|apis\/([^/]+))\/([^/]+)$/.exec(path) ?? [];
  return openApiV3(group, version, types);
}

/** `/openapi/v3`: the URLs of the documents per group version, with a hash, because clients cache documents. */
export function openApiV3Index(types: readonly ResourceType[]): object {
  const groups = Map.groupBy(types, ({ group, version }) => (group ? `apis/${group}/${version}` : `api/${version}`));
  const paths = [...groups].map(([path, served]) => {
    const hash = createHash('sha256')
      .update(JSON.stringify(served.map((type) => [type.plural, type.verbs, type.schema])))
      .digest('hex')
      .toUpperCase();
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
  });
  return { paths: Object.fromEntries(paths) as Record<string, unknown> };
}

/** `/openapi/v3/apis/<group>/<version>`. Undefined if the version is not served. */
export function openApiV3(group: string, version: string, types: readonly ResourceType[]): object | undefined {
  const served = types.filter((type) => type.group === group && type.version === version);
  if (served.length === 0) return undefined;
  return {
    openapi: '3.0.0',
    info,
    paths: allPaths(served, V3),
    components: { schemas: publish(served, V3) },
  };
}

/** `/openapi/v2`: one document for all kinds, in the older format. */
export function openApiV2(types: readonly ResourceType[]): object {
  return { swagger: '2.0', info, paths: allPaths(types, V2), definitions: publish(types, V2) };
}

const allPaths = (types: readonly ResourceType[], { prefix }: Dialect): Record<string, object> =>
  Object.assign({}, ...types.map((type) => pathsOf(type, { $ref: prefix + schemaName(type) }))) as Record<
    string,
    object
  >;
