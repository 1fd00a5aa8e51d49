// The chart, rendered by the real helm: what is in it, what is left out, what its values refuse, and how little it may do.
import assert from 'node:assert/strict';
import { AGGREGATE_TO_CONDITIONS, TOKEN_FOLDER } from '../../src/api/keys.ts';
import { chart, find, helm, named, render, rulesOf, type ClientConfig, type Manifest } from './render.ts';

const clientConfigs = (manifests: readonly Manifest[]): ClientConfig[] => [
  ...manifests.flatMap(({ webhooks }) => webhooks?.map(({ clientConfig }) => clientConfig) ?? []),
  ...manifests
    .filter(({ kind }) => kind === 'CustomResourceDefinition')
    .flatMap(({ spec }) => (spec?.conversion ? [spec.conversion.webhook.clientConfig as ClientConfig] : [])),
];

describe('The chart', () => {
  it('passes helm lint, strictly', async () => {
    const { code, stdout } = await helm('lint', '--strict', chart);
    assert.equal(code, 0, stdout);
  });

  it('runs two replicas that Pod Security "restricted" admits', async () => {
    const { spec } = find(await render(), 'Deployment');
    const pod = spec?.template.spec;
    assert.equal(spec?.replicas, 2);
    assert.equal(pod.securityContext.runAsNonRoot, true);
    assert.equal(pod.securityContext.seccompProfile.type, 'RuntimeDefault');
    for (const { securityContext } of pod.containers) {
      assert.deepEqual(securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });

  it('leaves the program out when it runs elsewhere, and keeps what it needs there', async () => {
    const inside = named(await render());
    const outside = named(await render('operator.enabled=false', 'webhook.url=https://127.0.0.1:9443'));
    assert.deepEqual(
      inside.filter((name) => !outside.includes(name) && !name.includes('certificates')),
      [
        'Deployment/tranche',
        'NetworkPolicy/tranche',
        'Pod/tranche-drain',
        'Pod/tranche-test',
        'PodDisruptionBudget/tranche',
        'Service/tranche-webhook',
      ],
    );
    for (const kept of ['ServiceAccount/tranche', 'ClusterRole/tranche', 'Role/tranche'])
      assert.ok(outside.includes(kept), kept);
  });

  it('has the API server call the Service, or the URL that was given', async () => {
    for (const { url, service } of clientConfigs(await render())) {
      assert.equal(url, undefined);
      assert.equal(service?.name, 'tranche-webhook');
      assert.equal(service.namespace, 'tranche-system');
    }
    const outside = clientConfigs(await render('operator.enabled=false', 'webhook.url=https://10.0.0.1:9443/'));
    assert.ok(outside.length >= 3);
    for (const { url, service } of outside) {
      assert.match(url!, /^https:\/\/10\.0\.0\.1:9443\/[a-z]/);
      assert.equal(service, undefined);
    }
  });

  it('leaves the CA to the program: an upgrade must not take it away', async () => {
    for (const config of clientConfigs(await render())) assert.ok(!('caBundle' in config));
  });

  it('cannot create or delete a workload, and nothing under a wildcard', async () => {
    // Copies of stable templates, which no controller acts on.
    const copies = JSON.stringify({
      apiGroups: ['apps'],
      resources: ['controllerrevisions'],
      verbs: ['get', 'list', 'watch', 'create', 'delete'],
    });
    const manifests = await render();
    const rules = ['ClusterRole', 'Role'].flatMap((kind) => find(manifests, kind).rules ?? []);
    for (const rule of rules) {
      const all = [...rule.apiGroups, ...rule.resources, ...rule.verbs];
      // The resources of these two APIs are names of metrics, and they have no values that change anything.
      const metrics = /^(custom|external)\.metrics\.k8s\.io$/.test(rule.apiGroups.join());
      if (metrics) assert.match(rule.verbs.join(), /^(get|list)$/);
      else assert.ok(!all.includes('*'), JSON.stringify(rule));
      if (JSON.stringify(rule) === copies) continue;
      assert.ok(!rule.verbs.some((verb) => verb.startsWith('delete')), JSON.stringify(rule));
      if (rule.verbs.includes('create'))
        assert.ok(
          rule.resources.every((resource) =>
            ['events', 'leases', 'secrets', 'subjectaccessreviews'].includes(resource),
          ),
          JSON.stringify(rule),
        );
    }
  });

  it('may evict Pods only where its values say so', async () => {
    const evicts = async (...set: string[]): Promise<boolean> =>
      JSON.stringify(await render(...set)).includes('pods/eviction');
    const found = [
      await evicts(),
      await evicts('statefulSets.evictStuckPods=true'),
      await evicts('daemonSets.evictPods=true'),
    ];
    assert.deepEqual(found, [false, true, true]);
  });

  it('labels the Pods of every release only where its values say so', async () => {
    const labels = async (...set: string[]): Promise<boolean> =>
      JSON.stringify(await render(...set)).includes('--label-pods=true');
    assert.deepEqual([await labels(), await labels('releases.labelPods=true')], [false, true]);
  });

  it('names the workloads of OpenKruise only where its values say so', async () => {
    const having = (manifests: readonly Manifest[], text: string): string[] =>
      named(
        // The description of a field of the CRD names them.
        manifests.filter(
          (manifest) => manifest.kind !== 'CustomResourceDefinition' && JSON.stringify(manifest).includes(text),
        ),
      );
    const guard = 'apiVersions={admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy}';
    const without = await render(guard);
    assert.deepEqual(having(without, 'apps.kruise.io'), []);
    assert.deepEqual(having(without, 'openkruise-workloads'), []);
    const enabled = await render(guard, 'openkruiseWorkloads.enabled=true');
    assert.deepEqual(having(enabled, '--openkruise-workloads=true'), ['Deployment/tranche', 'Pod/tranche-drain']);
    assert.deepEqual(having(enabled, 'apps.kruise.io'), [
      'ClusterRole/tranche',
      'ClusterRole/tranche-approver',
      'MutatingWebhookConfiguration/tranche',
      'ValidatingAdmissionPolicy/tranche-guard-openkruise',
      'ValidatingWebhookConfiguration/tranche',
    ]);
  });

  it('names the Gateway API, and lets the program write Services, only where its values say so', async () => {
    const guard = 'apiVersions={admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy}';
    const having = async (text: string, ...set: string[]): Promise<string[]> =>
      named((await render(guard, ...set)).filter((manifest) => JSON.stringify(manifest).includes(text)));
    const api = '"gateway.networking.k8s.io"';
    assert.deepEqual(await having(api), []);
    assert.deepEqual(await having('--gateway-api'), []);
    const on = 'traffic.gatewayAPI.enabled=true';
    assert.deepEqual(await having('--gateway-api=true', on), ['Deployment/tranche', 'Pod/tranche-drain']);
    assert.deepEqual(await having(api, on), [
      'ClusterRole/tranche',
      'MutatingWebhookConfiguration/tranche',
      'ValidatingAdmissionPolicy/tranche-own-routes',
      'ValidatingWebhookConfiguration/tranche',
    ]);
    assert.deepEqual(await having('"services"', on), [
      'ClusterRole/tranche',
      'ValidatingAdmissionPolicy/tranche-own-services',
    ]);
    const roles = (await render(on, 'watchNamespaces={shop}')).filter(({ kind }) => kind === 'ClusterRole');
    assert.doesNotMatch(JSON.stringify(roles), /httproutes|"services"/, 'with watchNamespaces, in Roles only');
  });

  it('lets the program read no Secret, and write no webhook configuration, wherever it works', async () => {
    for (const set of [[], ['watchNamespaces={a}'], ['certificates.certManager.enabled=true']]) {
      const manifests = await render(...set);
      const bound = manifests.filter(
        ({ kind, subjects }) => /RoleBinding$/.test(kind) && subjects?.some(({ name }) => name === 'tranche'),
      );
      const rules = bound.flatMap(({ roleRef }) => find(manifests, roleRef!.kind, roleRef!.name).rules ?? []);
      assert.ok(rules.length > 0);
      for (const { resources, verbs } of rules) {
        assert.ok(!resources.includes('secrets'));
        if (resources.some((resource) => /webhookconfigurations|customresourcedefinitions/.test(resource)))
          assert.deepEqual(verbs, ['list', 'watch']);
      }
    }
  });

  it('lets the program read the Secrets of MetricSources by name, and no other', async () => {
    const manifests = await render('analysis.secrets={mimir,tests}');
    const bound = find(manifests, 'RoleBinding', 'tranche-analysis');
    assert.deepEqual(
      bound.subjects?.map(({ name }) => name),
      ['tranche'],
    );
    assert.equal(bound.metadata.namespace, 'tranche-system');
    assert.deepEqual(find(manifests, 'Role', 'tranche-analysis').rules, [
      { apiGroups: [''], resources: ['secrets'], resourceNames: ['mimir', 'tests'], verbs: ['get'] },
    ]);
  });

  it('lets the program read no custom metrics if it is told so', async () => {
    const groups = async (...set: string[]) =>
      (find(await render(...set), 'ClusterRole').rules ?? []).flatMap(({ apiGroups }) => apiGroups).join();
    assert.match(await groups(), /custom\.metrics\.k8s\.io,external\.metrics\.k8s\.io/);
    assert.doesNotMatch(await groups('analysis.customMetrics=false'), /custom|external/);
  });

  it('lets the program read what other ClusterRoles add to it, only in its namespaces', async () => {
    const everywhere = await render();
    const role = find(everywhere, 'ClusterRole', 'tranche-conditions');
    assert.deepEqual(rulesOf(everywhere, role), [{ apiGroups: ['batch'], resources: ['jobs'], verbs: ['list'] }]);
    assert.ok(!('rules' in role), 'Kubernetes writes them');
    assert.equal(
      find(everywhere, 'ClusterRole', 'tranche-conditions-jobs').metadata.labels[AGGREGATE_TO_CONDITIONS],
      'true',
    );
    assert.ok(named(everywhere).includes('ClusterRoleBinding/tranche-conditions'));
    const some = (await render('watchNamespaces={shop,pay}')).filter(
      ({ kind, metadata }) => /Binding$/.test(kind) && metadata.name === 'tranche-conditions',
    );
    assert.deepEqual(
      some.map(({ kind, metadata }) => `${kind} ${metadata.namespace}`),
      ['RoleBinding shop', 'RoleBinding pay'],
    );
  });

  it('mounts tokens of the ServiceAccount for MetricSources, with the audience that is given', async () => {
    const token = ['analysis.tokens[0].name=mimir', 'analysis.tokens[0].audience=mimir'];
    const { volumes, containers } = find(await render(...token), 'Deployment').spec!['template'].spec;
    const mount = { name: 'analysis-tokens', mountPath: TOKEN_FOLDER.replace(/\/$/, ''), readOnly: true };
    assert.deepEqual(containers[0].volumeMounts.at(-1), mount);
    assert.deepEqual(volumes.at(-1), {
      name: 'analysis-tokens',
      projected: { sources: [{ serviceAccountToken: { path: 'mimir', audience: 'mimir' } }] },
    });
  });

  it('lets the Job of the certificates write the Secret and the configurations of our name, and nothing else', async () => {
    const manifests = await render();
    const role = find(manifests, 'Role', 'tranche-certificates').rules!;
    assert.deepEqual(
      role.map(({ resources, resourceNames }) => [resources, resourceNames]),
      [
        [['secrets'], undefined],
        [['secrets'], ['tranche-tls']],
      ],
    );
    for (const { resourceNames } of find(manifests, 'ClusterRole', 'tranche-certificates').rules!)
      assert.match(resourceNames!.join(), /^(tranche|rollouts\.rollouts\.kruise\.io)$/);
    const { volumes } = find(manifests, 'Deployment').spec!['template'].spec;
    const shown = volumes[0].secret.items.map(({ key }: { key: string }) => key);
    assert.deepEqual(shown, ['tls.crt', 'tls.key', 'ca.crt'], 'not the key of the CA');
    const job = manifests.find(({ kind }) => kind === 'Job')!;
    const cron = manifests.find(({ kind }) => kind === 'CronJob')!;
    assert.deepEqual(job.spec!['template'], cron.spec!['jobTemplate'].spec.template);
    assert.equal(job.spec!['template'].spec.serviceAccountName, 'tranche-certificates');
    const named_ = (set: string) => render(set).then((all) => all.find(({ kind }) => kind === 'Job')!.metadata.name);
    assert.notEqual(await named_('operator.image.tag=next'), job.metadata.name, 'a Job cannot be changed');
    assert.equal(await named_('webhook.port=9444'), job.metadata.name);
  });

  it('tells the program who signs the client certificates of API servers', async () => {
    const configMap = 'webhook.clientVerification.configMap=webhook-clients';
    const { spec } = find(await render(configMap, 'webhook.clientVerification.names={a,b}'), 'Deployment');
    const { args } = spec!['template'].spec.containers[0];
    assert.ok(args.includes('--webhook-client-ca=/client-ca/ca.crt') && args.includes('--webhook-client-names=a,b'));
    assert.ok(spec!['template'].spec.volumes.some(({ name }: { name: string }) => name === 'client-ca'));
    const plain = find(await render(), 'Deployment').spec!['template'].spec.containers[0].args as string[];
    assert.ok(!plain.some((arg) => arg.includes('client')));
  });

  it('lets the roles of Kubernetes see and edit Rollouts, but not approve', async () => {
    const manifests = await render();
    const labels = (name: string) =>
      Object.keys(find(manifests, 'ClusterRole', name).metadata.labels).filter((key) => key.includes('aggregate-to-'));
    assert.equal(labels('tranche-view').length, 3);
    assert.equal(labels('tranche-edit').length, 2);
    assert.equal(labels('tranche-approver').length, 0);
    assert.equal(labels('tranche-takeover').length, 0);
    const edit = find(manifests, 'ClusterRole', 'tranche-edit').rules?.flatMap(({ resources }) => resources);
    assert.deepEqual(edit, ['rollouts', 'trafficroutings']);
    const approver = find(manifests, 'ClusterRole', 'tranche-approver').rules ?? [];
    assert.deepEqual(approver.find(({ resources }) => resources.includes('trafficroutings'))?.verbs, ['get', 'list']);
  });

  it('keeps the CRD when it is uninstalled', async () => {
    const crd = find(await render(), 'CustomResourceDefinition', 'rollouts.rollouts.kruise.io');
    assert.equal(crd.metadata.annotations?.['helm.sh/resource-policy'], 'keep');
  });

  it('takes an image by digest', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const { spec } = find(
      await render(`operator.image.digest=${digest}`, 'operator.image.repository=r/t'),
      'Deployment',
    );
    assert.equal(spec?.template.spec.containers[0].image, `r/t@${digest}`);
  });

  it('gives a drain more time where helm is given more', async () => {
    const drain = find(
      await render('drain.timeoutSeconds=900', 'drain.helmTimeoutSeconds=930'),
      'Pod',
      'tranche-drain',
    );
    assert.ok(drain.spec!['containers'][0].args.includes('--timeout=900'));
  });

  it('says in a comment which admission policies were left out, until it is told what the cluster has', async () => {
    const guard = 'admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy';
    const hold = 'admissionregistration.k8s.io/v1/MutatingAdmissionPolicy';
    const text = async (...args: string[]): Promise<string> =>
      (await helm('template', 'tranche', chart, '--set', 'admissionPolicies.hold=auto', ...args)).stdout;
    const out = (rendered: string): string[] =>
      [...rendered.matchAll(/^# Left out: admissionPolicies\.(\w+)\..*--api-versions=(\S+),/gm)].map((m) =>
        m.slice(1).join(' '),
      );
    assert.deepEqual(out(await text()), [`guard ${guard}`, `hold ${hold}`]);
    for (const told of [
      ['--set', `apiVersions={${guard},${hold}}`],
      ['--api-versions', `${guard},${hold}`],
    ]) {
      const rendered = await text(...told);
      assert.deepEqual(out(rendered), []);
      for (const kind of ['ValidatingAdmissionPolicy', 'MutatingAdmissionPolicy'])
        assert.match(rendered, new RegExp(`^kind: ${kind}$`, 'm'));
    }
    assert.deepEqual(out(await text('--set', `apiVersions={${guard}}`)), [`hold ${hold}`]);
    assert.deepEqual(out(await text('--set', 'admissionPolicies.hold=false,admissionPolicies.guard=false')), []);
  });

  it('says after an install how to see that it is ready, and which image the nodes must be able to pull', async () => {
    const notes = async (...args: string[]): Promise<string> => {
      const all = ['install', 'tranche', chart, '-n', 'elsewhere', '--dry-run=client', ...args];
      const { code, stdout, stderr } = await helm(...all);
      assert.equal(code, 0, stderr);
      return stdout.slice(stdout.indexOf('\nNOTES:\n'));
    };
    const inside = await notes('--set', 'operator.image.repository=r.example/tranche');
    assert.match(inside, /kubectl -n elsewhere rollout status deployment\/tranche --timeout=2m/);
    assert.match(inside, /ErrImagePull or ImagePullBackOff, the nodes cannot pull r\.example\/tranche:\d/);
    assert.match(inside, /^Left out: admissionPolicies\.guard\. Helm did not find ValidatingAdmissionPolicy/m);
    const outside = await notes('--set', 'operator.enabled=false,webhook.url=https://10.0.0.1:9443');
    assert.match(outside, /make run KUBECONFIG=FILE WEBHOOK_URL=https:\/\/10\.0\.0\.1:9443$/m);
    assert.doesNotMatch(outside, /ErrImagePull/);
  });

  for (const [value, complaint] of [
    ['webhook.url=http://127.0.0.1:9443', /webhook\/url/],
    ['operator.replicas=0', /operator\/replicas/],
    ['watchNamespaces={Prod}', /watchNamespaces/],
    ['drain.held=delete', /drain\/held/],
    ['certificates.certManager.issuerRef.kind=Secret', /issuerRef\/kind/],
    ['operator.image.digest=latest', /operator\/image\/digest/],
    ['tracing.endpoint=otel:4318', /tracing\/endpoint/],
    ['tracing.samplingRatio=25', /tracing\/samplingRatio/],
    ['replicaCount=3', /replicaCount/],
    ['operator.extraArgs={--workers 8}', /operator\/extraArgs/],
    ['analysis.secrets={a/b}', /analysis\/secrets/],
    ['analysis.tokens[0].name=mimir', /audience/],
    ['analysis.tokens[0].name=..,analysis.tokens[0].audience=a', /analysis\/tokens/],
    ['apiVersions={apps/v1}', /apiVersions/],
    ['enabled=false', /enabled: Invalid value: false: .*only the condition of a parent chart does/],
    ['metrics.port=9443', /metrics.port: Invalid value: 9443: is also webhook.port; write two different ports/],
    ['operator.enabled=false', /webhook.url: Required value: .*write https:\/\/HOST:PORT/],
    ['webhook.url=https://10.0.0.1:9443', /webhook.url: Invalid value: .*set operator.enabled=false/],
    ['drain.timeoutSeconds=271', /drain.timeoutSeconds: Invalid value: 271: must be at most 270.*--timeout 301s/],
    ['operator.hostNetwork=true,metrics.port=80', /metrics.port: Invalid value: 80: .*write a higher port/],
    ['webhook.clientVerification.names={a}', /clientVerification.configMap: Required value/],
    ['certificates.certManager.issuerRef.name=ours', /set certificates.certManager.enabled=true, or remove issuerRef/],
    ['tracing.headersSecret.name=otel', /tracing.endpoint: Required value/],
    ['operator.extraArgs={--lease=a}', /operator.extraArgs: Invalid value: "--lease=a": the chart sets --lease itself/],
    ['operator.podLabels.app\\.kubernetes\\.io/name=a', /Invalid value: "app.kubernetes.io\/name": .*of your own/],
  ] as const) {
    it(`refuses ${value}`, async () => {
      const { code, stderr } = await helm('template', 'tranche', chart, '--set', value);
      assert.equal(code, 1);
      assert.match(stderr, complaint);
    });
  }
});
