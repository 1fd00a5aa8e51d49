// Node's sha256 for the engine, which is pure, and the digest of a Pod template by it.
import { hash } from 'node:crypto';
import { templateDigest, type DigestOf } from '../engine/lib/template.ts';

/** Lower-case hex. */
export const sha256 = (text: string): string => hash('sha256', text);

/** What the annotation and the status keep of a template: sha256 of its canonical JSON. */
export const digest: DigestOf = (template) => templateDigest(template, sha256);
