// The Services of the legs.
import assert from 'node:assert/strict';
import { HELD, TRAFFIC } from '../../../src/api/keys.ts';
import { SERVICES } from '../../../src/api/resources.ts';
import type { Service } from '../../../src/api/traffic.ts';
import type { PodTemplate } from '../../../src/api/types.ts';
import { deleteLeg, isLegOf, legOf, obstacleOf, selects, writeLeg } from '../../../src/engine/traffic/services.ts';
import { mergePatchOf, rollout, rows, template } from '../build.ts';
import { service } from './build.ts';

const HASH = { key: 'pod-template-hash', value: 'abc' };
const owner = rollout();
const leg = legOf(service(), 'canary', HASH, owner);

describe('the Service of a leg', () => {
  it("selects one version of the Pods of the user's Service, and belongs to the Rollout", () => {
    assert.deepEqual(leg, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'web-canary',
        namespace: 'default',
        labels: { [TRAFFIC]: 'web-rollout' },
        ownerReferences: [
          {
            apiVersion: 'rollouts.kruise.io/v1beta1',
            kind: 'Rollout',
            name: 'web-rollout',
            uid: 'uid-rollout',
            controller: true,
          },
        ],
      },
      spec: {
        type: 'ClusterIP',
        selector: { app: 'web', 'pod-template-hash': 'abc' },
        ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
      },
    });
    assert.equal(selects(leg, HASH), true);
    assert.equal(selects(leg, { ...HASH, value: 'other' }), false);
  });

  const specs: readonly (readonly [what: string, of: Partial<Service['spec']>, wanted: Partial<Service['spec']>])[] = [
    ["is headless where the user's is", { clusterIP: 'None' }, { clusterIP: 'None' }],
    [
      'has node ports of its own',
      { type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] },
      { type: 'NodePort', ports: [{ port: 80 }] },
    ],
    [
      'orders no second load balancer',
      { type: 'LoadBalancer', loadBalancerIP: '1.2.3.4', externalIPs: ['1.1.1.1'] },
      { type: 'ClusterIP' },
    ],
    [
      'keeps what is about sessions, families and endpoints',
      {
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 9 } },
        ipFamilies: ['IPv6'],
        trafficDistribution: 'PreferClose',
      },
      {
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 9 } },
        ipFamilies: ['IPv6'],
        trafficDistribution: 'PreferClose',
      },
    ],
  ];
  rows(specs, (of, wanted) => {
    const { spec } = legOf(service(of), 'stable', HASH, owner);
    assert.deepEqual({ ...spec, ...wanted }, spec);
    assert.deepEqual([spec['loadBalancerIP'], spec['externalIPs']], [undefined, undefined]);
  });

  it("has the annotations of the user's but those about that object only, and none of its labels", () => {
    const annotations = {
      'traefik.ingress.kubernetes.io/service.serversscheme': 'h2c',
      'service.kubernetes.io/topology-mode': 'Auto',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      'service.beta.kubernetes.io/aws-load-balancer-type': 'nlb',
      'external-dns.alpha.kubernetes.io/hostname': 'web',
      'argocd.argoproj.io/tracking-id': 'x',
      'prometheus.io/scrape': 'true',
      [HELD]: '{}',
    };
    const { metadata } = legOf(
      service({}, { annotations, labels: { 'app.kubernetes.io/instance': 'x' } }),
      'canary',
      HASH,
      owner,
    );
    assert.deepEqual(Object.keys(metadata.annotations ?? {}), [
      'traefik.ingress.kubernetes.io/service.serversscheme',
      'service.kubernetes.io/topology-mode',
    ]);
    assert.deepEqual(Object.keys(metadata.labels ?? {}), [TRAFFIC]);
  });
});

describe('writes of a leg', () => {
  const stored: Service = {
    ...leg,
    metadata: { ...leg.metadata, resourceVersion: '9' },
    spec: { ...leg.spec, clusterIP: '10.0.0.9', sessionAffinity: 'None' },
  };
  it('create it', () => {
    assert.deepEqual(writeLeg(undefined, leg), [{ kind: 'Create', why: 'service', resource: SERVICES, object: leg }]);
  });
  it('are none where it selects the version', () => assert.deepEqual(writeLeg(stored, leg), []));
  it("repoint it, without keys that the user's selector lost", () => {
    const old = {
      ...stored,
      spec: { ...stored.spec, selector: { app: 'web', tier: 'a', 'pod-template-hash': 'old' } },
    };
    assert.deepEqual(mergePatchOf(writeLeg(old, leg)), {
      metadata: { resourceVersion: '9' },
      spec: { selector: { app: 'web', tier: null, 'pod-template-hash': 'abc' } },
    });
  });
  it("follow the ports of the user's Service", () => {
    const old = { ...stored, spec: { ...stored.spec, ports: [{ port: 81, nodePort: 30_000 }] } };
    assert.deepEqual(mergePatchOf(writeLeg(old, leg)).spec, { ports: leg.spec.ports });
  });
  it('delete only what the Rollout controls', () => {
    assert.deepEqual(deleteLeg('web-canary', owner), {
      kind: 'Delete',
      why: 'service',
      resource: SERVICES,
      name: 'web-canary',
      owner,
    });
  });
});

describe('a Service cannot have legs', () => {
  const pinned = template('v1');
  type Row = readonly [
    what: string,
    of: Service,
    reason: string | undefined,
    labels?: PodTemplate,
    found?: readonly Service[],
  ];
  const table: readonly Row[] = [
    ['but this one can', service(), undefined],
    ['but one whose legs are ours can', service(), undefined, pinned, [leg, service({}, { name: 'unrelated' })]],
    ['where it has no Pods', service({ type: 'ExternalName' }), 'has type ExternalName, so it selects no Pods'],
    ['where it has no selector', service({ selector: {} }), 'has no selector, so it selects no Pods'],
    [
      'where it selects other Pods',
      service({ selector: { app: 'web', version: 'base' } }),
      'selects Pods with label "version=base", which the Pods of the workload do not have',
    ],
    [
      'where their names would be too long',
      service({}, { name: 'w'.repeat(57) }),
      `must have at most 56 characters, because Services ${'w'.repeat(57)}-canary and ${'w'.repeat(57)}-stable are created`,
    ],
    [
      'where a Service of the name exists, even with our label',
      service(),
      'needs the name web-stable for a Service of the release, and a Service of this name exists',
      pinned,
      [service({}, { name: 'web-stable', labels: { [TRAFFIC]: 'web-rollout' } })],
    ],
  ];
  rows(table, (of, reason, labels = pinned, found = []) =>
    assert.equal(obstacleOf(of, labels, owner, found)?.reason, reason),
  );

  it('and an owner without uid proves nothing', () => {
    const nobody = rollout({ metadata: { uid: '' } });
    assert.equal(isLegOf(legOf(service(), 'canary', HASH, nobody), nobody), false);
    assert.equal(isLegOf(leg, owner), true);
    const [ref] = leg.metadata.ownerReferences ?? [];
    assert.ok(ref);
    const owned = { ...leg, metadata: { ...leg.metadata, ownerReferences: [{ ...ref, controller: false }] } };
    assert.equal(isLegOf(owned, owner), false);
  });
});
