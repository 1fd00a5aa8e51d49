// The CA and the serving certificate of the webhook server: checks, and the steps of their rotation.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { issueCa, issueLeaf, SKEW_MS, type KeyPair } from './issue.ts';

/** All fields are PEM. The state of a rotation is in the certificates themselves. */
export interface Bundle {
  /** The trusted CAs, newest first. */
  readonly ca: string;
  /** Key of the newest CA. "" if another authority signs. */
  readonly caKey: string;
  /** The serving certificate, followed by intermediate certificates if there are any. */
  readonly cert: string;
  readonly key: string;
}

export interface Lifetimes {
  readonly caDays: number;
  readonly leafDays: number;
  /** A CA is replaced this long before it expires. A serving certificate is replaced a third of its lifetime before it expires. */
  readonly caRenewDays: number;
  /** Time between the steps of a rotation, in which clients and servers receive the new CA or certificate. */
  readonly spreadMs: number;
}

export const LIFETIMES: Lifetimes = { caDays: 730, leafDays: 90, caRenewDays: 180, spreadMs: 3_600_000 };

const DAY_MS = 86_400_000;

/** The certificates in a PEM text. Throws if there is none, or if one is invalid. */
export function parseCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error('the PEM text contains no certificate');
  return blocks.map((block) => new X509Certificate(block));
}

/** Checks the serving certificate for these names and for a client that trusts the CAs. Returns what is wrong, or undefined. */
export function flawOf(bundle: Bundle, names: readonly string[], nowMs: number): string | undefined {
  try {
    const [leaf, ...intermediates] = parseCertificates(bundle.cert);
    if (!leaf!.checkPrivateKey(createPrivateKey(bundle.key))) return 'the private key does not match the certificate';
    for (const name of names) {
      if (!(isIP(name) ? leaf!.checkIP(name) : leaf!.checkHost(name)))
        return `the certificate is not valid for ${name}`;
    }
    return flawOfChain(leaf!, intermediates, parseCertificates(bundle.ca), nowMs);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function flawOfChain(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  nowMs: number,
): string | undefined {
  let current = leaf;
  // Each iteration moves one certificate up the chain.
  for (let i = 0; i <= intermediates.length; i++) {
    if (!validAt(current, nowMs)) return `${current.subject} is valid from ${current.validFrom} to ${current.validTo}`;
    const signed = (by: X509Certificate): boolean => current.checkIssued(by) && current.verify(by.publicKey);
    if (roots.some((root) => validAt(root, nowMs) && signed(root))) return undefined;
    const above = intermediates.find(signed);
    if (!above) break;
    current = above;
  }
  return `${current.subject} is not signed by any of the trusted CAs`;
}

const validAt = (certificate: X509Certificate, nowMs: number): boolean =>
  startOf(certificate) <= nowMs && nowMs < endOf(certificate);

export interface Expiry {
  readonly caMs: number;
  readonly leafMs: number;
}

/** When the newest CA and the serving certificate expire, in milliseconds since the epoch. */
export function expiryOf(bundle: Bundle): Expiry {
  return {
    caMs: endOf(parseCertificates(bundle.ca)[0]!),
    leafMs: endOf(parseCertificates(bundle.cert)[0]!),
  };
}

/** Issues a new CA and a new serving certificate. */
export async function createBundle(names: readonly string[], nowMs: number, lives = LIFETIMES): Promise<Bundle> {
  const ca = await issueCa(nowMs, lives.caDays);
  const leaf = await issueLeaf(ca, names, nowMs, lives.leafDays);
  return { ca: ca.cert, caKey: ca.key, cert: leaf.cert, key: leaf.key };
}

export type Step = 'start over' | 'new CA' | 'new certificate' | 'drop the old CA' | 'nothing';

/**
 * The step that is due now. A CA is replaced in three steps, at least `spreadMs` apart, so that every client trusts the certificate of
 * every server at any time: first the new CA is added, then it signs a new certificate, then the old CA is removed.
 */
export function stepDue(bundle: Bundle, names: readonly string[], nowMs: number, lives = LIFETIMES): Step {
  let cas: X509Certificate[];
  try {
    cas = parseCertificates(bundle.ca);
    if (!cas[0]!.checkPrivateKey(createPrivateKey(bundle.caKey))) return 'start over';
  } catch {
    return 'start over';
  }
  const newest = cas[0]!;
  if (!validAt(newest, nowMs)) return 'start over';
  if (flawOf(bundle, names, nowMs) !== undefined) return 'new certificate';
  if (endOf(newest) - nowMs < lives.caRenewDays * DAY_MS) return 'new CA';
  const leaf = parseCertificates(bundle.cert)[0]!;
  const byNewest = leaf.checkIssued(newest);
  if (!byNewest) return issuedAt(newest) + lives.spreadMs <= nowMs ? 'new certificate' : 'nothing';
  const life = endOf(leaf) - startOf(leaf);
  if (endOf(leaf) - nowMs < life / 3) return 'new certificate';
  const others = cas.slice(1);
  if (others.some((ca) => !validAt(ca, nowMs))) return 'drop the old CA';
  if (others.length > 0 && issuedAt(leaf) + lives.spreadMs <= nowMs) return 'drop the old CA';
  return 'nothing';
}

/** Milliseconds since the epoch. `validFromDate` and `validToDate` need Node 22.10. */
const startOf = ({ validFrom }: X509Certificate): number => Date.parse(validFrom);
const endOf = ({ validTo }: X509Certificate): number => Date.parse(validTo);
const issuedAt = (certificate: X509Certificate): number => startOf(certificate) + SKEW_MS;

/** Returns the bundle after the step. */
export async function applyStep(
  step: Exclude<Step, 'nothing'>,
  bundle: Bundle,
  names: readonly string[],
  nowMs: number,
  lives = LIFETIMES,
): Promise<Bundle> {
  switch (step) {
    case 'start over':
      return createBundle(names, nowMs, lives);
    case 'new CA': {
      const ca = await issueCa(nowMs, lives.caDays);
      // Keeps two CAs at most: a CA that has signed nothing is dropped.
      const signer = signerOf(bundle);
      return { ...bundle, ca: joinPem([ca.cert, signer]), caKey: ca.key };
    }
    case 'new certificate': {
      const newest: KeyPair = { cert: parseCertificates(bundle.ca)[0]!.toString(), key: bundle.caKey };
      return { ...bundle, ...(await issueLeaf(newest, names, nowMs, lives.leafDays)) };
    }
    case 'drop the old CA': {
      const [newest, ...others] = parseCertificates(bundle.ca);
      const leaf = parseCertificates(bundle.cert)[0]!;
      const kept = others.filter((ca) => validAt(ca, nowMs) && leaf.checkIssued(ca));
      return { ...bundle, ca: joinPem([newest!, ...kept].map(String)) };
    }
  }
}

/** The CA of the bundle that signed the serving certificate. */
function signerOf(bundle: Bundle): string {
  const leaf = parseCertificates(bundle.cert)[0]!;
  const cas = parseCertificates(bundle.ca);
  return (cas.find((ca) => leaf.checkIssued(ca)) ?? cas[0]!).toString();
}

const joinPem = (blocks: readonly string[]): string => blocks.map((block) => `${block.trim()}\n`).join('');
