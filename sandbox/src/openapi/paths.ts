// The paths of an OpenAPI document that clients read: kinds, verbs and parameters.
import type { ResourceType } from '../core/types.ts';

type Operation = Record<string, unknown>;

const query = (name: string, type: string, description: string) => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
});

const DRY_RUN = query(
  'dryRun',
  'string',
  'When it says All, the request is checked and answered, and nothing is stored.',
);
const MANAGER = query('fieldManager', 'string', 'Who owns the fields that are written.');
const VALIDATION = query(
  'fieldValidation',
  'string',
  'What to do with unknown and duplicate fields: Ignore, Warn or Strict.',
);
const FORCE = query('force', 'boolean', 'Take fields over from other managers (server-side apply).');
const SELECT = [
  query('labelSelector', 'string', 'Only objects whose labels match.'),
  query('fieldSelector', 'string', 'Only objects whose fields match.'),
  query('limit', 'integer', 'At most so many objects in an answer.'),
  query('continue', 'string', 'Where the answer before this one ended.'),
  query('resourceVersion', 'string', 'How fresh the answer must be.'),
  query('watch', 'boolean', 'Stream changes instead of a list.'),
];
const WRITE = [DRY_RUN, MANAGER, VALIDATION];

/** By verb: HTTP method, OpenAPI action and parameters. */
const ON_COLLECTION: Record<string, [method: string, action: string, parameters: object[]]> = {
  list: ['get', 'list', SELECT],
  create: ['post', 'post', WRITE],
  deletecollection: ['delete', 'deletecollection', [...SELECT, DRY_RUN]],
};
const ON_OBJECT: typeof ON_COLLECTION = {
  get: ['get', 'get', []],
  update: ['put', 'put', WRITE],
  patch: ['patch', 'patch', [...WRITE, FORCE]],
  delete: ['delete', 'delete', [DRY_RUN]],
};

/** Paths of one kind. `link`: the reference to its schema. */
export function pathsOf(type: ResourceType, link: object): Record<string, object> {
  const root = type.group ? `/apis/${type.group}/${type.version}` : `/api/${type.version}`;
  const collection = type.namespaced ? `${root}/namespaces/{namespace}/${type.plural}` : `${root}/${type.plural}`;
  const operations = (verbs: typeof ON_COLLECTION): Record<string, Operation> => {
    const { group, version, kind } = type;
    const content = { 'application/json': { schema: link } };
    return Object.fromEntries(
      Object.entries(verbs)
        .filter(([verb]) => type.verbs.includes(verb))
        .map(([, [method, action, parameters]]) => [
          method,
          {
            parameters,
            responses: { '200': { description: 'OK', content } },
            'x-kubernetes-action': action,
            'x-kubernetes-group-version-kind': { group, kind, version },
          },
        ]),
    );
  };
  const object = operations(ON_OBJECT);
  return {
    [collection]: { ...operations(ON_COLLECTION), parameters: placeholders(type, false) },
    [`${collection}/{name}`]: { ...object, parameters: placeholders(type, true) },
    ...(type.status ? { [`${collection}/{name}/status`]: { ...object, parameters: placeholders(type, true) } } : {}),
  };
}

const placeholders = (type: ResourceType, name: boolean): object[] =>
  [...(type.namespaced ? ['namespace'] : []), ...(name ? ['name'] : [])].map((placeholder) => ({
    name: placeholder,
    in: 'path',
    required: true,
    schema: { type: 'string', uniqueItems: true },
  }));
