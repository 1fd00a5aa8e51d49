// Digests and ids of releases made up by tests.
import type { TemplateDigest } from '../../src/api/types.ts';

export const asDigest = (text: string): TemplateDigest => text as TemplateDigest;
