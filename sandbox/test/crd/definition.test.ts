import { strict as assert } from 'node:assert';
import type { KubeObject, Schema } from '../../src/core/types.ts';
import { establish, prepareDefinition, resourceTypesOf } from '../../src/crd/index.ts';
import { definition, refusals, version } from './support.ts';
import type { VersionOptions } from './support.ts';

const spec: Schema = { type: 'object', properties: { n: { type: 'integer' } } };
const withSpec = (schema: Schema, more: VersionOptions = {}): KubeObject => definition([version('v1', schema, more)]);
const at = 'spec.validation.openAPIV3Schema.properties[spec]';

describe('a definition', () => {
  it('gets a singular, a list kind and a conversion', () => {
    const crd = withSpec(spec);
    assert.deepEqual(crd['spec'].names, {
      plural: 'gadgets',
      kind: 'Gadget',
      singular: 'gadget',
      listKind: 'GadgetList',
    });
    assert.deepEqual(crd['spec'].conversion, { strategy: 'None' });
    assert.deepEqual(crd['status'], {
      acceptedNames: { kind: '', plural: '' },
      conditions: null,
      storedVersions: ['v1'],
    });
    assert.deepEqual(refusals(crd), []);
  });

  it('is named after its resource and group', () => {
    const crd = withSpec(spec);
    crd.metadata.name = 'other.example.com';
    assert.deepEqual(refusals(crd), [
      'metadata.name: Invalid value: "other.example.com": must be spec.names.plural+"."+spec.group',
    ]);
  });

  it('has a group with a dot, a known scope and proper names', () => {
    const crd = definition([version('v1', spec)], {
      group: 'example',
      scope: 'World',
      names: { plural: 'Gadgets', kind: 'Gadget', listKind: 'Gadget' },
    });
    crd.metadata.name = 'Gadgets.example';
    assert.deepEqual(
      refusals(crd).map((text) => text.replace(/: a DNS-1035.*/, ': not a label')),
      [
        'spec.group: Invalid value: "example": should be a domain with at least one dot',
        'spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"',
        'spec.names.plural: Invalid value: "Gadgets": not a label',
        'spec.names.listKind: Invalid value: "Gadget": kind and listKind may not be the same',
      ],
    );
  });

  it('stores exactly one version', () => {
    const none = definition([version('v1', spec, { storage: false })]);
    assert.ok(refusals(none).some((text) => /must have exactly one version marked as storage version$/.test(text)));
    const two = definition([version('v1', spec), version('v2', spec)]);
    assert.ok(refusals(two).some((text) => /must have exactly one version marked as storage version$/.test(text)));
  });

  it('has a schema in each version', () => {
    assert.deepEqual(refusals(definition([{ name: 'v1', served: true, storage: true }])), [
      'spec.versions[0].schema.openAPIV3Schema: Required value',
    ]);
  });

  it('reports schema errors per version, and those of a shared schema once', () => {
    const bad: Schema = { type: 'object', properties: { x: {} } };
    const why = 'Required value: must not be empty for specified object fields';
    assert.deepEqual(refusals(withSpec(bad)), [`${at}.properties[x].type: ${why}`]);
    const two = definition([version('v1', bad), version('v2', spec, { storage: false })]);
    assert.deepEqual(refusals(two), [
      `spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[x].type: ${why}`,
    ]);
  });

  const schemas: [string, Schema, (string | RegExp)[]][] = [
    [
      'items without a schema',
      { type: 'object', properties: { a: { type: 'array' } } },
      ['.properties[a].items: Required value: must be specified'],
    ],
    [
      'types inside of alternatives',
      { type: 'object', properties: { a: { type: 'string' } }, anyOf: [{ type: 'object' }] },
      ['.anyOf[0].type: Forbidden: must be empty to be structural'],
    ],
    [
      'properties next to additional ones',
      { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: { type: 'string' } },
      ['.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive'],
    ],
    [
      'uniqueItems',
      { type: 'array', uniqueItems: true, items: { type: 'string' } },
      ['.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic'],
    ],
    [
      'a pattern that is none',
      { type: 'object', properties: { a: { type: 'string', pattern: '[' } } },
      [/^\.properties\[a\]\.pattern: Invalid value: "\[": must be a valid regular expression, but isn't: /],
    ],
    [
      'a default of the wrong type',
      { type: 'object', properties: { a: { type: 'integer', default: 'x' } } },
      ['.properties[a].default: Invalid value: "string":  in body must be of type integer: "string"'],
    ],
    [
      'a default that would be pruned',
      { type: 'object', default: { zz: 1 } },
      ['.default: Invalid value: {"zz":1}: must not have unknown fields'],
    ],
    [
      'list map keys without a default',
      {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['id'],
        items: { type: 'object', properties: { id: { type: 'string' } } },
      },
      [
        '.items.properties[id].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
      ],
    ],
    [
      'list map keys that are no fields',
      {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['no'],
        items: { type: 'object' },
      },
      ['.x-kubernetes-list-map-keys: Invalid value: ["no"]: entries must all be names of item properties'],
    ],
    [
      'int-or-string that preserves unknown fields',
      { 'x-kubernetes-int-or-string': true, 'x-kubernetes-preserve-unknown-fields': true },
      [
        '.x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true',
      ],
    ],
    [
      'a rule with an unknown reason',
      { type: 'object', 'x-kubernetes-validations': [{ rule: 'true', reason: 'Because' }] },
      [
        '.x-kubernetes-validations[0].reason: Unsupported value: "Because": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"',
      ],
    ],
    [
      'a rule on a path that is not there',
      { type: 'object', 'x-kubernetes-validations': [{ rule: 'true', fieldPath: '.no' }] },
      ['.x-kubernetes-validations[0].fieldPath: Invalid value: ".no": must be a valid path'],
    ],
  ];
  for (const [what, schema, wanted] of schemas) {
    it(`is refused for ${what}`, () => {
      const found = refusals(withSpec(schema)).map((text) => text.replace(at, ''));
      assert.equal(found.length, wanted.length, found.join('\n'));
      found.forEach((text, i) => {
        const want = wanted[i]!;
        if (typeof want === 'string') assert.equal(text, want);
        else assert.match(text, want);
      });
    });
  }

  it('is refused for fields that only appear in alternatives at the root', () => {
    const root = { type: 'object', anyOf: [{ properties: { a: { minimum: 1 } } }] };
    assert.deepEqual(refusals(withSpec(spec, { schema: { openAPIV3Schema: root } })), [
      'spec.validation.openAPIV3Schema.properties[a]: Required value: because it is defined in spec.validation.openAPIV3Schema.anyOf[0].properties[a]',
    ]);
  });

  it('is refused for a rule that does not compile, and for oldSelf in lists without keys', () => {
    const rule = (text: string): Schema => ({
      type: 'object',
      properties: { n: { type: 'integer' } },
      'x-kubernetes-validations': [{ rule: text }],
    });
    assert.match(
      refusals(withSpec(rule('self.missing > 1')))[0]!,
      /x-kubernetes-validations\[0\]\.rule: Invalid value: \{"Rule":"self.missing > 1",.*\}: compilation failed: .*undefined field 'missing'/s,
    );
    assert.match(refusals(withSpec(rule('self.n >')))[0]!, /compilation failed/);
    const inList = withSpec({ type: 'array', items: rule('self == oldSelf') });
    assert.match(refusals(inList)[0]!, /oldSelf cannot be used on the uncorrelatable portion of the schema within /);
  });

  it('checks subresources, columns and selectable fields', () => {
    const crd = withSpec(spec, {
      subresources: { scale: { specReplicasPath: '.n', statusReplicasPath: '.status.n' } },
      additionalPrinterColumns: [{ name: 'N', type: 'int', jsonPath: 'spec.n' }],
      selectableFields: [{ jsonPath: '.spec.no' }],
    });
    assert.deepEqual(refusals(crd), [
      'spec.versions[0].selectableFields[0].jsonPath: Invalid value: ".spec.no": is an invalid path: does not refer to a valid field',
      'spec.subresources.scale.specReplicasPath: Invalid value: ".n": should be a json path under .spec',
      'spec.additionalPrinterColumns[0].type: Invalid value: "int": must be one of boolean,date,integer,number,string',
      'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "spec.n": must be a simple json path starting with .',
    ]);
  });

  it('checks the conversion', () => {
    const with_ = (conversion: object): string[] => refusals(definition([version('v1', spec)], { conversion }));
    assert.deepEqual(with_({ strategy: 'Webhook', webhook: { clientConfig: {}, conversionReviewVersions: ['v2'] } }), [
      'spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required',
      'spec.conversion.conversionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1',
    ]);
    assert.deepEqual(
      with_({
        strategy: 'Webhook',
        webhook: { clientConfig: { url: 'http://x/y?z' }, conversionReviewVersions: ['v1'] },
      }),
      [
        `spec.conversion.webhookClientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
        'spec.conversion.webhookClientConfig.url: Invalid value: "z": query parameters are not permitted in the URL; desired format: https://host[/path]',
      ],
    );
  });

  it('keeps its group and plural, and once served its kind and scope', () => {
    const old = establish(withSpec(spec), 'T')!;
    const changed = structuredClone(old);
    Object.assign(changed['spec'], { scope: 'Cluster', names: { ...old['spec'].names, kind: 'Gizmo' } });
    assert.deepEqual(refusals(changed, old), [
      'spec.scope: Invalid value: "Cluster": field is immutable',
      'spec.names.kind: Invalid value: "Gizmo": field is immutable',
    ]);
  });

  it('remembers every version that was ever stored', () => {
    const old = establish(withSpec(spec), 'T')!;
    const next = definition([version('v2', spec)]);
    prepareDefinition(next, old);
    assert.deepEqual(next['status'].storedVersions, ['v1', 'v2']);
    assert.match(
      refusals(next, old)[0]!,
      /^status\.storedVersions\[0\]: Invalid value: "v1": missing from spec\.versions; v1 was previously a storage version/,
    );
  });

  it('is not for groups of the Kubernetes community without approval', () => {
    const crd = definition([version('v1', spec)], { group: 'things.k8s.io' });
    crd.metadata.name = 'gadgets.things.k8s.io';
    assert.match(refusals(crd)[0]!, /protected groups must have approval annotation "api-approved\.kubernetes\.io"/);
    crd.metadata.annotations = { 'api-approved.kubernetes.io': 'unapproved, for a test' };
    assert.deepEqual(refusals(crd), []);
  });
});

describe('establishing a definition', () => {
  it('accepts its names and serves it', () => {
    const crd = establish(withSpec(spec), '2026-01-01T00:00:00Z')!;
    assert.deepEqual(crd['status'].acceptedNames, crd['spec'].names);
    assert.deepEqual(
      crd['status'].conditions.map(({ type, status, reason }: Record<string, string>) => [type, status, reason]),
      [
        ['NamesAccepted', 'True', 'NoConflicts'],
        ['Established', 'True', 'InitialNamesAccepted'],
      ],
    );
    assert.equal(establish(crd, '2026-02-02T00:00:00Z'), undefined, 'there is nothing more to do');
  });

  it('refuses names that another definition of the group has', () => {
    const first = establish(withSpec(spec), 'T')!;
    const second = definition([version('v1', spec)], { names: { plural: 'others', kind: 'Gadget' } });
    second.metadata.name = 'others.example.com';
    const [names, established] = establish(second, 'T', [first])!['status'].conditions;
    assert.deepEqual(
      [names.status, names.reason, names.message],
      ['False', 'ListKindConflict', '"GadgetList" is already in use'],
    );
    assert.deepEqual([established.status, established.reason], ['False', 'NotAccepted']);
  });
});

describe('the rows of a definition', () => {
  it('are one for each served version', () => {
    const rows = resourceTypesOf(
      definition([
        version('v1', spec),
        version('v2', spec, { storage: false }),
        version('v3', spec, { storage: false, served: false }),
      ]),
    );
    assert.deepEqual(
      rows.map((row) => [row.version, row.storageVersion, row.kind, row.plural, row.namespaced]),
      [
        ['v1', 'v1', 'Gadget', 'gadgets', true],
        ['v2', 'v1', 'Gadget', 'gadgets', true],
      ],
    );
  });

  it('print the age by default', () => {
    const [row] = resourceTypesOf(withSpec(spec));
    assert.deepEqual(
      row!.columns.map(({ name, type, value }) => [name, type, value]),
      [['Age', 'date', '.metadata.creationTimestamp']],
    );
  });
});

describe('A version that is deprecated', () => {
  const warnings = (versions: object[]): unknown[] =>
    resourceTypesOf(definition(versions)).map(({ deprecationWarning }) => deprecationWarning);
  const old = { storage: false, deprecated: true };

  it('has its own warning, or names the newest version that is not deprecated', () => {
    assert.deepEqual(
      warnings([
        version('v1alpha1', { type: 'object' }, old),
        version('v1beta1', { type: 'object' }, { ...old, deprecationWarning: 'v1beta1 goes soon' }),
        version('v1', { type: 'object' }),
        version('v2', { type: 'object' }, { storage: false }),
      ]),
      [
        'example.com/v1alpha1 Gadget is deprecated; use example.com/v2 Gadget',
        'v1beta1 goes soon',
        undefined,
        undefined,
      ],
    );
  });

  it('names no version if there is no newer one', () => {
    assert.deepEqual(warnings([version('v1', { type: 'object' }, { deprecated: true })]), [
      'example.com/v1 Gadget is deprecated',
    ]);
  });
});
