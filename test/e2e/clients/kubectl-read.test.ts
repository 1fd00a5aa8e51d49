// kubectl's reading commands, the real program against the embedded cluster.
import assert from 'node:assert/strict';
import type { Deployment } from '../../../src/api/types.ts';
import { deploymentYaml, openWorkbench, type Workbench } from './support.ts';

describe('kubectl reads', function () {
  let bench: Workbench;

  before('with a Deployment web whose two Pods are Ready', async function () {
    bench = await openWorkbench(this, 'read');
    await bench.kubectl(['apply', '-f', '-'], { input: deploymentYaml() });
    await bench.kubectl(['wait', 'deployment/web', '--for=condition=Available', '--timeout=30s']);
    await bench.kubectl(['wait', 'deployment/web', '--for=jsonpath={.status.readyReplicas}=2', '--timeout=30s']);
  });

  describe('get', () => {
    it('prints the columns that people know', async () => {
      const [head, row] = (await bench.kubectl(['get', 'deployments'])).split('\n');
      assert.match(head!, /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE$/);
      assert.match(row!, /^web +2\/2 +2 +2 +\d+s$/);
    });

    it('prints more with -o wide', async () => {
      const [head, row] = (await bench.kubectl(['get', 'deployments', '-o', 'wide'])).split('\n');
      assert.match(head!, /AGE +CONTAINERS +IMAGES +SELECTOR$/);
      assert.match(row!, /main +nginx:1 +app=web$/);
      const pods = await bench.kubectl(['get', 'pods', '-o', 'wide']);
      assert.match(pods, /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES$/m);
      assert.match(pods, /^web-\w+-\w+ +1\/1 +Running +0 +\d+s +\d+\.\d+\.\d+\.\d+ +\S+ +<none> +<none>$/m);
    });

    it('prints YAML, JSON, names, JSON paths and columns of one’s own', async () => {
      assert.match(await bench.kubectl(['get', 'deployment', 'web', '-o', 'yaml']), /^kind: Deployment$/m);
      const { metadata } = JSON.parse(await bench.kubectl(['get', 'deployment', 'web', '-o', 'json'])) as Deployment;
      assert.equal(metadata.name, 'web');
      assert.equal(await bench.kubectl(['get', 'deployments', '-o', 'name']), 'deployment.apps/web\n');
      const path = 'jsonpath={.spec.template.spec.containers[*].image}';
      assert.equal(await bench.kubectl(['get', 'deployment/web', '-o', path]), 'nginx:1');
      const columns = 'custom-columns=WHO:.metadata.name,HOW MANY:.spec.replicas';
      assert.match(await bench.kubectl(['get', 'deployments', '-o', columns]), /^WHO +HOW MANY\nweb +2\n$/);
    });

    it('finds by label, by field, by short name, in all namespaces, and several kinds at once', async () => {
      assert.match(
        await bench.kubectl(['get', 'pods', '-l', 'app in (web, api)', '-o', 'name']),
        /^(pod\/web-\S+\n){2}$/,
      );
      const running = ['get', 'po', '--field-selector', 'status.phase=Running', '-o', 'name'];
      assert.match(await bench.kubectl(running), /^(pod\/web-\S+\n){2}$/);
      assert.match(
        await bench.kubectl(['get', 'deploy,rs', '-o', 'name']),
        /^deployment.apps\/web\nreplicaset.apps\/web-\S+\n$/,
      );
      assert.match(await bench.kubectl(['get', 'all']), /^deployment.apps\/web /m);
    });

    it('says so when there is nothing, and when the kind does not exist', async () => {
      assert.match(
        (await bench.attempt(['get', 'deployment', 'nobody'])).stderr,
        /deployments.apps "nobody" not found/,
      );
      assert.match((await bench.attempt(['get', 'cronjobz'])).stderr, /doesn't have a resource type "cronjobz"/);
      assert.match((await bench.attempt(['get', 'secrets', '-l', 'x=y'])).stderr, /No resources found in/);
    });

    it('watches: a change comes as a line', async () => {
      const stop = new AbortController();
      let seen = '';
      const watching = bench.attempt(['get', 'deployment', 'web', '-w', '-o', 'jsonpath={.spec.replicas} '], {
        signal: stop.signal,
        onOutput: (text) => {
          const first = seen === '';
          seen += text;
          // Scaled only once the watch has shown where it starts from.
          if (first) void bench.kubectl(['scale', 'deployment/web', '--replicas=3']);
          if (seen.includes('3')) stop.abort();
        },
      });
      await watching;
      assert.match(seen, /^2 (2 )*3/);
      await bench.kubectl(['scale', 'deployment/web', '--replicas=2']);
    });
  });

  describe('describe', () => {
    it('tells a Deployment’s story with its events', async () => {
      const text = await bench.kubectl(['describe', 'deployment', 'web']);
      assert.match(text, /^Replicas: +2 desired/m);
      assert.match(text, /^StrategyType: +RollingUpdate$/m);
      assert.match(text, /^NewReplicaSet: +web-\S+ \(\d+\/\d+ replicas created\)$/m);
      assert.match(text, /ScalingReplicaSet.*deployment-controller.*Scaled up replica set web-\S+ from 0 to 2/);
    });

    it('tells a Pod’s, a ReplicaSet’s, a Node’s and a Namespace’s', async () => {
      assert.match(await bench.kubectl(['describe', 'pods', '-l', 'app=web']), /^Controlled By: +ReplicaSet\/web-/m);
      assert.match(await bench.kubectl(['describe', 'replicasets']), /^Controlled By: +Deployment\/web$/m);
      assert.match(await bench.kubectl(['describe', 'nodes']), /^Allocatable:$/m);
      assert.match(await bench.kubectl(['describe', 'namespace', bench.namespace]), /^Status: +Active$/m);
    });
  });

  describe('wait', () => {
    it('waits for a condition, a JSON path and a deletion', async () => {
      assert.match(await bench.kubectl(['wait', 'pods', '-l', 'app=web', '--for=condition=Ready']), /condition met/);
      await bench.kubectl(['wait', 'deployment/web', '--for=jsonpath={.spec.replicas}=2']);
      await bench.kubectl(['create', 'configmap', 'leaving']);
      const waiting = bench.kubectl(['wait', 'configmap/leaving', '--for=delete', '--timeout=20s']);
      await bench.kubectl(['delete', 'configmap', 'leaving']);
      await waiting;
    });

    it('gives up in time', async () => {
      const { code, stderr } = await bench.attempt(['wait', 'deployment/web', '--for=condition=Never', '--timeout=1s']);
      assert.equal(code, 1);
      assert.match(stderr, /timed out waiting for the condition on deployments\/web/);
    });
  });

  describe('explain', () => {
    it('explains a field of a native kind', async () => {
      const text = await bench.kubectl(['explain', 'deployment.spec.minReadySeconds']);
      assert.match(text, /^FIELD: minReadySeconds <integer>$/m);
      assert.match(text, /Minimum number of seconds/);
    });

    it('explains a Rollout, all of it', async () => {
      assert.match(
        await bench.kubectl(['explain', 'rollout.spec.strategy.canary.steps']),
        /^FIELD: steps <\[\]Object>$/m,
      );
      const text = await bench.kubectl([
        'explain',
        'rollouts',
        '--recursive',
        '--api-version=rollouts.kruise.io/v1alpha1',
      ]);
      assert.match(text, /^ +objectRef\t<Object>/m);
    });
  });

  describe('diff', () => {
    it('shows what would change, and changes nothing', async () => {
      const { code, stdout } = await bench.attempt(['diff', '-f', '-'], {
        input: deploymentYaml({ image: 'nginx:9' }),
      });
      assert.equal(code, 1);
      assert.match(stdout, /^-\s+- image: nginx:1$/m);
      assert.match(stdout, /^\+\s+- image: nginx:9$/m);
      const same = await bench.attempt(['diff', '-f', '-'], { input: deploymentYaml() });
      assert.deepEqual([same.code, same.stdout], [0, '']);
    });

    it('does so server-side too', async () => {
      const input = deploymentYaml({ image: 'nginx:9' });
      const { code, stdout } = await bench.attempt(['diff', '--server-side', '--force-conflicts', '-f', '-'], {
        input,
      });
      assert.equal(code, 1);
      assert.match(stdout, /^\+\s+- image: nginx:9$/m);
    });
  });

  describe('auth', () => {
    it('says what one may do', async () => {
      assert.equal(await bench.kubectl(['auth', 'can-i', 'delete', 'deployments']), 'yes\n');
      const stranger = ['--as', 'stranger'];
      const { code, stdout } = await bench.attempt(['auth', 'can-i', 'delete', 'deployments', ...stranger]);
      assert.deepEqual([code, stdout], [1, 'no\n']);
      assert.match(
        await bench.kubectl(['auth', 'can-i', '--list']),
        /^Resources +Non-Resource URLs +Resource Names +Verbs$/m,
      );
      assert.match(await bench.kubectl(['auth', 'whoami']), /^Groups +\[.*system:masters/m);
    });

    it('keeps to it', async () => {
      const { code, stderr } = await bench.attempt(['get', 'pods', '--as', 'stranger']);
      assert.equal(code, 1);
      assert.match(
        stderr,
        new RegExp(
          `\\(Forbidden\\): pods is forbidden: User "stranger" cannot list resource "pods" in API group "" in the namespace "${bench.namespace}"`,
        ),
      );
    });

    it('grants by a RoleBinding', async () => {
      await bench.kubectl(['create', 'rolebinding', 'looks', '--clusterrole=view', '--user=guest']);
      assert.equal(await bench.kubectl(['auth', 'can-i', 'get', 'pods', '--as', 'guest']), 'yes\n');
      // The chart adds its own view rights to Kubernetes' view role.
      assert.equal(await bench.kubectl(['auth', 'can-i', 'get', 'rollouts', '--as', 'guest']), 'yes\n');
      assert.equal((await bench.attempt(['auth', 'can-i', 'create', 'rollouts', '--as', 'guest'])).stdout, 'no\n');
    });
  });

  describe('the rest', () => {
    it('lists what the server has', async () => {
      const resources = await bench.kubectl(['api-resources']);
      assert.match(resources, /^deployments +deploy +apps\/v1 +true +Deployment$/m);
      assert.match(resources, /^rollouts +rollouts.kruise.io\/v1beta1 +true +Rollout$/m);
      assert.match(await bench.kubectl(['api-versions']), /^apps\/v1$/m);
      assert.match(await bench.kubectl(['version']), /^Server Version: v1\.\d+\.\d+/m);
      assert.equal(await bench.kubectl(['get', '--raw', '/readyz']), 'ok');
    });

    it('lists events', async () => {
      const events = await bench.kubectl(['events', '--for', 'deployment/web']);
      assert.match(events, /Normal +ScalingReplicaSet +Deployment\/web +Scaled up replica set web-\S+ from 0 to 2/);
    });
  });
});
