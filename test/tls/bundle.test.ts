import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import {
  createBundle,
  expiryOf,
  flawOf,
  parseCertificates,
  stepDue,
  applyStep,
  type Bundle,
  type Lifetimes,
} from '../../src/tls/bundle.ts';
import { issueCa, issueLeaf } from '../../src/tls/issue.ts';

const NAMES = ['localhost', 'tranche-webhook.tranche-system.svc', '127.0.0.1', '::1'];
const START = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe('certificates', () => {
  let bundle: Bundle;
  before(async () => {
    bundle = await createBundle(NAMES, START);
  });

  it('are good for every name asked for and for no other', () => {
    assert.equal(flawOf(bundle, NAMES, START), undefined);
    assert.equal(
      flawOf(bundle, ['kubernetes.default.svc'], START),
      'the certificate is not valid for kubernetes.default.svc',
    );
    assert.equal(flawOf(bundle, ['127.0.0.2'], START), 'the certificate is not valid for 127.0.0.2');
  });

  it('are valid for a client whose clock is an hour behind, and not for ever', () => {
    assert.equal(flawOf(bundle, NAMES, START - HOUR), undefined);
    assert.match(flawOf(bundle, NAMES, START - HOUR - 1_000)!, /is valid from/);
    assert.match(flawOf(bundle, NAMES, START + 90 * DAY)!, /is valid from/);
    assert.deepEqual(expiryOf(bundle), { leafMs: START + 90 * DAY, caMs: START + 730 * DAY });
  });

  it('let the CA sign certificates only, and the certificate serve only', () => {
    const ca = new X509Certificate(bundle.ca);
    const leaf = new X509Certificate(bundle.cert);
    assert.equal(ca.ca, true);
    assert.equal(leaf.ca, false);
    assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    assert.equal(BigInt(`0x${leaf.serialNumber}`) > 2n ** 120n, true);
  });

  it('say what is wrong: another key, another CA, nonsense', async () => {
    const other = await createBundle(NAMES, START);
    assert.equal(flawOf({ ...bundle, key: other.key }, NAMES, START), 'the private key does not match the certificate');
    assert.equal(
      flawOf({ ...bundle, ca: other.ca }, NAMES, START),
      'CN=tranche-webhook is not signed by any of the trusted CAs',
    );
    assert.equal(flawOf({ ...bundle, cert: 'hello' }, NAMES, START), 'the PEM text contains no certificate');
    assert.equal(flawOf({ ...bundle, ca: other.ca + bundle.ca }, NAMES, START), undefined);
    await assert.rejects(
      issueLeaf({ cert: bundle.ca, key: other.caKey }, NAMES, START, 1),
      /the key of the CA does not match its certificate/,
    );
  });

  it('follow a chain through an intermediate, and trust nothing that is not signed', async () => {
    const root = await issueCa(START, 100);
    // A leaf of an unrelated CA does not become good because a trusted root is in the bundle.
    const stray = await issueCa(START, 100);
    const leaf = await issueLeaf(stray, NAMES, START, 10);
    const chained = { ca: root.cert, caKey: '', cert: leaf.cert + stray.cert, key: leaf.key };
    assert.match(flawOf(chained, NAMES, START)!, /is not signed by any of the trusted CAs/);
    assert.equal(flawOf({ ...chained, ca: stray.cert }, NAMES, START), undefined);
  });

  it('never outlive their CA', async () => {
    const ca = await issueCa(START, 5);
    const leaf = await issueLeaf(ca, NAMES, START, 90);
    assert.equal(new X509Certificate(leaf.cert).validToDate.getTime(), START + 5 * DAY);
  });

  it('are made anew from anything unusable, and the serving one when a name was added', () => {
    assert.equal(stepDue(bundle, NAMES, START), 'nothing');
    assert.equal(stepDue({ ...bundle, ca: '' }, NAMES, START), 'start over');
    assert.equal(stepDue({ ...bundle, caKey: bundle.key }, NAMES, START), 'start over');
    assert.equal(stepDue(bundle, NAMES, START + 731 * DAY), 'start over');
    assert.equal(stepDue(bundle, [...NAMES, 'new.example'], START), 'new certificate');
    assert.equal(stepDue(bundle, NAMES, START + 59 * DAY), 'nothing');
    assert.equal(stepDue(bundle, NAMES, START + 61 * DAY), 'new certificate');
    assert.equal(stepDue(bundle, NAMES, START + 551 * DAY), 'new certificate');
  });
});

describe('a rotation', () => {
  const lives: Lifetimes = { caDays: 40, leafDays: 12, caRenewDays: 10, spreadMs: HOUR };

  it('goes new CA, new certificate, old CA away, an hour apart, and never leaves anybody with what the other does not know', async () => {
    let bundle = await createBundle(NAMES, START, lives);
    const history: { at: number; bundle: Bundle }[] = [{ at: START, bundle }];
    const steps: string[] = [];
    for (let now = START; now < START + 36 * DAY; now += HOUR / 2) {
      for (
        let step = stepDue(bundle, NAMES, now, lives);
        step !== 'nothing';
        step = stepDue(bundle, NAMES, now, lives)
      ) {
        bundle = await applyStep(step, bundle, NAMES, now, lives);
        history.push({ at: now, bundle });
        steps.push(`${((now - START) / HOUR).toFixed(1)} ${step}`);
      }
      // A client may trust what was written up to 45 minutes ago, a server may show what was written up to 45 minutes ago.
      const recent = history.filter(
        ({ at }, i) => at >= now - 0.75 * HOUR || i === history.length - 1 || history[i + 1]!.at > now - 0.75 * HOUR,
      );
      for (const client of recent) {
        for (const server of recent) {
          const seen = { ...server.bundle, ca: client.bundle.ca };
          assert.equal(flawOf(seen, NAMES, now), undefined, `at hour ${(now - START) / HOUR}`);
        }
      }
    }
    assert.deepEqual(
      steps.filter((step) => !step.endsWith('new certificate')).map((step) => step.replace(/^\S+ /, '')),
      ['new CA', 'drop the old CA'],
    );
    const first = steps.findIndex((step) => step.endsWith('new CA'));
    assert.deepEqual(steps.slice(first, first + 3), ['720.5 new CA', '721.5 new certificate', '722.5 drop the old CA']);
    assert.equal(parseCertificates(bundle.ca).length, 1);
  }).timeout(30_000);

  it('is what a TLS server can take up between two connections', async () => {
    const old = await createBundle(['localhost'], Date.now());
    const joined = await applyStep('new CA', old, ['localhost'], Date.now());
    const renewed = await applyStep('new certificate', joined, ['localhost'], Date.now());
    const server = createServer({ key: old.key, cert: old.cert }, (socket) => socket.end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const issuer = (ca: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket: TLSSocket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca }, () =>
          resolve(String(socket.getPeerCertificate().issuer.CN)),
        );
        socket.on('error', reject).resume();
      });
    const nameOf = (pem: string): string => parseCertificates(pem)[0]!.subject.replace('CN=', '');
    try {
      assert.equal(await issuer(old.ca), nameOf(old.ca));
      assert.equal(await issuer(joined.ca), nameOf(old.ca));
      server.setSecureContext({ key: renewed.key, cert: renewed.cert });
      assert.equal(await issuer(joined.ca), nameOf(renewed.ca));
      await assert.rejects(issuer(old.ca));
    } finally {
      server.close();
    }
  });
});
