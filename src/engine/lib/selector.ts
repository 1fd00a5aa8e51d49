// A label selector as the query parameter of a list.
import type { LabelSelector } from '../../api/types.ts';

export function selectorText(selector: LabelSelector): string {
  const labels = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'In':
        return `${key} in (${values.join(',')})`;
      case 'NotIn':
        return `${key} notin (${values.join(',')})`;
      case 'Exists':
        return key;
      case 'DoesNotExist':
        return `!${key}`;
      default:
        throw new Error(`selector operator ${operator} is not one of In, NotIn, Exists, DoesNotExist`);
    }
  });
  return [...labels, ...expressions].join(',');
}
