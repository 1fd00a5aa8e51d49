import assert from 'node:assert/strict';
import { Agent, request } from 'node:https';
import { createAdmissionServer } from '../../src/admission/index.ts';
import { createBundle, parseCertificates, applyStep } from '../../src/tls/bundle.ts';

const REVIEW = JSON.stringify({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'ConversionReview',
  request: { uid: 'u-1', desiredAPIVersion: 'rollouts.kruise.io/v1beta1', objects: [] },
});

/** One conversion review, as the API server sends it: over a kept connection, or over a new one. */
const ask = (port: number, ca: string, agent: Agent | undefined): Promise<number> =>
  new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path: '/convert', method: 'POST', ca, agent: agent ?? false } as const;
    const sent = request({ ...options, headers: { 'content-type': 'application/json' } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!));
    });
    sent.on('error', reject).end(REVIEW);
  });

describe('a rotation of the certificates under load', () => {
  it('fails no request, over new connections or kept ones', async () => {
    const names = ['127.0.0.1'];
    let served = await createBundle(names, Date.now());
    // The API server hears of a new CA before any certificate of it is shown: that is what the hour between the steps is for.
    let trusted = served.ca;
    const server = createAdmissionServer({
      tls: { key: served.key, cert: served.cert },
      operatorUser: 'tranche',
      warnings: true,
      notReady: () => undefined,
      rolloutFor: () => undefined,
      workloadFor: () => undefined,
    });
    const port = await server.listen(0, '127.0.0.1');
    const kept = new Agent({ keepAlive: true, maxSockets: 2 });
    const answers: number[] = [];
    const failures: unknown[] = [];
    let running = true;
    const client = async (agent?: Agent): Promise<void> => {
      while (running) {
        await ask(port, trusted, agent).then(
          (code) => answers.push(code),
          (error: unknown) => failures.push(error),
        );
      }
    };
    const clients = [client(), client(), client(kept)];
    /** Long enough for every client to have asked several times. */
    const goOn = async (): Promise<void> => {
      const enough = answers.length + 60;
      while (answers.length < enough && failures.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    try {
      await goOn();
      const first = parseCertificates(served.ca)[0]!.fingerprint256;
      for (const step of ['new CA', 'new certificate', 'drop the old CA'] as const) {
        served = await applyStep(step, served, names, Date.now());
        trusted = served.ca;
        server.reload({ key: served.key, cert: served.cert });
        await goOn();
      }
      assert.equal(
        parseCertificates(served.ca).some(({ fingerprint256 }) => fingerprint256 === first),
        false,
      );
    } finally {
      running = false;
      await Promise.all(clients);
      kept.destroy();
      await server.close();
    }
    assert.deepEqual(failures, []);
    assert.deepEqual([...new Set(answers)], [200]);
    assert.ok(answers.length >= 240);
  }).timeout(40_000);
});
