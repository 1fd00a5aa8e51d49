// Issues certificates: node:crypto generates keys, node-forge builds and signs certificates, and node:crypto verifies the result.
import { generateKeyPair, randomBytes, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';

/** PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Certificates are valid from an hour ago, because clocks differ. */
export const SKEW_MS = 3_600_000;
const DAY_MS = 86_400_000;
const KEY_BITS = 2048;

export async function issueCa(nowMs: number, days: number): Promise<KeyPair> {
  // Two CAs that are trusted at the same time need different names. Otherwise a verifier may try the wrong one.
  const name = `tranche-ca-${randomBytes(6).toString('hex')}`;
  return await issue({ name, nowMs, notAfterMs: nowMs + days * DAY_MS, extensions: caExtensions });
}

/** Issues a serving certificate for these DNS names and IP addresses. It never expires later than its CA. */
export async function issueLeaf(ca: KeyPair, names: readonly string[], nowMs: number, days: number): Promise<KeyPair> {
  const caEndMs = Date.parse(new X509Certificate(ca.cert).validTo);
  const notAfterMs = Math.min(nowMs + days * DAY_MS, caEndMs);
  const pair = await issue({ name: 'tranche-webhook', nowMs, notAfterMs, extensions: () => leafExtensions(names), ca });
  const leaf = new X509Certificate(pair.cert);
  const signer = new X509Certificate(ca.cert);
  if (!leaf.checkIssued(signer) || !leaf.verify(signer.publicKey))
    throw new Error('the key of the CA does not match its certificate');
  return pair;
}

interface Request {
  readonly name: string;
  readonly nowMs: number;
  readonly notAfterMs: number;
  readonly extensions: () => object[];
  /** The signing CA. Absent = self-signed. */
  readonly ca?: KeyPair;
}

async function issue({ name, nowMs, notAfterMs, extensions, ca }: Request): Promise<KeyPair> {
  // A program that gets its certificate from files never needs it.
  const { default: forge } = await import('node-forge');
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: KEY_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
  certificate.serialNumber = serialNumber();
  certificate.validity.notBefore = new Date(nowMs - SKEW_MS);
  certificate.validity.notAfter = new Date(notAfterMs);
  const subject = [{ name: 'commonName', value: name }];
  const signer = ca ? forge.pki.certificateFromPem(ca.cert) : certificate;
  certificate.setSubject(subject);
  certificate.setIssuer(ca ? signer.subject.attributes : subject);
  certificate.setExtensions([
    ...extensions(),
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: signer.generateSubjectKeyIdentifier().getBytes() },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(ca?.key ?? privateKey), forge.md.sha256.create());
  return { cert: forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n'), key: privateKey };
}

const caExtensions = (): object[] => [
  { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
  { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
];

const IP_NAME = 7;
const DNS_NAME = 2;

const leafExtensions = (names: readonly string[]): object[] => [
  { name: 'basicConstraints', cA: false, critical: true },
  { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
  { name: 'extKeyUsage', serverAuth: true },
  {
    name: 'subjectAltName',
    altNames: names.map((name) => (isIP(name) ? { type: IP_NAME, ip: name } : { type: DNS_NAME, value: name })),
  },
];

/** 16 random bytes: a positive number without a leading zero byte. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}
