// A manifest as it was written, and the same object as an API server keeps it: with defaults.
import { isObject } from '../../api/json.ts';

/** What the API server writes into a Pod template where a manifest says nothing. */
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

/** Is `kept` what an API server makes of `written`? What only `kept` has must be a default. */
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
