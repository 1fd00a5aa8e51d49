// CustomResourceDefinitions for the stand-ins, for tests only: the fields that Tranche and the stand-ins use, and whatever else is written.
const open = { 'x-kubernetes-preserve-unknown-fields': true } as const;

const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      ...open,
      properties: {
        replicas: { type: 'integer', format: 'int32' },
        minReadySeconds: { type: 'integer', format: 'int32' },
        selector: { type: 'object', ...open },
        template: { type: 'object', ...open },
        updateStrategy: { type: 'object', ...open },
      },
      required: ['selector', 'template'],
    },
    status: { type: 'object', ...open },
  },
} as const;

const definition = (kind: string, plural: string, versions: readonly string[], scaled: boolean): object => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.apps.kruise.io` },
  spec: {
    group: 'apps.kruise.io',
    scope: 'Namespaced',
    names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
    // The last version is the stored one.
    versions: versions.map((name, i) => ({
      name,
      served: true,
      storage: i === versions.length - 1,
      schema: { openAPIV3Schema: schema },
      subresources: {
        status: {},
        ...(scaled && { scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } }),
      },
    })),
  },
});

export const CLONE_SET_DEFINITION = definition('CloneSet', 'clonesets', ['v1alpha1'], true);
export const STATEFUL_SET_DEFINITION = definition('StatefulSet', 'statefulsets', ['v1alpha1', 'v1beta1'], true);
export const DAEMON_SET_DEFINITION = definition('DaemonSet', 'daemonsets', ['v1alpha1'], false);
