// Random objects near a schema: most parts fit, and some do not.
import * as fc from 'fast-check';

/** The keywords that the schemas use (src/schema/shapes.ts). */
export interface Shape {
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly enum?: readonly string[];
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

const wrong = fc.constantFrom<unknown[]>(
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  '',
  'x',
  '50%',
  '101%',
  [],
  [null],
  {},
  { a: 1 },
);
const names = fc.constantFrom('a', 'a/b~c', '0', '');
const texts = fc.constantFrom('web', 'Web', '/api', 'x y', '5%', '0.5%', '2026-01-01T00:00:00Z', 'a'.repeat(10_001));

export function objectsNear(shape: Shape): fc.Arbitrary<unknown> {
  return fc.oneof({ arbitrary: fitting(shape), weight: 30 }, { arbitrary: wrong, weight: 1 });
}

function fitting(shape: Shape): fc.Arbitrary<unknown> {
  if (shape.anyOf) return fc.oneof(...shape.anyOf.map(objectsNear));
  if (shape.enum) return fc.constantFrom(...shape.enum);
  switch (shape.type) {
    case 'object': {
      const fields = Object.entries(shape.properties ?? {}).map(([name, field]) => [name, objectsNear(field)] as const);
      const others = shape.additionalProperties
        ? fc.dictionary(names, objectsNear(shape.additionalProperties), { maxKeys: 2 })
        : fc.constant({});
      // Seldom without a required field: further in, an object would hardly ever fit.
      const whole = fc.record(Object.fromEntries(fields), { requiredKeys: [...(shape.required ?? [])] });
      const partial = fc.record(Object.fromEntries(fields), { requiredKeys: [] });
      const known = fc.oneof({ arbitrary: whole, weight: 20 }, { arbitrary: partial, weight: 1 });
      return fc.tuple(known, others).map(([some, more]) => ({ ...more, ...some }));
    }
    case 'array': {
      const { minItems = 0, maxItems = 3 } = shape;
      const length = around(minItems, maxItems);
      return fc.oneof(
        { arbitrary: fc.array(objectsNear(shape.items ?? {}), { maxLength: 3 }), weight: 10 },
        { arbitrary: fc.tuple(length, wrong).map(([count, item]) => Array<unknown>(count).fill(item)), weight: 1 },
      );
    }
    case 'string': {
      const { minLength = 0, maxLength = 3 } = shape;
      // One character, two, and half of one.
      const of = fc.constantFrom('a', '😀', '\ud800');
      return fc.oneof(
        texts,
        fc.tuple(of, around(minLength, maxLength)).map(([one, count]) => one.repeat(count)),
      );
    }
    case 'integer':
    case 'number': {
      const { minimum = 0, maximum = 3 } = shape;
      return fc.oneof(around(minimum, maximum), fc.constantFrom(1, 1.5, 2 ** 31, -(2 ** 31)));
    }
    case 'boolean':
      return fc.boolean();
    default:
      return wrong;
  }
}

const around = (least: number, most: number): fc.Arbitrary<number> =>
  fc.constantFrom(...[least - 1, least, most, most + 1].filter((n) => n >= 0));
