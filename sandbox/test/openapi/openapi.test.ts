// The documents for kubectl explain and the validation of clients.
import assert from 'node:assert/strict';
import { resource } from '../../src/core/resources.ts';
import type { Schema } from '../../src/core/types.ts';
import { openApi } from '../../src/openapi/index.ts';
import { definitions, schemaFor } from '../../src/schema/index.ts';

const native = (group: string, version: string, kind: string, plural: string, more = {}) =>
  resource(group, version, kind, plural, { schema: schemaFor(group, version, kind), definitions, ...more });

const gadget = resource('example.com', 'v1', 'Gadget', 'gadgets', {
  status: true,
  schema: {
    type: 'object',
    properties: { spec: { type: 'object', properties: { size: { type: 'integer', description: 'How big.' } } } },
  },
});
const types = [
  native('apps', 'v1', 'Deployment', 'deployments', { status: true }),
  native('', 'v1', 'Namespace', 'namespaces', { namespaced: false }),
  gadget,
];

type OfKind = Record<'x-kubernetes-group-version-kind', unknown>;

/** What the tests read of a document, and of the list of documents. */
interface Document {
  paths: Record<string, { serverRelativeURL: string; patch: OfKind & { parameters: { name: string }[] } }>;
  components: { schemas: Record<string, Schema & OfKind> };
}

const document = (path: string): Document => {
  const found = openApi(path, types);
  assert.ok(found, path);
  return found as Document;
};

/** Every `$ref` anywhere in a document. */
const references = (value: unknown): string[] =>
  value === null || typeof value !== 'object'
    ? []
    : Object.entries(value).flatMap(([key, item]) => (key === '$ref' ? [item as string] : references(item)));

describe('OpenAPI', () => {
  it('lists the URL of the document of each group version', () => {
    const { paths } = document('/openapi/v3');
    assert.deepEqual(Object.keys(paths), ['apis/apps/v1', 'api/v1', 'apis/example.com/v1']);
    assert.match(paths['api/v1']!.serverRelativeURL, /^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{64}$/);
  });

  it('changes the hash with the schema, because clients cache documents', () => {
    const hash = (list: typeof types) =>
      (openApi('/openapi/v3', list) as Document).paths['apis/example.com/v1']!.serverRelativeURL;
    const changed = { ...gadget, schema: { ...gadget.schema, description: 'other' } };
    assert.notEqual(hash(types), hash([changed]));
    assert.equal(hash(types), hash([gadget]));
  });

  for (const path of [
    '/openapi/v3/apis/apps/v1',
    '/openapi/v3/api/v1',
    '/openapi/v3/apis/example.com/v1',
    '/openapi/v2',
  ]) {
    it(`has in ${path} all that it refers to`, () => {
      const whole = document(path);
      const all = references(whole);
      assert.ok(all.length > 3);
      for (const reference of all) {
        const [, ...steps] = reference.split('/');
        assert.ok(
          steps.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], whole),
          reference,
        );
      }
    });
  }

  it('contains the kind of each schema and the parameters of each path', () => {
    const { components, paths } = document('/openapi/v3/apis/apps/v1');
    const schema = components.schemas['io.k8s.api.apps.v1.Deployment']!;
    assert.deepEqual(schema['x-kubernetes-group-version-kind'], [{ group: 'apps', kind: 'Deployment', version: 'v1' }]);
    const { patch } = paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']!;
    assert.deepEqual(patch['x-kubernetes-group-version-kind'], { group: 'apps', kind: 'Deployment', version: 'v1' });
    const names = patch.parameters.map(({ name }) => name);
    assert.deepEqual(names, ['dryRun', 'fieldManager', 'fieldValidation', 'force']);
    assert.ok(paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}/status']);
  });

  it('documents custom kinds with the common fields of objects', () => {
    const { components, paths } = document('/openapi/v3/apis/example.com/v1');
    const { properties } = components.schemas['com.example.v1.Gadget']!;
    assert.deepEqual(Object.keys(properties!), ['apiVersion', 'kind', 'spec', 'metadata']);
    assert.equal(properties!.spec!.properties!.size!.description, 'How big.');
    assert.ok(paths['/apis/example.com/v1/namespaces/{namespace}/gadgets']);
  });

  it('has no namespace in the paths of cluster-scoped kinds', () => {
    assert.ok(document('/openapi/v3/api/v1').paths['/api/v1/namespaces/{name}']);
  });

  it('has nothing elsewhere', () => {
    assert.equal(openApi('/openapi/v3/apis/nobody/v1', types), undefined);
    assert.equal(openApi('/openapi/v4', types), undefined);
  });
});
