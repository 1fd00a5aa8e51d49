// Compiles the schemas with ajv. In what is built, generated code takes the place of this file (tools/build/validators.ts).
import { _, Ajv, type ValidateFunction } from 'ajv';
import { formats, regExp } from './ajv-runtime.ts';
import { workloadShape, policyShape, requestShape, rolloutShape, trafficRoutingShape } from './shapes.ts';

export type { ErrorObject, ValidateFunction } from 'ajv';

export const ajv = new Ajv({
  strict: true,
  // Kubernetes requires the limits of an int-or-string beside `anyOf`. Each limit applies to the type that it fits.
  strictTypes: false,
  allErrors: true,
  coerceTypes: false,
  useDefaults: false,
  formats,
  // Generated code imports regExp and formats by these names.
  code: { source: true, esm: true, regExp: Object.assign(regExp, { code: 'regExp' }), formats: _`formats` },
});

/** A schema without what only people and API servers read. */
const bare = (schema: object): object =>
  JSON.parse(
    JSON.stringify(schema, (key, value: unknown) =>
      key.startsWith('x-kubernetes-') || (key === 'description' && typeof value === 'string') ? undefined : value,
    ),
  ) as object;

const compile = (name: string, schema: object): ValidateFunction => ajv.addSchema(bare(schema), name).getSchema(name)!;

export const rollout = compile('rollout', rolloutShape);
export const policy = compile('policy', policyShape);
export const trafficRouting = compile('trafficRouting', trafficRoutingShape);
export const workload = compile('workload', workloadShape);
export const admissionRequest = compile('admissionRequest', requestShape);
