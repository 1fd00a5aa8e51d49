import { strict as assert } from 'node:assert';
import type { Schema } from '../../src/core/types.ts';
import { gadget, problems, text, typeWithSpec } from './support.ts';

const object = (properties: Record<string, Schema>, more: Schema = {}): Schema => ({
  type: 'object',
  properties,
  ...more,
});

describe('a custom resource', () => {
  const cases: [string, Schema, unknown, string[]][] = [
    [
      'the wrong type',
      { type: 'integer' },
      'x',
      ['Invalid value: "string": spec.f in body must be of type integer: "string"'],
    ],
    [
      'a fraction where a whole number goes',
      { type: 'integer' },
      1.5,
      ['Invalid value: "number": spec.f in body must be of type integer: "number"'],
    ],
    [
      'a list where an object goes',
      { type: 'object' },
      [],
      ['Invalid value: "array": spec.f in body must be of type object: "array"'],
    ],
    ['null', { type: 'string' }, null, ['Invalid value: "null": spec.f in body must be of type string: "null"']],
    [
      'too small a number',
      { type: 'integer', minimum: 3 },
      2,
      ['Invalid value: 2: spec.f in body should be greater than or equal to 3'],
    ],
    [
      'a number on an exclusive bound',
      { type: 'number', maximum: 3, exclusiveMaximum: true },
      3,
      ['Invalid value: 3: spec.f in body should be less than 3'],
    ],
    [
      'no multiple',
      { type: 'integer', multipleOf: 5 },
      7,
      ['Invalid value: 7: spec.f in body should be a multiple of 5'],
    ],
    [
      'too short a string',
      { type: 'string', minLength: 2 },
      'a',
      ['Invalid value: "a": spec.f in body should be at least 2 chars long'],
    ],
    ['too long a string', { type: 'string', maxLength: 2 }, 'abc', ['Too long: may not be more than 2 bytes']],
    [
      'a string off the pattern',
      { type: 'string', pattern: '^[a-z]+$' },
      'A',
      [`Invalid value: "A": spec.f in body should match '^[a-z]+$'`],
    ],
    [
      'a string that makes a backtracking engine hang',
      { type: 'string', pattern: '^(a+)+$' },
      `${'a'.repeat(60)}!`,
      [`Invalid value: "${'a'.repeat(60)}!": spec.f in body should match '^(a+)+$'`],
    ],
    [
      'too few items',
      { type: 'array', minItems: 1, items: { type: 'string' } },
      [],
      ['Invalid value: 0: spec.f in body should have at least 1 items'],
    ],
    [
      'too many properties',
      { type: 'object', maxProperties: 1, additionalProperties: { type: 'string' } },
      { a: '', b: '' },
      ['Too many: 2: must have at most 1 items'],
    ],
    [
      'a value off the enum',
      { type: 'string', enum: ['a', 'b'] },
      'c',
      ['Unsupported value: "c": supported values: "a", "b"'],
    ],
    [
      'a bad address',
      { type: 'string', format: 'ipv4' },
      '1.2.3',
      ['Invalid value: "1.2.3": spec.f in body must be of type ipv4: "1.2.3"'],
    ],
    [
      'a bad time',
      { type: 'string', format: 'date-time' },
      'noon',
      ['Invalid value: "noon": spec.f in body must be of type date-time: "noon"'],
    ],
  ];
  for (const [what, schema, value, wanted] of cases) {
    it(`is told about ${what}`, () => {
      assert.deepEqual(
        problems(object({ f: schema }), { f: value }),
        wanted.map((each) => `spec.f: ${each}`),
      );
    });
  }

  it('reports all missing fields, also in maps and lists', () => {
    const item = object({ id: { type: 'string' } }, { required: ['id'] });
    assert.deepEqual(
      problems(
        object(
          { list: { type: 'array', items: item }, map: { type: 'object', additionalProperties: item } },
          { required: ['x'] },
        ),
        { list: [{}], map: { k: {} } },
      ),
      ['spec.list[0].id: Required value', 'spec.map.k.id: Required value', 'spec.x: Required value'],
    );
  });

  it('may be null where the schema is nullable, and may have an unknown format', () => {
    assert.deepEqual(
      problems(object({ a: { type: 'string', nullable: true }, b: { type: 'string', format: 'colour' } }), {
        a: null,
        b: 'x',
      }),
      [],
    );
  });

  it('reports the failed alternatives, then the errors of the best one', () => {
    const either = object(
      { a: { type: 'string' }, b: { type: 'string' } },
      { oneOf: [{ required: ['a'] }, { required: ['b'] }] },
    );
    assert.deepEqual(problems(either, {}), [
      '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found none valid',
      'spec.a: Required value',
    ]);
    assert.deepEqual(problems(either, { a: '', b: '' }), [
      '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ]);
    assert.deepEqual(problems(either, { b: '' }), []);
    assert.deepEqual(problems(object({ a: { type: 'integer', not: { minimum: 5 } } }), { a: 6 }), [
      '<nil>: Invalid value: "": "spec.a" must not validate the schema (not)',
    ]);
    assert.deepEqual(problems(object({ a: { type: 'integer', allOf: [{ minimum: 5 }, { maximum: 9 }] } }), { a: 3 }), [
      'spec.a: Invalid value: 3: spec.a in body should be greater than or equal to 5',
      '<nil>: Invalid value: "": "spec.a" must validate all the schemas (allOf)',
    ]);
  });

  it('may keep invalid parts that do not change', () => {
    const schema = object({ a: { type: 'integer', maximum: 5 }, b: { type: 'integer' } });
    assert.deepEqual(problems(schema, { a: 9, b: 2 }, { a: 9, b: 1 }), []);
    assert.deepEqual(problems(schema, { a: 8 }, { a: 9 }), [
      'spec.a: Invalid value: 8: spec.a in body should be less than or equal to 5',
    ]);
  });

  it('has no duplicates in sets and list maps', () => {
    const schema = object({
      set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
      map: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['id'],
        items: object({ id: { type: 'integer' }, v: { type: 'string' } }, { required: ['id'] }),
      },
    });
    assert.deepEqual(
      problems(schema, {
        set: ['a', 'b', 'a', 'a'],
        map: [
          { id: 1, v: 'x' },
          { id: 1, v: 'y' },
        ],
      }),
      ['spec.set[2]: Duplicate value: "a"', 'spec.map[1]: Duplicate value: {"id":1}'],
    );
  });

  it('requires kind and apiVersion in embedded resources', () => {
    const schema = object({
      whole: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
    });
    assert.deepEqual(problems(schema, { whole: { kind: '' } }), [
      'spec.whole.apiVersion: Required value',
      'spec.whole.kind: Invalid value: "": must not be empty',
    ]);
  });

  it('requires kind and apiVersion', () => {
    const errors = typeWithSpec({ type: 'object' }).validate!({ ...gadget({}), kind: 'Other' }, undefined);
    assert.deepEqual(errors.map(text), ['kind: Invalid value: "Other": must be Gadget']);
  });

  it('scales only to valid numbers', () => {
    const type = typeWithSpec(object({ n: { type: 'integer' } }), {
      subresources: { scale: { specReplicasPath: '.spec.n', statusReplicasPath: '.status.n' } },
    });
    assert.deepEqual(type.validate!(gadget({ n: -1 }), undefined).map(text), [
      '.spec.n: Invalid value: -1: should be a non-negative integer',
    ]);
  });
});

describe('the status of a custom resource', () => {
  it('is validated separately, with paths relative to it', () => {
    const type = typeWithSpec(
      { type: 'object', required: ['x'] },
      {
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: object({
            spec: object({}, { required: ['x'] }),
            status: object({ phase: { type: 'string', minLength: 2 } }),
          }),
        },
      },
    );
    const old = gadget({});
    assert.deepEqual(type.validateStatus!({ ...old, status: { phase: 'a' } }, old).map(text), [
      'status.phase: Invalid value: "a": phase in body should be at least 2 chars long',
    ]);
  });
});

