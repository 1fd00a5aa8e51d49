// The parameters of lists and watches: selectors, resourceVersion, and their valid combinations.
import { field, invalid } from './errors.ts';
import {
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  type FieldTerm,
  type LabelSelector,
} from './select.ts';
import type { Call } from './call.ts';
import type { KubeObject } from './types.ts';

const METADATA_FIELDS = ['metadata.name', 'metadata.namespace'];

export interface Filter {
  labels: LabelSelector;
  fields: readonly FieldTerm[];
}

export const NO_FILTER: Filter = { labels: [], fields: [] };

export function readFilter({ query, type }: Call): Filter {
  if (query.size === 0) return NO_FILTER;
  const labels = query.get('labelSelector');
  const fields = query.get('fieldSelector');
  return {
    labels: labels ? parseLabelSelector(labels) : [],
    fields: fields
      ? parseFieldSelector(
          fields,
          [...METADATA_FIELDS, ...type.fieldSelectors],
          type.ownFieldLabels === true || type.custom === true,
        )
      : [],
  };
}

export const passes = (filter: Filter, object: KubeObject): boolean =>
  (filter.labels.length === 0 || matchesLabels(filter.labels, object.metadata.labels)) &&
  (filter.fields.length === 0 || matchesFields(filter.fields, object));

/** The resourceVersion of the query. Undefined if it is absent or empty. */
export function readRevision({ query, type }: Call, name = ''): number | undefined {
  const text = query.size ? query.get('resourceVersion') : null;
  if (!text) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  throw invalid({ group: type.group, kind: type.plural }, name, [
    field.invalid('resourceVersion', text, `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`),
  ]);
}

/** Checks the combination of resourceVersionMatch and sendInitialEvents. */
export function checkListOptions({ query, info }: Call): void {
  if (query.size === 0) return;
  const match = query.get('resourceVersionMatch');
  const initial = query.get('sendInitialEvents');
  const version = query.get('resourceVersion') ?? '';
  const watching = info.verb === 'watch';
  const path = 'resourceVersionMatch';
  const errors = [];
  if (watching && initial !== null) {
    if (match !== 'NotOlderThan') {
      errors.push(
        match
          ? field.notSupported(path, match, ['NotOlderThan'])
          : field.forbidden(path, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'),
      );
    }
  } else if (watching && match) {
    errors.push(field.forbidden(path, `${path} is forbidden for watch unless sendInitialEvents is provided`));
  } else if (!watching && initial !== null) {
    errors.push(field.forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  } else if (match) {
    if (!version) errors.push(field.forbidden(path, `${path} is forbidden unless resourceVersion is provided`));
    if (query.get('continue')) errors.push(field.forbidden(path, `${path} is forbidden when continue is provided`));
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      errors.push(field.notSupported(path, match, ['Exact', 'NotOlderThan', '']));
    }
    if (match === 'Exact' && version === '0') {
      errors.push(field.forbidden(path, `${path} "exact" is forbidden for resourceVersion "0"`));
    }
  }
  if (errors.length) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
}
