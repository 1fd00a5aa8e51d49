// Validates CustomResourceDefinitions, with the error texts of the API server.
import { field } from '../core/errors.ts';
import { checkLabel1035, checkSubdomain } from '../core/names.ts';
import type { FieldError, KubeObject, Schema } from '../core/types.ts';
import { deepEqual } from '../patch/values.ts';
import { isTrue, specOf } from './definition.ts';
import type { DefinitionSpec, DefinitionStatus, Names, Version } from './definition.ts';
import { validateSchema } from './schemas.ts';

const label = (path: string, value: string | undefined, prefix = ''): FieldError[] => {
  const problems = value ? checkLabel1035(prefix ? value.toLowerCase() : value) : [];
  return problems.length ? [field.invalid(path, value, prefix + problems.join(','))] : [];
};

/** All errors of the definition, and of the change from the old one. */
export function validateDefinition(crd: KubeObject, old?: KubeObject): FieldError[] {
  const spec = specOf(crd);
  const errors: FieldError[] = [];
  if (!old && crd.metadata.name !== `${spec.names.plural}.${spec.group}`)
    errors.push(field.invalid('metadata.name', crd.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  errors.push(...validateSpec(spec));
  if (old) errors.push(...validateChange(crd, old));
  const status = crd['status'] as DefinitionStatus | undefined;
  if (status?.storedVersions) errors.push(...checkStoredVersions(status.storedVersions, spec.versions ?? []));
  errors.push(...checkApproval(crd, old));
  if (spec.preserveUnknownFields && !(old && specOf(old).preserveUnknownFields))
    errors.push(
      field.invalid(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    );
  return errors;
}

function validateSpec(spec: DefinitionSpec): FieldError[] {
  const errors: FieldError[] = [];
  const { group, names, scope, versions = [] } = spec;
  const groupProblems = checkSubdomain(group);
  if (!group) errors.push(field.required('spec.group'));
  else if (groupProblems.length) errors.push(field.invalid('spec.group', group, groupProblems.join(',')));
  else if (!group.includes('.'))
    errors.push(field.invalid('spec.group', group, 'should be a domain with at least one dot'));
  if (!scope) errors.push(field.required('spec.scope'));
  else if (scope !== 'Cluster' && scope !== 'Namespaced')
    errors.push(field.notSupported('spec.scope', scope, ['Cluster', 'Namespaced']));
  errors.push(...validateVersions(versions));
  for (const key of ['plural', 'singular', 'kind', 'listKind'] as const)
    if (!names[key]) errors.push(field.required(`spec.names.${key}`));
  errors.push(...validateNames(names, 'spec.names'));
  errors.push(...validateConversion(spec.conversion));
  return errors;
}

function validateNames(names: Names, path: string): FieldError[] {
  const mixed = 'may have mixed case, but should otherwise match: ';
  return [
    ...label(`${path}.plural`, names.plural),
    ...label(`${path}.singular`, names.singular),
    ...label(`${path}.kind`, names.kind, mixed),
    ...label(`${path}.listKind`, names.listKind, mixed),
    ...(names.shortNames ?? []).flatMap((name, i) => label(`${path}.shortNames[${i}]`, name)),
    ...(names.kind && names.kind === names.listKind
      ? [field.invalid(`${path}.listKind`, names.listKind, 'kind and listKind may not be the same')]
      : []),
    ...(names.categories ?? []).flatMap((name, i) => label(`${path}.categories[${i}]`, name)),
  ];
}

function validateVersions(versions: Version[]): FieldError[] {
  const errors: FieldError[] = [];
  const allSame = (key: keyof Version): boolean =>
    versions.every((version) => deepEqual(version[key], versions[0]![key]));
  // Reports an error that all versions share once, at the top level, as the API server does.
  const shared = versions.length
    ? { schema: allSame('schema'), subresources: allSame('subresources'), columns: allSame('additionalPrinterColumns') }
    : { schema: false, subresources: false, columns: false };
  const anyStatus = versions.some(({ subresources }) => subresources?.status);
  versions.forEach((version, i) => {
    const path = `spec.versions[${i}]`;
    if (!version.schema?.openAPIV3Schema) errors.push(field.required(`${path}.schema.openAPIV3Schema`));
  });
  versions.forEach((version, i) => {
    const path = `spec.versions[${i}]`;
    const problems = checkLabel1035(version.name);
    if (problems.length) errors.push(field.invalid(`${path}.name`, version.name, problems.join(',')));
    errors.push(...checkDeprecation(version, path));
    const schema = version.schema?.openAPIV3Schema;
    if (schema && !shared.schema)
      errors.push(
        ...validateSchema(schema, `${path}.schema.openAPIV3Schema`, version.subresources?.status !== undefined),
      );
    if (!shared.subresources) errors.push(...validateSubresources(version, `${path}.subresources`));
    if (!shared.columns) errors.push(...validateColumns(version, `${path}.additionalPrinterColumns`));
    errors.push(...validateSelectable(version, path));
  });
  if (new Set(versions.map(({ name }) => name)).size < versions.length)
    errors.push(field.invalid('spec.versions', versions, 'must contain unique version names'));
  if (versions.filter(({ storage }) => storage).length !== 1)
    errors.push(field.invalid('spec.versions', versions, 'must have exactly one version marked as storage version'));
  const [first] = versions;
  if (first?.schema?.openAPIV3Schema && shared.schema)
    errors.push(...validateSchema(first.schema.openAPIV3Schema, 'spec.validation.openAPIV3Schema', anyStatus));
  if (first && shared.subresources) errors.push(...validateSubresources(first, 'spec.subresources'));
  if (first && shared.columns) errors.push(...validateColumns(first, 'spec.additionalPrinterColumns'));
  return errors;
}

function checkDeprecation(version: Version, path: string): FieldError[] {
  const { deprecated, deprecationWarning } = version;
  if (deprecationWarning === undefined) return [];
  const bad = (why: string): FieldError => field.invalid(`${path}.deprecationWarning`, deprecationWarning, why);
  if (!deprecated) return [bad('can only be set for deprecated versions')];
  if (deprecationWarning.length > 256) return [bad('must be <= 256 characters long')];
  if (!deprecationWarning) return [bad('must not be an empty string')];
  return [];
}

function checkReplicasPath(path: string, value: string | undefined, below: string[], why: string): FieldError[] {
  if (!value) return [field.required(path)];
  if (!value.startsWith('.')) return [field.invalid(path, value, 'must be a simple json path starting with .')];
  return below.some((prefix) => value.startsWith(prefix)) ? [] : [field.invalid(path, value, why)];
}

function validateSubresources({ subresources }: Version, path: string): FieldError[] {
  const scale = subresources?.scale;
  if (!scale) return [];
  const at = `${path}.scale`;
  return [
    ...checkReplicasPath(
      `${at}.specReplicasPath`,
      scale.specReplicasPath,
      ['.spec.'],
      'should be a json path under .spec',
    ),
    ...checkReplicasPath(
      `${at}.statusReplicasPath`,
      scale.statusReplicasPath,
      ['.status.'],
      'should be a json path under .status',
    ),
    ...(scale.labelSelectorPath
      ? checkReplicasPath(
          `${at}.labelSelectorPath`,
          scale.labelSelectorPath,
          ['.spec.', '.status.'],
          'should be a json path under either .spec or .status',
        )
      : []),
  ];
}

const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];
const COLUMN_FORMATS = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];

function validateColumns({ additionalPrinterColumns = [] }: Version, path: string): FieldError[] {
  return additionalPrinterColumns.flatMap(({ name, type, format, jsonPath }, i) => {
    const errors: FieldError[] = [];
    const at = `${path}[${i}]`;
    const types = `must be one of ${COLUMN_TYPES.join(',')}`;
    if (!name) errors.push(field.required(`${at}.name`));
    if (!type) errors.push(field.required(`${at}.type`, types));
    else if (!COLUMN_TYPES.includes(type)) errors.push(field.invalid(`${at}.type`, type, types));
    if (format && !COLUMN_FORMATS.includes(format))
      errors.push(field.invalid(`${at}.format`, format, `must be one of ${COLUMN_FORMATS.join(',')}`));
    if (!jsonPath) errors.push(field.required(`${at}.JSONPath`));
    else if (!jsonPath.startsWith('.'))
      errors.push(field.invalid(`${at}.JSONPath`, jsonPath, 'must be a simple json path starting with .'));
    return errors;
  });
}

const MAX_SELECTABLE_FIELDS = 8;

function validateSelectable({ selectableFields = [], schema }: Version, path: string): FieldError[] {
  const errors = selectableFields.flatMap(({ jsonPath }, i) => {
    const at = `${path}.selectableFields[${i}].jsonPath`;
    if (!jsonPath) return [field.required(at)];
    let target: Schema | undefined = schema?.openAPIV3Schema;
    for (const key of jsonPath.split('.').slice(1)) target = target?.properties?.[key];
    if (!jsonPath.startsWith('.') || !target)
      return [field.invalid(at, jsonPath, 'is an invalid path: does not refer to a valid field')];
    if (jsonPath.startsWith('.metadata')) return [field.invalid(at, jsonPath, 'must not point to fields in metadata')];
    if (!['string', 'boolean', 'integer'].includes(target.type ?? ''))
      return [
        field.invalid(
          at,
          jsonPath,
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        ),
      ];
    const isRepeated = selectableFields.findIndex((other) => other.jsonPath === jsonPath) < i;
    return isRepeated ? [field.duplicate(at, jsonPath)] : [];
  });
  if (selectableFields.length > MAX_SELECTABLE_FIELDS)
    errors.push(field.tooMany(`${path}.selectableFields`, selectableFields.length, MAX_SELECTABLE_FIELDS));
  return errors;
}

function validateConversion(conversion: DefinitionSpec['conversion']): FieldError[] {
  if (!conversion) return [];
  const path = 'spec.conversion';
  const { strategy, webhook } = conversion;
  if (!strategy) return [field.required(`${path}.strategy`)];
  if (strategy !== 'None' && strategy !== 'Webhook')
    return [field.notSupported(`${path}.strategy`, strategy, ['None', 'Webhook'])];
  if (strategy === 'None') {
    return [
      ...(webhook?.clientConfig
        ? [field.forbidden(`${path}.webhookClientConfig`, 'should not be set when strategy is not set to Webhook')]
        : []),
      ...(webhook?.conversionReviewVersions?.length
        ? [field.forbidden(`${path}.conversionReviewVersions`, 'should not be set when strategy is not set to Webhook')]
        : []),
    ];
  }
  const at = `${path}.webhookClientConfig`;
  const errors: FieldError[] = [];
  const client = webhook?.clientConfig;
  if (!client) errors.push(field.required(at, 'required when strategy is set to Webhook'));
  else if ((client.url === undefined) === (client.service === undefined))
    errors.push(field.required(at, 'exactly one of url or service is required'));
  else if (client.url !== undefined) errors.push(...checkUrl(`${at}.url`, client.url));
  else if (client.service) {
    if (!client.service.name) errors.push(field.required(`${at}.service.name`, 'service name is required'));
    if (!client.service.namespace)
      errors.push(field.required(`${at}.service.namespace`, 'service namespace is required'));
  }
  const versions = webhook?.conversionReviewVersions ?? [];
  if (!versions.length) errors.push(field.required(`${path}.conversionReviewVersions`));
  else if (!versions.some((version) => version === 'v1' || version === 'v1beta1'))
    errors.push(
      field.invalid(`${path}.conversionReviewVersions`, versions, 'must include at least one of v1, v1beta1'),
    );
  return errors;
}

function checkUrl(path: string, text: string): FieldError[] {
  const form = '; desired format: https://host[/path]';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return [field.required(path, `url must be a valid URL${form}`)];
  }
  const errors: FieldError[] = [];
  const bad = (value: string, why: string): number => errors.push(field.invalid(path, value, `${why}${form}`));
  if (url.protocol !== 'https:') bad(url.protocol.replace(':', ''), "'https' is the only allowed URL scheme");
  if (url.username) bad(url.username, 'user information is not permitted in the URL');
  if (url.hash) bad(url.hash.slice(1), 'fragments are not permitted in the URL');
  if (url.search) bad(url.search.slice(1), 'query parameters are not permitted in the URL');
  return errors;
}

