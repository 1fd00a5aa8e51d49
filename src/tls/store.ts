// Stores the certificates: in a Secret that all replicas share, or in memory for a process outside a cluster.
import type { KubeObject } from '../api/types.ts';
import type { Api } from '../kube/api.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import { findObject } from '../kube/get.ts';
import { SECRETS } from '../api/resources.ts';
import { pathOf } from '../kube/path.ts';
import type { Bundle } from './bundle.ts';

export interface StoredBundle {
  /** Undefined if the stored data are incomplete, e.g. an empty Secret. */
  readonly bundle: Bundle | undefined;
  readonly version: string;
}

export interface BundleStore {
  read(): Promise<StoredBundle | undefined>;
  /** Writes if the stored version is `version` (undefined = nothing is stored). Returns false if it is not: read again. */
  write(bundle: Bundle, version: string | undefined): Promise<boolean>;
}

/** For one process outside a cluster. A restart issues new certificates. */
export function memoryStore(): BundleStore {
  let kept: StoredBundle | undefined;
  let version = 0;
  return {
    read: () => Promise.resolve(kept),
    write(bundle, before) {
      if (before !== kept?.version) return Promise.resolve(false);
      version += 1;
      kept = { bundle, version: String(version) };
      return Promise.resolve(true);
    },
  };
}

/** Keys of a kubernetes.io/tls Secret, and those of the CA. */
const KEYS = { cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt', caKey: 'ca.key' } as const;

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export function secretStore(api: Api, namespace: string, name: string): BundleStore {
  const collection = pathOf(SECRETS, { namespace });
  const path = pathOf(SECRETS, { namespace, name });
  return {
    async read() {
      const secret = await findObject<Secret>(api, SECRETS, { namespace, name });
      const version = secret?.metadata.resourceVersion ?? '';
      return secret && { bundle: secret.data && fromData(secret.data), version };
    },
    async write(bundle, version) {
      try {
        if (version === undefined) {
          const metadata = { name, namespace, labels: { 'app.kubernetes.io/name': 'tranche' } };
          const body = { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, data: toData(bundle) };
          await api.request({ method: 'POST', path: collection, body });
        } else {
          const body = { metadata: { resourceVersion: version }, data: toData(bundle) };
          await api.request({ method: 'PATCH', path, contentType: 'application/merge-patch+json', body });
        }
        return true;
      } catch (error) {
        // Another replica has written first, or the Secret was deleted.
        if (isAlreadyExists(error) || isConflict(error) || isNotFound(error)) return false;
        throw error;
      }
    },
  };
}

const toData = (bundle: Bundle): Record<string, string> => ({
  [KEYS.cert]: Buffer.from(bundle.cert).toString('base64'),
  [KEYS.key]: Buffer.from(bundle.key).toString('base64'),
  [KEYS.ca]: Buffer.from(bundle.ca).toString('base64'),
  [KEYS.caKey]: Buffer.from(bundle.caKey).toString('base64'),
});

function fromData(data: Readonly<Record<string, string>>): Bundle | undefined {
  const read = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString('utf8');
  const bundle = { cert: read(KEYS.cert), key: read(KEYS.key), ca: read(KEYS.ca), caKey: read(KEYS.caKey) };
  return Object.values(bundle).some((value) => value === '') ? undefined : bundle;
}
