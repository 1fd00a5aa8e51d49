// `make dist`: what a release offers is built, tried as a user tries it, and read by the rules of whoever reads it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startSandbox, type Sandbox } from '@tranche/sandbox';
import { parse, parseAllDocuments } from 'yaml';
import { bundlePlugin } from '../../tools/release/plugin.ts';
import { Client } from '../e2e/harness/client.ts';
import { run, start, temporaryFolder, type Result } from '../support/processes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('make dist', function () {
  this.timeout(180_000);
  let parent: string;
  let folder: string;
  const file = (name: string): string => path.join(folder, name);
  const read = (name: string): string => readFileSync(file(name), 'utf8');

  before('is run as for a release', async () => {
    parent = temporaryFolder('dist');
    folder = path.join(parent, 'release');
    const env = {
      ...process.env,
      OUT: folder,
      REPOSITORY: 'somebody/tranche',
      IMAGE: 'registry.example/tranche',
      DIGEST,
    };
    const { code, stderr } = await run(process.execPath, [path.join(root, 'tools/release/main.ts')], { env });
    assert.equal(code, 0, stderr);
  });

  after(() => rmSync(parent, { recursive: true, force: true }));

  it('lists each file with its checksum', () => {
    const sums = read('checksums.txt').trim().split('\n');
    assert.equal(sums.length, 8);
    for (const line of sums) {
      const [sum, name] = line.split('  ') as [string, string];
      assert.equal(
        createHash('sha256')
          .update(readFileSync(file(name)))
          .digest('hex'),
        sum,
        name,
      );
    }
  });

  describe('makes the plugin, one file for Node,', () => {
    let unpacked: string;
    const plugin = (...args: string[]): Promise<Result> =>
      run(process.execPath, [path.join(unpacked, 'kubectl-tranche'), ...args]);

    before('from the archive', async () => {
      unpacked = temporaryFolder('unpacked');
      const archive = file(`kubectl-tranche-v${version}.tar.gz`);
      const { code, stderr } = await run('tar', ['-xzf', archive, '-C', unpacked]);
      assert.equal(code, 0, stderr);
    });

    it('which knows its version and every command, without the folder of the project', async () => {
      assert.equal((await plugin('version')).stdout, `kubectl-tranche ${version}\n`);
      const source = await run(process.execPath, [path.join(root, 'src/plugin.ts'), '--help']);
      assert.equal((await plugin('--help')).stdout, source.stdout);
      const { code, stdout } = await plugin('lint', path.join(root, 'test/cli/files/mistakes.yaml'));
      assert.equal(code, 1);
      assert.match(stdout, /setps/);
    });

    it('which a shell finds by its name, and completes', async () => {
      const bin = temporaryFolder('bin');
      writeFileSync(path.join(bin, 'node'), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`, { mode: 0o755 });
      const env = { PATH: `${unpacked}:${bin}:/usr/bin:/bin` };
      assert.equal((await run('kubectl-tranche', ['version'], { env })).stdout, `kubectl-tranche ${version}\n`);
      assert.equal((await run('kubectl_complete-tranche', ['appr'], { env })).stdout, 'approve\n:4\n');
    });

    it('which has the page of the dashboard in it, with its library', async () => {
      const kubeconfig = path.join(temporaryFolder('dashboard'), 'kubeconfig');
      const cluster = { name: 'c', cluster: { server: 'https://127.0.0.1:9' } };
      const context = { name: 'c', context: { cluster: 'c', user: 'c' } };
      writeFileSync(
        kubeconfig,
        JSON.stringify({
          clusters: [cluster],
          contexts: [context],
          users: [{ name: 'c', user: {} }],
          'current-context': 'c',
        }),
      );
      const args = [path.join(unpacked, 'kubectl-tranche'), 'dashboard', '--no-open', '--kubeconfig', kubeconfig];
      const dashboard = await start('the dashboard', process.execPath, args, {
        ready: (text) => /http:\S+\n/.test(text),
      });
      try {
        const [address] = /http:\S+/.exec(dashboard.output())!;
        for (const [file, text] of [
          ['/', /<script type="module" src="\/main.js">/],
          ['/main.js', /from '\/lit\/lit-html.js'/],
          ['/lit/directives/repeat.js', /SPDX-License-Identifier: BSD-3-Clause/],
          ['/base.css', /button/],
        ] as const)
          assert.match(await (await fetch(new URL(file, address))).text(), text);
      } finally {
        await dashboard.stop();
      }
    });

    it('which carries the licences of the packages in it, and nothing for development', async () => {
      const { packages } = await bundlePlugin(root, version);
      const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
        packages: Record<string, { dev?: true; license?: string }>;
      };
      const texts = readFileSync(path.join(unpacked, 'THIRD-PARTY-LICENSES.txt'), 'utf8');
      assert.ok(packages.length > 20);
      for (const place of packages) {
        const { dev, license } = lock.packages[place]!;
        assert.notEqual(dev, true, place);
        const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
        assert.ok(
          texts.split('\n').some((line) => line.startsWith(`${name} `) && line.endsWith(` (${license})`)),
          name,
        );
      }
    });
  });

  it('makes a manifest for krew that keeps its rules and fits the archive', async () => {
    interface Platform {
      readonly uri: string;
      readonly sha256: string;
      readonly bin: string;
      readonly selector: { readonly matchExpressions: readonly { readonly key: string }[] };
    }
    const manifest = parse(read('tranche.yaml')) as {
      apiVersion: string;
      kind: string;
      metadata: { name: string };
      spec: { version: string; shortDescription: string; homepage: string; platforms: Platform[] };
    };
    assert.equal(manifest.apiVersion, 'krew.googlecontainertools.github.com/v1alpha2');
    assert.equal(manifest.kind, 'Plugin');
    // The file is named after the plugin, and the plugin after its program.
    assert.equal(manifest.metadata.name, 'tranche');
    const { spec } = manifest;
    assert.match(spec.version, /^v\d+\.\d+\.\d+(-[\w.]+)?$/);
    assert.match(spec.shortDescription, /^[^\r\n]{1,50}[^.\r\n]$/);
    assert.equal(spec.homepage, 'https://github.com/somebody/tranche');
    assert.ok(spec.platforms.length > 0);
    const archive = `kubectl-tranche-v${version}.tar.gz`;
    const { stdout: names } = await run('tar', ['-tzf', file(archive)]);
    for (const { uri, sha256, bin, selector } of spec.platforms) {
      assert.equal(uri, `https://github.com/somebody/tranche/releases/download/v${version}/${archive}`);
      assert.equal(
        sha256,
        createHash('sha256')
          .update(readFileSync(file(archive)))
          .digest('hex'),
      );
      assert.ok(names.split('\n').includes(bin));
      assert.ok(selector.matchExpressions.length > 0);
      for (const { key } of selector.matchExpressions) assert.ok(['os', 'arch'].includes(key));
    }
  });

  it('lists in both SBOMs what a production install has, and nothing else', () => {
    const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: true; devOptional?: true; optional?: true; version?: string }>;
    };
    const cyclone = JSON.parse(read('sbom.cdx.json')) as { bomFormat: string; components: { purl: string }[] };
    const spdx = JSON.parse(read('sbom.spdx.json')) as { spdxVersion: string; packages: { name: string }[] };
    assert.equal(cyclone.bomFormat, 'CycloneDX');
    assert.match(spdx.spdxVersion, /^SPDX-2/);
    const { dependencies, devDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
      devDependencies: Record<string, string>;
    };
    const inCyclone = cyclone.components.map(({ purl }) => decodeURIComponent(purl));
    const inSpdx = spdx.packages.map(({ name }) => name);
    for (const name of Object.keys(dependencies)) {
      const purl = `pkg:npm/${name}@${lock.packages[`node_modules/${name}`]!.version}`;
      assert.ok(inCyclone.includes(purl), purl);
      assert.ok(inSpdx.includes(name), name);
    }
    for (const name of Object.keys(devDependencies))
      if (lock.packages[`node_modules/${name}`]?.dev) assert.ok(!inSpdx.includes(name), name);
  });

  describe('makes manifests for kubectl', () => {
    let sandbox: Sandbox;
    let client: Client;

    before(async () => {
      sandbox = await startSandbox({ readyMs: 50 });
      const home = temporaryFolder('dist-cluster');
      client = new Client(path.join(home, 'kubeconfig'), home);
      writeFileSync(client.kubeconfig, sandbox.kubeconfig, { mode: 0o600 });
    });
    after(() => sandbox.close());

    const kinds = (name: string): string[] => parseAllDocuments(read(name)).map((one) => String(one.get('kind')));

    it('which name the image by its digest, have no hooks of helm, and keep the CRDs apart', () => {
      for (const name of ['install.yaml', 'install-hold.yaml']) {
        assert.doesNotMatch(read(name), /helm\.sh\/hook/);
        assert.match(read(name), new RegExp(`image: registry.example/tranche@${DIGEST}`));
        assert.equal(kinds(name)[0], 'Namespace');
        assert.ok(!kinds(name).includes('CustomResourceDefinition'));
        assert.ok(kinds(name).includes('ValidatingAdmissionPolicy'));
      }
      assert.ok(!kinds('install.yaml').includes('MutatingAdmissionPolicy'));
      assert.ok(kinds('install-hold.yaml').includes('MutatingAdmissionPolicy'));
      assert.deepEqual([...new Set(kinds('crds.yaml'))], ['CustomResourceDefinition']);
    });

    it('which an API server takes, and the Deployment becomes ready', async () => {
      for (const name of ['crds.yaml', 'install.yaml', 'install-hold.yaml']) {
        const { code, stderr } = await client.attempt('kubectl', ['apply', '--server-side', '-f', file(name)]);
        assert.equal(code, 0, stderr);
        assert.equal(stderr, '');
      }
      await client.kubectl([...['-n', 'tranche-system', 'rollout', 'status', 'deployment/tranche', '--timeout=30s']]);
      const { stdout } = await client.attempt('kubectl', ['get', 'mutatingadmissionpolicies', '-o', 'name']);
      assert.match(stdout, /tranche-hold/);
    });

    it('beside which the one file works on the cluster, and which kubectl removes without the Rollouts', async () => {
      const plugin = (...args: string[]): Promise<Result> =>
        run(process.execPath, [file('kubectl-tranche'), ...args], { env: client.environment(), timeoutSeconds: 60 });
      await client.kubectl(['delete', '--ignore-not-found', '-f', file('install-hold.yaml'), '--wait=false']);
      const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
      const rollout = {
        apiVersion: 'rollouts.kruise.io/v1beta1',
        kind: 'Rollout',
        metadata: { name: 'web', namespace: 'default' },
        spec: { workloadRef, strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '100%' }] } } },
      };
      await client.kubectl(['apply', '-f', '-'], { input: JSON.stringify(rollout) });
      const { code, stdout, stderr } = await plugin('list', '-A');
      assert.equal(code, 0, stderr);
      assert.match(stdout, /default +web/);
    });
  });
});
