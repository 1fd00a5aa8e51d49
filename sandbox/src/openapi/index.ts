// OpenAPI documents, good enough for kubectl explain, kubectl's and helm's checks before they send, and kubectl diff.
import { createHash } from 'node:crypto';
import type { ResourceType } from '../core/types.ts';
import { pathsOf } from './paths.ts';
import { publish, schemaName, type Dialect } from './schemas.ts';

const V3: Dialect = { prefix: '#/components/schemas/', wrap: true };
const V2: Dialect = { prefix: '#/definitions/', wrap: false };
const info = { title: 'Kubernetes', version: 'v1.36.2' };

/** What is at a path under /openapi; undefined where there is nothing. */
export function openApi(path: string, types: readonly ResourceType[]): object | undefined {
  if (path === '/openapi/v2') return openApiV2(types);
  if (/^\/openapi\/v3\/?$/.test(path)) return openApiV3Index(types);
  const [, group = '', version = ''] = /^\/openapi\/v3\/(?:api|apis\/([^/]+))\/([^/]+)$/.exec(path) ?? [];
  return openApiV3(group, version, types);
}

/** `/openapi/v3`: where the document of each group version is; its hash changes with it, because clients keep documents. */
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

/** `/openapi/v3/apis/<group>/<version>`; undefined where nothing is served. */
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

/** `/openapi/v2`: everything in one document, in the older form. */
export function openApiV2(types: readonly ResourceType[]): object {
  return { swagger: '2.0', info, paths: allPaths(types, V2), definitions: publish(types, V2) };
}

const allPaths = (types: readonly ResourceType[], { prefix }: Dialect): Record<string, object> =>
  Object.assign({}, ...types.map((type) => pathsOf(type, { $ref: prefix + schemaName(type) }))) as Record<
    string,
    object
  >;
