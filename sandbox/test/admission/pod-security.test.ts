// Pod Security standards, with the error texts of the API server.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { resource } from '../../src/core/resources.ts';
import type { AdmissionRequest, KubeObject } from '../../src/core/types.ts';
import { aRequest, aWorld, refusal, type World } from './support.ts';

const pods = resource('', 'v1', 'Pod', 'pods');
const pod = (spec: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'shop' },
  spec,
});
const creating = (spec: object): AdmissionRequest => {
  const request = aRequest({ type: pods, object: pod(spec), oldObject: null, operation: 'CREATE' });
  request.attributes.name = 'p';
  return request;
};
const labelled = (labels: Record<string, string>): World => {
  const world = aWorld();
  const all = Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value]),
  );
  world.put('/namespaces', { metadata: { name: 'shop', labels: all } });
  return world;
};

const plain = { containers: [{ name: 'a' }, { name: 'b' }] };
const careful = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [{ name: 'a', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
  volumes: [{ name: 'v', emptyDir: {} }],
};

describe('Pod security', () => {
  it('refuses a Pod below the enforced standard', async () => {
    const { admission } = labelled({ enforce: 'restricted' });
    const { code, reason, message, details } = await refusal(admission.validate(creating(plain)));
    assert.deepEqual([code, reason, details], [403, 'Forbidden', { name: 'p', kind: 'pods' }]);
    assert.equal(
      message,
      'pods "p" is forbidden: violates PodSecurity "restricted:latest": ' +
        'allowPrivilegeEscalation != false (containers "a", "b" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (containers "a", "b" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or containers "a", "b" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or containers "a", "b" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
    await admission.validate(creating(careful));
  });

  it('knows each rule', async () => {
    const { admission } = labelled({ enforce: 'restricted' });
    const [container] = careful.containers;
    const said = async (change: object): Promise<string> =>
      (await refusal(admission.validate(creating({ ...careful, ...change })))).message!.replace(/^.*latest": /, '');
    const context = (more: object): object => ({
      containers: [{ name: 'a', securityContext: { ...container!.securityContext, ...more } }],
    });
    assert.equal(await said({ hostNetwork: true, hostPID: true }), 'host namespaces (hostNetwork=true, hostPID=true)');
    assert.equal(
      await said(context({ privileged: true })),
      'privileged (container "a" must not set securityContext.privileged=true)',
    );
    assert.equal(await said(context({ runAsUser: 0 })), 'runAsUser=0 (container "a" must not set runAsUser=0)');
    assert.equal(
      await said(context({ runAsNonRoot: false })),
      'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
    );
    assert.equal(
      await said(context({ capabilities: { drop: ['ALL'], add: ['SYS_TIME', 'NET_BIND_SERVICE'] } })),
      'unrestricted capabilities (container "a" must not include "SYS_TIME" in securityContext.capabilities.add)',
    );
    assert.equal(
      await said({ volumes: [{ name: 'v', hostPath: { path: '/' } }] }),
      'restricted volume types (volume "v" uses restricted volume type "hostPath")',
    );
    assert.equal(
      await said({ containers: [{ ...container, ports: [{ hostPort: 80 }] }] }),
      'hostPort (container "a" uses hostPort 80)',
    );
  });

  it('has a weaker standard, and none by default', async () => {
    const { admission } = labelled({ enforce: 'baseline' });
    await admission.validate(creating(plain));
    const message = (await refusal(admission.validate(creating({ ...plain, hostIPC: true })))).message!;
    assert.match(message, /violates PodSecurity "baseline:latest": host namespaces \(hostIPC=true\)$/);
    await labelled({}).admission.validate(creating({ ...plain, hostIPC: true }));
  });

  it('warns about violations of another standard, also in templates', async () => {
    const { admission } = labelled({ enforce: 'baseline', warn: 'restricted', 'warn-version': 'v1.36' });
    const request = aRequest({ operation: 'CREATE', oldObject: null });
    assert.equal(admission.concerns(request.attributes), true);
    await admission.validate(request);
    assert.equal(request.warnings.length, 1);
    assert.match(
      request.warnings[0]!,
      /^would violate PodSecurity "restricted:v1\.36": allowPrivilegeEscalation != false \(container "main" /,
    );
  });

  it('checks an update only if the Pod spec changes', async () => {
    const { admission } = labelled({ enforce: 'restricted' });
    await admission.validate({ ...creating(plain), operation: 'UPDATE', oldObject: pod(plain) });
    const changed = { ...creating(plain), operation: 'UPDATE' as const, oldObject: pod(careful) };
    assert.equal((await refusal(admission.validate(changed))).code, 403);
  });
});
