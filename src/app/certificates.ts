// `tranche certificates`: takes the steps that are due for the certificates of the webhook server, tells the API server which CA to trust, and ends.
// It is what may write webhook configurations; the program that runs all the time may not.
import { FIELD_MANAGER } from '../api/keys.ts';
import { createApi } from '../kube/client.ts';
import { realClock as clock, sleep } from '../kube/clock.ts';
import { connect } from '../kube/connection.ts';
import { DEFAULT_NAMESPACE, namesOf, targetsOf, type Run } from './run.ts';
import { introduce, StartError } from './preflight.ts';
import { CaInjector } from '../tls/inject.ts';
import { createCertificates } from '../tls/source.ts';

const LOOK_EVERY_MS = 100;

/** Resolves when the Secret has a certificate that works, and every configuration has the CA; rejects when that did not come about in time. */
export async function runCertificates({ config, version, logger, signal }: Run): Promise<void> {
  const connection = await connect(config.cluster);
  const namespace = config.namespace ?? connection.namespace ?? DEFAULT_NAMESPACE;
  const api = createApi({ connection, userAgent: `tranche/${version} certificates`, fieldManager: FIELD_MANAGER });
  const stops: (() => unknown)[] = [() => api.close()];
  const giveUp = AbortSignal.any([signal, AbortSignal.timeout(config.timeoutSeconds * 1000)]);
  try {
    await introduce({ config, logger, signal: giveUp }, api, connection.server);
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
      if (!(await sleep(clock, LOOK_EVERY_MS, giveUp))) throw new StartError(`gave up: ${missing() ?? 'stopped'}`);
    }
    logger.info('the certificate is valid, and the API server has its CA');
  } finally {
    for (let stop = stops.pop(); stop; stop = stops.pop()) await stop();
  }
}
