// Schemas of native kinds, and decoding of request bodies.
export { definitionName, definitions, schemaFor } from './definitions.ts';
export type { Definition, GroupVersionKind } from './definitions.ts';
export { badRequest, decode, readObject, strictError } from './decode.ts';
export type { Decoded, FieldValidation } from './decode.ts';
export { JsonSyntaxError, parseJson } from './json.ts';
export { canonicalQuantity, compareQuantities, parseQuantity } from './quantity.ts';
export { decodeProtobuf, PROTOBUF } from './protobuf.ts';
