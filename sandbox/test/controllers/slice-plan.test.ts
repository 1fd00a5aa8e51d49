// Which EndpointSlices a Service needs, and which of the existing ones stay.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { planSlices } from '../../src/controllers/endpoints/slice-plan.ts';
import type { KubeObject } from '../../src/core/types.ts';

const service: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop', uid: 'u' },
  spec: { clusterIP: '10.0.0.9', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http', protocol: 'TCP' }] },
};

const podOf = (n: number, port = 8080): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `p${n}`, namespace: 'shop', uid: `p${n}` },
  spec: { nodeName: 'n0', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: port }] }] },
  status: { podIP: `10.1.${n >> 8}.${n & 255}`, conditions: [{ type: 'Ready', status: 'True' }] },
});

const zones = new Map([['n0', 'z']]);
let made = 0;

/** The slices after the plan. */
function apply(slices: readonly KubeObject[], pods: readonly KubeObject[]): KubeObject[] {
  const { create, update, remove } = planSlices(service, pods, slices, zones);
  const gone = new Set([...update, ...remove].map(({ metadata }) => metadata.name));
  return [
    ...slices.filter(({ metadata }) => !gone.has(metadata.name)),
    ...update,
    ...create.map((slice) => ({ ...slice, metadata: { ...slice.metadata, name: `web-${++made}` } })),
  ];
}

const countsOf = (slices: readonly KubeObject[]): number[] =>
  slices.map(({ endpoints }) => ((endpoints ?? []) as unknown[]).length).sort((a, b) => a - b);
const range = (count: number): KubeObject[] => Array.from({ length: count }, (_, i) => podOf(i));

describe('the EndpointSlices of a Service', () => {
  it('are one without ports if it has no Pods', () => {
    const [slice, ...others] = apply([], []);
    assert.deepEqual([slice?.endpoints, slice?.ports, others.length], [null, null, 0]);
    assert.deepEqual(apply([slice!], []), [slice]);
  });

  it('have at most 100 endpoints, and fill up before new ones are made', () => {
    let slices = apply([], range(250));
    assert.deepEqual(countsOf(slices), [50, 100, 100]);
    slices = apply(slices, range(280));
    assert.deepEqual(countsOf(slices), [80, 100, 100]);
    // 30 do not fit into the one with room for 20.
    slices = apply(slices, range(310));
    assert.deepEqual(countsOf(slices), [30, 80, 100, 100]);
  });

  it('keep their names when their ports change', () => {
    const before = apply([], range(2));
    const after = apply(before, [podOf(0, 9090), podOf(1, 9090)]);
    assert.deepEqual(
      after.map(({ metadata, ports }) => [metadata.name, (ports as { port: number }[])[0]!.port]),
      [[before[0]!.metadata.name, 9090]],
    );
  });

  it('have no Pods of nodes that do not exist, unless addresses that are not ready are asked for', () => {
    const lost = { ...podOf(1), spec: { ...podOf(1).spec, nodeName: 'gone' } };
    assert.deepEqual(countsOf(apply([], [podOf(0), lost])), [1]);
    const { create } = planSlices(
      { ...service, spec: { ...service.spec, publishNotReadyAddresses: true } },
      [lost],
      [],
      zones,
    );
    assert.deepEqual(countsOf(create), [1]);
  });

  it('are those of this Service only: slices of an earlier one with its name are deleted', () => {
    const [old] = apply([], range(1));
    const [owner] = old!.metadata.ownerReferences!;
    const foreign = { ...old!, metadata: { ...old!.metadata, ownerReferences: [{ ...owner!, uid: 'earlier' }] } };
    const { create, update, remove } = planSlices(service, range(1), [foreign], zones);
    assert.deepEqual([countsOf(create), update, remove], [[1], [], [foreign]]);
  });

  it('have each Pod once, with its port, after any history; and then nothing is left to do', () => {
    const pods = fc.uniqueArray(fc.tuple(fc.nat(400), fc.constantFrom(8080, 9090)), {
      maxLength: 300,
      selector: ([n]) => n,
    });
    fc.assert(
      fc.property(fc.array(pods, { minLength: 1, maxLength: 4 }), (history) => {
        let slices: KubeObject[] = [];
        for (const step of history) {
          slices = apply(
            slices,
            step.map(([n, port]) => podOf(n, port)),
          );
          const found = slices.flatMap(({ endpoints, ports }) =>
            ((endpoints ?? []) as { targetRef: { name: string } }[]).map(
              ({ targetRef }) => `${targetRef.name} ${(ports as { port: number }[])[0]!.port}`,
            ),
          );
          assert.deepEqual(found.sort(), step.map(([n, port]) => `p${n} ${port}`).sort());
          assert.ok(countsOf(slices).every((count) => count <= 100));
          const again = planSlices(
            service,
            step.map(([n, port]) => podOf(n, port)),
            slices,
            zones,
          );
          assert.deepEqual([again.create, again.update, again.remove], [[], [], []]);
        }
      }),
      { numRuns: 60 },
    );
  });
});
