// Creates a CA and a serving certificate for development (certs/README.md).
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createBundle, LIFETIMES } from '../src/tls/bundle.ts';

const DAYS = 30;
const names = (process.env['NAMES'] ?? '').split(/[\s,]+/).filter((name) => name !== '');
if (names.length === 0) names.push('localhost', '127.0.0.1', '::1');

const { ca, cert, key } = await createBundle(names, Date.now(), { ...LIFETIMES, caDays: DAYS, leafDays: DAYS });
for (const [file, text] of Object.entries({ 'ca.crt': ca, 'tls.crt': cert, 'tls.key': key })) {
  writeFileSync(path.join(import.meta.dirname, file), text, { mode: file.endsWith('.key') ? 0o600 : 0o644 });
}
process.stdout.write(
  `ca.crt, tls.crt and tls.key in ${import.meta.dirname}: for ${names.join(', ')}, valid for ${DAYS} days\n`,
);
