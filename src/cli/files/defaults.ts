// Compares a manifest with the object that the API server stores, which contains defaults.
import { isObject } from '../../api/json.ts';

/** Fields of a Pod template that the API server sets if the manifest does not. */
const DEFAULTED: ReadonlySet<string> = new Set([
  ...[
    'creationTimestamp',
    'restartPolicy',
    'terminationGracePeriodSeconds',
    'dnsPolicy',
    'securityContext',
    'schedulerName',
  ],
  ...[
    'serviceAccount',
    'resources',
    'terminationMessagePath',
    'terminationMessagePolicy',
    'imagePullPolicy',
    'protocol',
  ],
  ...['timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold', 'scheme', 'defaultMode', 'apiVersion'],
]);

/** Whether the API server stores `written` as `kept`. Fields that only `kept` has must be defaults. */
export function isWritten(written: unknown, kept: unknown): boolean {
  if (Array.isArray(written) && Array.isArray(kept))
    return written.length === kept.length && written.every((item, i) => isWritten(item, kept[i]));
  if (!isObject(written) || !isObject(kept)) return written === kept || (isEmpty(written) && isEmpty(kept));
  return [...new Set([...Object.keys(written), ...Object.keys(kept)])].every((key) =>
    written[key] === undefined || written[key] === null
      ? DEFAULTED.has(key) || isEmpty(kept[key])
      : isWritten(written[key], kept[key]),
  );
}
const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
