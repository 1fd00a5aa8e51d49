// `make dist`: builds what a release has besides the image and the chart, in dist/release.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { pack } from './archive.ts';
import { krewManifest } from './krew.ts';
import { renderManifests } from './manifests.ts';
import { bundlePlugin, licencesOf } from './plugin.ts';
import { makeSboms } from './sbom.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
const { REPOSITORY = '', IMAGE = '', DIGEST = '', OUT = '' } = process.env;
const folder = path.resolve(OUT || 'dist/release');
const homepage = `https://github.com/${REPOSITORY || 'OWNER/tranche'}`;

const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
const sums = new Map<string, string>();

function write(name: string, content: string | Buffer, mode = 0o644): void {
  writeFileSync(path.join(folder, name), content, { mode });
  sums.set(name, sha256(content));
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const plugin = await bundlePlugin(root, version);
const archive = await pack([
  { name: 'kubectl-tranche', content: plugin.text, executable: true },
  {
    name: 'kubectl_complete-tranche',
    content:
      '#!/bin/sh\n# kubectl runs this to complete `kubectl tranche`.\nkubectl-tranche __complete -- "$@" && echo :4\n',
    executable: true,
  },
  { name: 'LICENSE', content: readFileSync(path.join(root, 'LICENSE'), 'utf8') },
  { name: 'THIRD-PARTY-LICENSES.txt', content: licencesOf(root, plugin.packages) },
]);
const archiveName = `kubectl-tranche-v${version}.tar.gz`;
write('kubectl-tranche', plugin.text, 0o755);
write(archiveName, archive);
const uri = `${homepage}/releases/download/v${version}/${archiveName}`;
write('tranche.yaml', krewManifest({ version, homepage, uri, sha256: sha256(archive) }));

const manifests = await renderManifests(root, { repository: IMAGE || 'tranche', digest: DIGEST });
write('crds.yaml', manifests.crds);
write('install.yaml', manifests.install);
write('install-hold.yaml', manifests.installHold);

const sboms = await makeSboms(root);
write('sbom.cdx.json', sboms.cyclonedx);
write('sbom.spdx.json', sboms.spdx);

const list = [...sums].map(([name, sum]) => `${sum}  ${name}\n`).join('');
writeFileSync(path.join(folder, 'checksums.txt'), list);
process.stdout.write(`in ${path.relative(process.cwd(), folder)}:\n${list}`);
if (!REPOSITORY) process.stdout.write('tranche.yaml names OWNER/tranche: set REPOSITORY=OWNER/NAME for a release\n');
if (!IMAGE) process.stdout.write('install.yaml names the image tranche: set IMAGE=REGISTRY/tranche for a release\n');
