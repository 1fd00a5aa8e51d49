// The certificate authority of the sandbox. It signs the server certificate and client certificates.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { webcrypto } from 'node:crypto';

export interface Pair {
  certificate: string;
  key: string;
}

export interface Authority {
  certificate: string;
  /** Certificate and key of the authority, to restore it later. */
  pair: Pair;
  /** A certificate for a server on loopback. */
  server(): Promise<Pair>;
  /** A client certificate: common name and organizations are the user name and groups. */
  client(commonName: string, organizations: string[]): Promise<Pair>;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const YEAR_MS = 365 * 24 * 3600 * 1000;
const HOUR_MS = 3600 * 1000;
const HOSTS = [
  { type: 'dns', value: 'localhost' },
  { type: 'ip', value: '127.0.0.1' },
  { type: 'ip', value: '::1' },
] as const;

x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

const NAME = 'CN=sandbox-ca';

async function createRoot(): Promise<Pair> {
  const keys = await newKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(),
    name: NAME,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: root.toString('pem'), key: await keyText(keys.privateKey) };
}

/** Creates an authority, or restores one from this pair. */
export async function createAuthority(pair?: Pair): Promise<Authority> {
  const own = pair ?? (await createRoot());
  const [der] = x509.PemConverter.decode(own.key);
  const signingKey = (await webcrypto.subtle.importKey('pkcs8', der!, ALGORITHM, false, ['sign'])) as SigningKey;
  const issue = async (
    subject: x509.JsonName,
    usage: x509.ExtendedKeyUsage,
    extensions: x509.Extension[],
  ): Promise<Pair> => {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      ...validity(),
      subject,
      issuer: NAME,
      publicKey: keys.publicKey,
      signingKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        ...extensions,
      ],
    });
    return { certificate: certificate.toString('pem'), key: await keyText(keys.privateKey) };
  };
  return {
    certificate: own.certificate,
    pair: own,
    server: () =>
      issue([{ CN: ['sandbox'] }], x509.ExtendedKeyUsage.serverAuth, [
        new x509.SubjectAlternativeNameExtension([...HOSTS]),
      ]),
    client: (commonName, organizations) =>
      issue(
        [...organizations.map((organization) => ({ O: [organization] })), { CN: [commonName] }],
        x509.ExtendedKeyUsage.clientAuth,
        [],
      ),
  };
}

const newKeys = (): Promise<CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as unknown as Promise<CryptoKeyPair>;

const keyText = async (key: SigningKey): Promise<string> =>
  x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key as webcrypto.CryptoKey), 'PRIVATE KEY');

type SigningKey = CryptoKeyPair['privateKey'];
type CryptoKeyPair = x509.X509CertificateCreateSelfSignedParams extends { keys: infer K } ? K : never;

const validity = (): { notBefore: Date; notAfter: Date; serialNumber: string } => ({
  notBefore: new Date(Date.now() - HOUR_MS),
  notAfter: new Date(Date.now() + YEAR_MS),
  serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(8)))
    .toString('hex')
    .replace(/^[89a-f]/, '1'),
});
