// kubectl's writing commands, the real program against the embedded cluster.
import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Deployment } from '../../../src/api/types.ts';
import { temporaryFolder } from '../../support/processes.ts';
import { containerOf, deploymentYaml, imageOf, openWorkbench, type Workbench } from './support.ts';

describe('kubectl writes', function () {
  let bench: Workbench;
  const web = (): Promise<Deployment> => bench.get('deployment/web');

  before(async function () {
    bench = await openWorkbench(this, 'write');
  });

  beforeEach('with a Deployment web of two Pods', async () => {
    await bench.kubectl(['apply', '-f', '-'], { input: deploymentYaml() });
  });

  afterEach(async () => {
    await bench.kubectl(['delete', 'deployments,configmaps,secrets,services,pods', '-l', '!keep', '--wait=true']);
  });

  describe('apply', () => {
    const apply = (input: string, ...args: string[]) => bench.attempt(['apply', '-f', '-', ...args], { input });

    it('creates, leaves alone what is the same, and configures what is not', async () => {
      const other = { name: 'other' };
      assert.match((await apply(deploymentYaml(other))).stdout, /^deployment.apps\/other created$/m);
      assert.match((await apply(deploymentYaml(other))).stdout, /^deployment.apps\/other unchanged$/m);
      assert.match((await apply(deploymentYaml({ ...other, replicas: 3 }))).stdout, /other configured$/m);
      assert.equal((await bench.get('deployment/other')).spec.replicas, 3);
    });

    it('takes away what the manifest no longer says', async () => {
      await apply(deploymentYaml({ env: 'blue' }));
      assert.deepEqual(containerOf(await web()).env, [{ name: 'COLOUR', value: 'blue' }]);
      await apply(deploymentYaml());
      assert.equal(containerOf(await web()).env, undefined);
    });

    it('takes over server-side what it applied client-side', async () => {
      const { stdout } = await apply(deploymentYaml({ image: 'nginx:2' }), '--server-side');
      assert.match(stdout, /web serverside-applied/);
      assert.equal(imageOf(await web()), 'nginx:2');
    });

    it('refuses server-side to take a field from another manager, and takes it when forced', async () => {
      await apply(deploymentYaml({ name: 'owned' }), '--server-side', '--field-manager=first');
      const changed = deploymentYaml({ name: 'owned', replicas: 5 });
      const refused = await apply(changed, '--server-side', '--field-manager=second');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /Apply failed with 1 conflict: conflict with "first": \.spec\.replicas/);
      const forced = await apply(changed, '--server-side', '--field-manager=second', '--force-conflicts');
      assert.equal(forced.code, 0, forced.stderr);
      assert.equal((await bench.get('deployment/owned')).spec.replicas, 5);
    });

    it('removes server-side a field that its manager stops applying', async () => {
      await apply(deploymentYaml({ name: 'fades', env: 'blue' }), '--server-side');
      await apply(deploymentYaml({ name: 'fades' }), '--server-side');
      assert.equal(containerOf(await bench.get('deployment/fades')).env, undefined);
    });

    it('stores nothing with --dry-run=server', async () => {
      const { stdout } = await apply(deploymentYaml({ name: 'phantom' }), '--dry-run=server');
      assert.match(stdout, /phantom created \(server dry run\)/);
      assert.match((await bench.attempt(['get', 'deployment', 'phantom'])).stderr, /\(NotFound\).*"phantom" not found/);
    });

    it('is told of a field that does not exist', async () => {
      const { code, stderr } = await apply(deploymentYaml().replace('replicas: 2', 'replicaz: 2'));
      assert.equal(code, 1);
      assert.match(stderr, /strict decoding error: unknown field "spec\.replicaz"/);
    });
  });

  describe('create', () => {
    it('creates from a file, and not twice', async () => {
      const input = deploymentYaml({ name: 'fresh' });
      assert.match(await bench.kubectl(['create', '-f', '-'], { input }), /deployment.apps\/fresh created/);
      const again = await bench.attempt(['create', '-f', '-'], { input });
      assert.match(again.stderr, /\(AlreadyExists\).*deployments.apps "fresh" already exists/);
    });

    it('creates Deployments, ConfigMaps, Secrets and Services from arguments', async () => {
      await bench.kubectl(['create', 'deployment', 'api', '--image=nginx:1', '--replicas=2', '--port=80']);
      await bench.kubectl(['create', 'configmap', 'settings', '--from-literal=colour=blue']);
      await bench.kubectl(['create', 'secret', 'generic', 'token', '--from-literal=value=s3cret']);
      await bench.kubectl(['expose', 'deployment', 'api', '--port=80']);
      await bench.kubectl(['run', 'once', '--image=nginx:1']);
      const colour = await bench.kubectl(['get', 'configmap', 'settings', '-o', 'jsonpath={.data.colour}']);
      assert.equal(colour, 'blue');
      const value = await bench.kubectl(['get', 'secret', 'token', '-o', 'jsonpath={.data.value}']);
      assert.equal(Buffer.from(value, 'base64').toString(), 's3cret');
      assert.match(
        await bench.kubectl(['get', 'service', 'api']),
        /api +ClusterIP +\d+\.\d+\.\d+\.\d+ +<none> +80\/TCP/,
      );
    });

    it('is refused in words when the object is not valid', async () => {
      const input = deploymentYaml({ name: 'bad', replicas: -1 });
      const { code, stderr } = await bench.attempt(['create', '-f', '-'], { input });
      assert.equal(code, 1);
      assert.match(
        stderr,
        /The Deployment "bad" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0/,
      );
    });
  });

  describe('replace', () => {
    it('puts another object in the place of the old one', async () => {
      await bench.kubectl(['replace', '-f', '-'], { input: deploymentYaml({ image: 'nginx:3' }) });
      assert.equal(imageOf(await web()), 'nginx:3');
    });

    it('meets a conflict when the object has changed since it was read', async () => {
      const stale = await bench.kubectl(['get', 'deployment/web', '-o', 'json']);
      await bench.kubectl(['annotate', 'deployment/web', 'changed=meanwhile']);
      const { stderr } = await bench.attempt(['replace', '-f', '-'], { input: stale });
      assert.match(
        stderr,
        /\(Conflict\).*the object has been modified; please apply your changes to the latest version/,
      );
    });

    it('deletes and creates with --force', async () => {
      const { uid } = (await web()).metadata;
      await bench.kubectl(['replace', '--force', '-f', '-'], { input: deploymentYaml() });
      assert.notEqual((await web()).metadata.uid, uid);
    });
  });

  describe('patch', () => {
    const patch = (type: string, body: unknown) =>
      bench.kubectl(['patch', 'deployment', 'web', `--type=${type}`, '-p', JSON.stringify(body)]);

    it('merges strategically: a container is found by its name', async () => {
      await patch('strategic', { spec: { template: { spec: { containers: [{ name: 'main', image: 'nginx:4' }] } } } });
      const container = containerOf(await web());
      assert.deepEqual([container.image, container.ports], ['nginx:4', [{ containerPort: 80, protocol: 'TCP' }]]);
    });

    it('merges as JSON: a list is replaced', async () => {
      await patch('merge', { spec: { template: { spec: { containers: [{ name: 'main', image: 'nginx:5' }] } } } });
      const container = containerOf(await web());
      assert.deepEqual([container.image, container.ports], ['nginx:5', undefined]);
    });

    it('applies JSON patch operations in order', async () => {
      await patch('json', [
        { op: 'test', path: '/spec/replicas', value: 2 },
        { op: 'replace', path: '/spec/replicas', value: 1 },
      ]);
      assert.equal((await web()).spec.replicas, 1);
    });

    it('patches the scale and the status subresource', async () => {
      await bench.kubectl([
        'patch',
        'deployment',
        'web',
        '--subresource=scale',
        '--type=merge',
        '-p',
        '{"spec":{"replicas":1}}',
      ]);
      assert.equal((await web()).spec.replicas, 1);
    });

    it('says "no change" when there is none', async () => {
      assert.match(await patch('merge', { spec: { replicas: 2 } }), /web patched \(no change\)/);
    });
  });

  describe('edit', () => {
    it('stores what the editor leaves behind', async () => {
      const editor = path.join(temporaryFolder('editor'), 'editor.sh');
      await writeFile(editor, '#!/bin/sh\nsed "s/nginx:1/nginx:6/" "$1" > "$1.new" && mv "$1.new" "$1"\n');
      await chmod(editor, 0o755);
      const out = await bench.kubectl(['edit', 'deployment/web'], { env: { KUBE_EDITOR: editor } });
      assert.match(out, /web edited/);
      assert.equal(imageOf(await web()), 'nginx:6');
    });
  });

  describe('set', () => {
    it('sets an image', async () => {
      await bench.kubectl(['set', 'image', 'deployment/web', 'main=nginx:7']);
      assert.equal(imageOf(await web()), 'nginx:7');
    });

    it('sets an environment variable and takes it away', async () => {
      await bench.kubectl(['set', 'env', 'deployment/web', 'COLOUR=green']);
      assert.deepEqual(containerOf(await web()).env, [{ name: 'COLOUR', value: 'green' }]);
      await bench.kubectl(['set', 'env', 'deployment/web', 'COLOUR-']);
      assert.equal(containerOf(await web()).env, undefined);
    });

    it('sets resources', async () => {
      await bench.kubectl([
        'set',
        'resources',
        'deployment/web',
        '--limits=cpu=200m,memory=512Mi',
        '--requests=cpu=100m',
      ]);
      assert.deepEqual(containerOf(await web()).resources, {
        limits: { cpu: '200m', memory: '512Mi' },
        requests: { cpu: '100m' },
      });
    });
  });

  describe('scale', () => {
    it('scales', async () => {
      assert.match(await bench.kubectl(['scale', 'deployment/web', '--replicas=4']), /web scaled/);
      assert.equal((await web()).spec.replicas, 4);
    });

    it('scales only from the number that was expected', async () => {
      const { code, stderr } = await bench.attempt(['scale', 'deployment/web', '--current-replicas=7', '--replicas=4']);
      assert.equal(code, 1);
      assert.match(stderr, /Expected replicas to be 7, was 2/);
    });
  });

  describe('label and annotate', () => {
    it('adds, refuses to overwrite unasked, overwrites, and takes away', async () => {
      for (const verb of ['label', 'annotate']) {
        await bench.kubectl([verb, 'deployment/web', 'colour=blue']);
        const refused = await bench.attempt([verb, 'deployment/web', 'colour=red']);
        assert.match(refused.stderr, /already has a value \(blue\)/);
        await bench.kubectl([verb, 'deployment/web', 'colour=red', '--overwrite']);
        await bench.kubectl([verb, 'deployment/web', 'gone=1']);
        await bench.kubectl([verb, 'deployment/web', 'gone-']);
      }
      const { labels, annotations } = (await web()).metadata;
      assert.deepEqual(
        [labels?.colour, labels?.gone, annotations?.colour, annotations?.gone],
        ['red', undefined, 'red', undefined],
      );
    });
  });

  describe('delete', () => {
    it('takes ReplicaSets and Pods along', async () => {
      await bench.kubectl(['wait', 'deployment/web', '--for=condition=Available']);
      await bench.kubectl(['delete', 'deployment', 'web', '--cascade=foreground', '--wait=true']);
      assert.match(
        (await bench.attempt(['get', 'deployments,replicasets', '-l', 'app=web'])).stderr,
        /No resources found/,
      );
    });

    it('leaves the ReplicaSet behind with --cascade=orphan', async () => {
      await bench.kubectl(['wait', 'deployment/web', '--for=condition=Available']);
      await bench.kubectl(['delete', 'deployment', 'web', '--cascade=orphan']);
      const { items } = await bench.get<{ items: { metadata: { ownerReferences?: unknown } }[] }>('replicasets');
      const [orphan] = items;
      assert.ok(orphan);
      assert.equal(orphan.metadata.ownerReferences, undefined);
      await bench.kubectl(['delete', 'replicasets', '--all']);
    });

    it('says so when there is nothing to delete, unless that is fine', async () => {
      assert.match(
        (await bench.attempt(['delete', 'deployment', 'nothing'])).stderr,
        /\(NotFound\).*"nothing" not found/,
      );
      await bench.kubectl(['delete', 'deployment', 'nothing', '--ignore-not-found']);
    });

    it('deletes Pods by selector, and the ReplicaSet makes new ones', async () => {
      await bench.kubectl(['wait', 'deployment/web', '--for=condition=Available']);
      const before = await bench.kubectl(['get', 'pods', '-l', 'app=web', '-o', 'name']);
      await bench.kubectl(['delete', 'pods', '-l', 'app=web', '--wait=true']);
      await bench.kubectl(['wait', 'deployment/web', '--for=jsonpath={.status.availableReplicas}=2']);
      const after = await bench.kubectl(['get', 'pods', '-l', 'app=web', '-o', 'name']);
      assert.deepEqual(
        after.split('\n').filter((name) => name && before.includes(name)),
        [],
      );
    });
  });
});