describe('rules in CEL', () => {
  const limited = object(
    { min: { type: 'integer' }, max: { type: 'integer' } },
    {
      'x-kubernetes-validations': [{ rule: 'self.min <= self.max', message: 'min above max' }],
    },
  );

  it('are evaluated on their part of the object', () => {
    assert.deepEqual(problems(limited, { min: 2, max: 1 }), ['spec: Invalid value: min above max']);
    assert.deepEqual(problems(limited, { min: 1, max: 1 }), []);
  });

  it('report an error if they cannot be evaluated', () => {
    assert.deepEqual(problems(limited, { min: 2 }), [
      'spec: Invalid value: "object": no such key: max evaluating rule: min above max',
    ]);
  });

  it('are not evaluated on invalid values', () => {
    assert.deepEqual(problems(limited, { min: 'x' }), [
      'spec.min: Invalid value: "string": spec.min in body must be of type integer: "string"',
      '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
    ]);
  });

  it('compare with the previous object, if there is one', () => {
    const fixed = object({
      size: {
        type: 'string',
        'x-kubernetes-validations': [
          { rule: 'self == oldSelf', message: 'size is fixed', reason: 'FieldValueForbidden' },
        ],
      },
    });
    assert.deepEqual(problems(fixed, { size: 'a' }), []);
    assert.deepEqual(problems(fixed, { size: 'b' }, { size: 'a' }), ['spec.size: Forbidden: size is fixed']);
    assert.deepEqual(problems(fixed, { size: 'a' }, { size: 'a' }), []);
  });

  it('match items of list maps by their keys', () => {
    const items: Schema = object(
      { id: { type: 'string' }, v: { type: 'integer' } },
      {
        required: ['id'],
        'x-kubernetes-validations': [
          { rule: 'self.v >= oldSelf.v', messageExpression: '"v of " + self.id + " went down"', fieldPath: '.v' },
        ],
      },
    );
    const schema = object({
      list: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['id'], items },
    });
    assert.deepEqual(
      problems(
        schema,
        {
          list: [
            { id: 'b', v: 1 },
            { id: 'a', v: 1 },
          ],
        },
        {
          list: [
            { id: 'a', v: 2 },
            { id: 'b', v: 1 },
          ],
        },
      ),
      ['spec.list[1].v: Invalid value: v of a went down'],
    );
  });

  it('may continue to fail on unchanged parts', () => {
    const schema = object({ inner: limited, other: { type: 'integer' } });
    const bad = { min: 2, max: 1 };
    assert.deepEqual(problems(schema, { inner: bad, other: 2 }, { inner: bad, other: 1 }), []);
    assert.deepEqual(problems(schema, { inner: { min: 3, max: 1 } }, { inner: bad }), [
      'spec.inner: Invalid value: min above max',
    ]);
  });
});

describe('defaults', () => {
  const schema = object({
    mode: { type: 'string', default: 'slow' },
    deep: object({ n: { type: 'integer', default: 0 } }),
    made: object({ n: { type: 'integer', default: 7 } }, { default: {} }),
    list: { type: 'array', items: object({ on: { type: 'boolean', default: true } }) },
    map: { type: 'object', additionalProperties: object({ v: { type: 'string', default: '' } }) },
    gone: { type: 'string' },
    kept: { type: 'string', nullable: true },
  });

  it('are set at every depth; invalid nulls are dropped or replaced', () => {
    const made = gadget({ mode: null, deep: {}, list: [{}, { on: false }], map: { k: {} }, gone: null, kept: null });
    typeWithSpec(schema).default!(made);
    assert.deepEqual(made['spec'], {
      mode: 'slow',
      deep: { n: 0 },
      made: { n: 7 },
      list: [{ on: true }, { on: false }],
      map: { k: { v: '' } },
      kept: null,
    });
  });

  it('are not shared between objects', () => {
    const type = typeWithSpec(schema);
    const [a, b] = [gadget({}), gadget({})];
    type.default!(a);
    type.default!(b);
    assert.notEqual(a['spec'].made, b['spec'].made);
  });
});
