// Chooses the source of the certificate: files from another issuer, a Secret that the replicas share, or memory.
import type { KubeObject } from '../api/types.ts';
import type { Api } from '../kube/api.ts';
import { SECRETS } from '../api/resources.ts';
import { nameSelector, pathOf } from '../kube/path.ts';
import { Reflector } from '../kube/reflector.ts';
import { Certificates, type CertificateOptions, type CertificateSource } from './certificates.ts';
import { CertificateFiles } from './files.ts';
import { memoryStore, secretStore } from './store.ts';

export type Place =
  | { readonly type: 'files'; readonly folder: string }
  | { readonly type: 'secret'; readonly namespace: string; readonly name: string }
  | { readonly type: 'memory' };

export function createCertificates(
  place: Place,
  api: Api,
  options: Omit<CertificateOptions, 'store'>,
): CertificateSource {
  switch (place.type) {
    case 'files':
      return new CertificateFiles({ ...options, folder: place.folder });
    case 'memory':
      return new Certificates({ ...options, store: memoryStore() });
    case 'secret':
      return inSecret(place.namespace, place.name, api, options);
  }
}

/** Checks the certificates again when the Secret is changed or deleted. */
function inSecret(
  namespace: string,
  name: string,
  api: Api,
  options: Omit<CertificateOptions, 'store'>,
): CertificateSource {
  const certificates = new Certificates({ ...options, store: secretStore(api, namespace, name) });
  const secret = new Reflector<KubeObject>({
    api,
    clock: options.clock,
    path: pathOf(SECRETS, { namespace }),
    fieldSelector: nameSelector(name),
    // Keeps only the version, because the cache does not need the private keys.
    transform: ({ metadata: { uid, resourceVersion } }) => ({
      metadata: { name, namespace, ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) },
    }),
    ...(options.logger ? { logger: options.logger } : {}),
  });
  secret.on(() => certificates.check());
  return {
    get current() {
      return certificates.current;
    },
    get problem() {
      return certificates.problem;
    },
    start() {
      certificates.start();
      secret.start();
    },
    async stop() {
      await secret.stop();
      await certificates.stop();
    },
  };
}