function validateChange(crd: KubeObject, old: KubeObject): FieldError[] {
  const [spec, before] = [specOf(crd), specOf(old)];
  const fixed = (path: string, value: unknown, was: unknown): FieldError[] =>
    deepEqual(value, was) ? [] : [field.invalid(path, value, 'field is immutable')];
  return [
    ...(isTrue(old, 'Established')
      ? [
          ...fixed('spec.scope', spec.scope, before.scope),
          ...fixed('spec.names.kind', spec.names.kind, before.names.kind),
        ]
      : []),
    ...fixed('spec.group', spec.group, before.group),
    ...fixed('spec.names.plural', spec.names.plural, before.names.plural),
  ];
}

function checkStoredVersions(stored: string[], versions: Version[]): FieldError[] {
  const path = 'status.storedVersions';
  if (!stored.length) return [field.invalid(path, stored, 'must have at least one stored version')];
  const storage = versions.filter((version) => version.storage && !stored.includes(version.name));
  const missing = stored.flatMap((name, i) =>
    versions.some((version) => version.name === name)
      ? []
      : [
          field.invalid(
            `${path}[${i}]`,
            name,
            `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
          ),
        ],
  );
  return [
    ...storage.map(({ name }) => field.invalid(path, stored, `must have the storage version ${name}`)),
    ...missing,
  ];
}

const APPROVAL = 'api-approved.kubernetes.io';

/** Groups of the Kubernetes community require an approval annotation. */
function checkApproval(crd: KubeObject, old?: KubeObject): FieldError[] {
  const { group } = specOf(crd);
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(group)) return [];
  const value = crd.metadata.annotations?.[APPROVAL];
  const path = `metadata.annotations[${APPROVAL}]`;
  const how = 'see https://github.com/kubernetes/enhancements/pull/1111';
  if (old && old.metadata.annotations?.[APPROVAL] === value) return [];
  if (!value) return [field.required(path, `protected groups must have approval annotation "${APPROVAL}", ${how}`)];
  if (value.startsWith('unapproved') || /^https?:\/\/./.test(value)) return [];
  return [
    field.invalid(
      path,
      value,
      `protected groups must have approval annotation "${APPROVAL}" with either a URL or a reason starting with "unapproved", ${how}`,
    ),
  ];
}
