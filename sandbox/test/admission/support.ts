// Admission with a separate store, and webhooks on loopback with generated certificates.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import * as x509 from '@peculiar/x509';
import {
  createAdmission,
  type Admission,
  type AdmissionOptions,
  type ReviewRequest,
  type ReviewResponse,
} from '../../src/admission/index.ts';
import { VirtualClock } from '../../src/core/clock.ts';
import { Registry, resource } from '../../src/core/resources.ts';
import { Store } from '../../src/core/store.ts';
import type { AdmissionRequest, ApiError, KubeObject, ResourceType } from '../../src/core/types.ts';
import { definitions, readObject, schemaFor } from '../../src/schema/index.ts';

export const deployments: ResourceType = resource('apps', 'v1', 'Deployment', 'deployments', {
  schema: schemaFor('apps', 'v1', 'Deployment')!,
  definitions,
  status: true,
});

/** Two versions of one custom kind: `size` in v1 is `spec.size` in v2, which is stored. */
const widget = (version: string): ResourceType =>
  resource('acme.com', version, 'Widget', 'widgets', {
    storageVersion: 'v2',
    custom: true,
    convert: (objects, to) =>
      Promise.resolve(
        objects.map((object) => {
          const { size, spec, ...rest } = object;
          const value: unknown = size ?? spec?.size;
          const moved = { ...rest, apiVersion: `acme.com/${to}` };
          return { ...moved, ...(to === 'v2' ? { spec: { size: value } } : { size: value }) } as KubeObject;
        }),
      ),
  });
export const widgets = { v1: widget('v1'), v2: widget('v2') };

export interface World {
  admission: Admission;
  store: Store;
  put(collection: string, object: object): void;
  /** A mutating or validating configuration named after its first webhook, which it completes. */
  register(phase: 'mutating' | 'validating', ...webhooks: object[]): void;
}

export const aWorld = (options: Partial<AdmissionOptions> = {}): World => {
  const store = new Store();
  const registry = new Registry();
  registry.add(deployments, widgets.v1, widgets.v2, resource('', 'v1', 'ConfigMap', 'configmaps'));
  const put = (collection: string, object: object): void => {
    const { metadata } = object as KubeObject;
    const old = store.get(collection, metadata.namespace ?? '', metadata.name);
    store.commit(collection, old, object as KubeObject);
  };
  const register = (phase: string, ...webhooks: object[]): void => {
    const [first] = webhooks as { name: string }[];
    put(`admissionregistration.k8s.io/${phase}webhookconfigurations`, {
      metadata: { name: first!.name },
      webhooks: webhooks.map((webhook) => ({ ...DEFAULTS, ...webhook })),
    });
  };
  put('/namespaces', { metadata: { name: 'shop', labels: { env: 'production' } } });
  const admission = createAdmission({ store, registry, clock: new VirtualClock(1), ...options });
  return { admission, store, put, register };
};

const DEFAULTS = {
  rules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*'] }],
  failurePolicy: 'Fail',
  matchPolicy: 'Equivalent',
  sideEffects: 'None',
  timeoutSeconds: 5,
};

export const aDeployment = (change: (object: KubeObject) => void = () => {}): KubeObject => {
  const object: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'web:1' }] } },
    },
  };
  change(object);
  // As the pipeline hands it over: decoded.
  return { ...object, ...readObject(deployments, object) };
};

export const aRequest = (
  more: Partial<AdmissionRequest> & { subresource?: string; type?: ResourceType } = {},
): AdmissionRequest => {
  const { subresource = '', type = deployments, ...rest } = more;
  return {
    attributes: {
      user: { username: 'eve', groups: ['system:authenticated'] },
      verb: 'update',
      group: type.group,
      version: type.version,
      resource: type.plural,
      subresource,
      namespace: 'shop',
      name: 'web',
      path: '',
      resourceRequest: true,
    },
    type,
    kind: { group: type.group, version: type.version, kind: type.kind },
    operation: 'UPDATE',
    object: aDeployment(),
    oldObject: aDeployment(),
    options: { kind: 'UpdateOptions', apiVersion: 'meta.k8s.io/v1' },
    dryRun: false,
    warnings: [],
    ...rest,
  };
};

export const refusal = async (promise: Promise<unknown>): Promise<ApiError['status']> => {
  try {
    await promise;
  } catch (error) {
    if ((error as ApiError).status) return (error as ApiError).status;
    throw error;
  }
  throw new Error('it was not refused');
};

type Answer = (request: ReviewRequest) => Partial<ReviewResponse> | { code: number; body: string } | Promise<never>;

export interface Stub {
  clientConfig: { url: string; caBundle: string };
  port: number;
  seen: ReviewRequest[];
  /** What was sent besides the review. */
  headers: Record<string, unknown>[];
  connections(): number;
  close(): void;
}

/** Of its certificate; by default, now. */
export interface Validity {
  from?: Date;
  to?: Date;
}

/** A webhook on loopback. */
export const aWebhook = async (
  answer: Answer,
  hosts: string[] = ['127.0.0.1'],
  validity: Validity = {},
): Promise<Stub> => {
  const pair = await certificateFor(hosts, validity);
  const seen: ReviewRequest[] = [];
  const headers: Record<string, unknown>[] = [];
  let connections = 0;
  const server = https.createServer({ key: pair.key, cert: pair.certificate }, (req, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => {
      const review = JSON.parse(Buffer.concat(parts).toString()) as { request: ReviewRequest };
      seen.push(review.request);
      headers.push({ ...req.headers, path: req.url });
      void Promise.resolve(answer(review.request)).then((given) => {
        if ('code' in given) return res.writeHead(given.code).end(given.body);
        const response = { uid: review.request.uid, allowed: true, ...given };
        return res.end(JSON.stringify({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', response }));
      });
    });
  });
  server.on('secureConnection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    clientConfig: {
      url: `https://127.0.0.1:${port}/hook`,
      caBundle: Buffer.from(pair.certificate).toString('base64'),
    },
    port,
    seen,
    headers,
    connections: () => connections,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
};

export const patchOf = (...operations: object[]): Partial<ReviewResponse> => ({
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Self-signed, so that it is its own authority. */
const certificateFor = async (
  hosts: string[],
  { from, to }: Validity,
): Promise<{ certificate: string; key: string }> => {
  x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=webhook',
    keys: keys as never,
    signingAlgorithm: ALGORITHM,
    notBefore: from ?? new Date(Date.now() - 60_000),
    notAfter: to ?? new Date(Date.now() + 3600_000),
    extensions: [
      new x509.SubjectAlternativeNameExtension(
        hosts.map((value) => ({ type: /^[\d.]+$/.test(value) ? ('ip' as const) : ('dns' as const), value })),
      ),
    ],
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { certificate: certificate.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
};
