// `tranche certificates`: renews the certificates of the webhook server if needed, sets their CA in the webhook configurations, and exits.
// Only this command needs the right to write webhook configurations. The operator does not have it.
import { FIELD_MANAGER } from '../api/keys.ts';
import { createApi } from '../kube/client.ts';
import { realClock as clock, sleep } from '../kube/clock.ts';
import { connect } from '../kube/connection.ts';
import { DEFAULT_NAMESPACE } from './config.ts';
import type { Run } from './run.ts';
import { StartError, waitForApiServer } from './preflight.ts';
import { CaInjector } from '../tls/inject.ts';
import { createCertificates } from '../tls/source.ts';
import { namesOf, targetsOf } from './webhooks.ts';

const CHECK_EVERY_MS = 100;

/** Resolves when the Secret has a valid certificate and each configuration has the CA. Rejects if this takes longer than the timeout. */
export async function runCertificates({ config, version, logger, signal }: Run): Promise<void> {
  const connection = await connect(config.cluster);
  const namespace = config.namespace ?? connection.namespace ?? DEFAULT_NAMESPACE;
  const api = createApi({ connection, userAgent: `tranche/${version} certificates`, fieldManager: FIELD_MANAGER });
  const stops: (() => unknown)[] = [() => api.close()];
  const giveUp = AbortSignal.any([signal, AbortSignal.timeout(config.timeoutSeconds * 1000)]);
  try {
    await waitForApiServer({ config, logger, signal: giveUp }, api, connection.server);
    const injector = new CaInjector({ api, clock, logger, targets: targetsOf(config) });
    const certificates = createCertificates({ type: 'secret', namespace, name: config.tlsSecret }, api, {
      names: namesOf(config, namespace),
      clock,
      logger,
      onChange: ({ ca }) => injector.setCa(ca),
    });
    injector.start();
    stops.push(() => injector.stop());
    certificates.start();
    stops.push(() => certificates.stop());
    const missing = (): string | undefined =>
      certificates.current ? injector.problem : (certificates.problem ?? 'the certificate is not issued yet');
    while (missing() !== undefined) {
      if (!(await sleep(clock, CHECK_EVERY_MS, giveUp)))
        throw new StartError(`the certificates are not ready: ${missing() ?? 'stopped'}`);
    }
    logger.info('the certificate is valid and the API server has its CA');
  } finally {
    for (let stop = stops.pop(); stop; stop = stops.pop()) await stop();
  }
}
