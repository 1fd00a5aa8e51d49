// What the pages show and the test does not run, each with the reason; and the values that stand for a page's placeholders.

interface Unrun {
  /** The page, where it is for one page alone. */
  readonly page?: string;
  readonly command: RegExp;
  readonly why: string;
}

/** Commands that are not run. One that fits no command of any page fails the test. */
export const UNRUN: readonly Unrun[] = [
  {
    command: /^make (test|demo|demo-analysis|demo-traffic|help|test-unit|test-e2e)\b/,
    why: 'is what runs these tests, or is tested by test/e2e',
  },
  {
    command: /^kubectl tranche dashboard/,
    why: 'ends with Ctrl-C; test/cli/dashboard and test/dashboard run it',
  },
  { command: /^make bench\b/, why: 'takes long, and a machine of its own; test/tools/bench has tests of its parts' },
  { command: /^make chaos\b/, why: 'takes long; make test plays its short form, test/chaos/chaos.test.ts' },
  { command: /^make (install|run|e2e) +KUBECONFIG=FILE/, why: 'the quickstart runs them, and test/e2e is the last' },
  { command: /^npm install && npm pack/, why: 'installs from the registry' },
  {
    command: /^(docker|podman|buildah|kind) /,
    page: 'docs/install.md',
    why: 'needs a builder of containers; .github/workflows/kind.yml builds the image, loads it and installs the chart',
  },
  {
    command: /^helm install .* --wait --timeout 5m$/,
    page: 'docs/install.md',
    why: 'waits for a Job, which the embedded cluster does not run; the page has the same without --wait, and kind.yml with it',
  },
  {
    command: /^kubectl patch deployment WEB -p .*controllerrevisions/,
    page: 'docs/emergencies.md',
    why: 'is for webhooks that do not answer; test/e2e/way-out.test.ts runs it, with every process of ours killed',
  },
  { command: /^gcloud /, page: 'docs/install.md', why: 'needs a cluster of Google' },
  {
    command: /^helm uninstall tranche -n tranche-system --no-hooks$/,
    page: 'docs/install.md',
    why: 'test/e2e/no-image.test.ts goes the whole path, with an image that cannot be pulled',
  },
  { command: /^kubectl krew install /, why: 'needs krew; test/tools/release.test.ts checks the manifest by its rules' },
  { command: /^kubectl exec /, why: 'the embedded cluster runs no containers' },
  { command: /^make build$/, why: 'takes long; the workflows build the image with it' },
  {
    command:
      /^kubectl (scale|wait|delete) .*kruise-rollout|^helm install .* --take-ownership|^kubectl tranche takeover -A|^kubectl delete crd batchreleases|^kubectl get clusterroles.*kruise-rollout/,
    page: 'docs/migrating-from-openkruise.md',
    why: 'test/e2e/takeover.test.ts goes the whole path, with a stand-in for OpenKruise',
  },
];

/** Kinds of other products: their manifests are read, and not sent to the server, which does not know them. */
export const FOREIGN_GROUPS: readonly RegExp[] = [
  /^argoproj\.io\//,
  /^flagger\.app\//,
  /^(kustomize|helm|source)\.toolkit\.fluxcd\.io\//,
  /^cert-manager\.io\//,
  /^monitoring\.coreos\.com\//,
  /^apiserver\.config\.k8s\.io\//,
];

/** Words in capitals in commands stand for something of the reader's. */
export const PLACEHOLDERS: Readonly<Record<string, string>> = {
  REGISTRY: 'registry.example',
  WEB: 'web',
};

/** Pages that begin with an empty cluster, because they install. The others share one on which the chart is. */
export const EMPTY_CLUSTER: readonly string[] = ['docs/install.md'];

/** Pages without anything to run, for contributors: their blocks are not for a shell. */
export const PAGES_BESIDE_DOCS: readonly string[] = ['README.md'];
