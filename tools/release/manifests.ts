// The chart as plain manifests, for clusters without helm.
import path from 'node:path';
import { run } from '../../test/support/processes.ts';
import { findTool } from '../../test/support/tools.ts';

const NAMESPACE = 'tranche-system';
const APIS = {
  guard: 'admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy',
  hold: 'admissionregistration.k8s.io/v1/MutatingAdmissionPolicy',
};

export interface Image {
  readonly repository: string;
  /** Empty: the tag is the version of the chart. */
  readonly digest: string;
}

/** CRDs apart, so that `kubectl delete -f` of the others does not delete all Rollouts. */
export interface Manifests {
  readonly crds: string;
  /** For clusters with ValidatingAdmissionPolicy. */
  readonly install: string;
  /** For clusters with MutatingAdmissionPolicy, too. */
  readonly installHold: string;
}

export async function renderManifests(root: string, { repository, digest }: Image): Promise<Manifests> {
  const image = [`operator.image.repository=${repository}`, `operator.image.digest=${digest}`];
  const plain = await render(root, [APIS.guard], [...image, 'admissionPolicies.hold=false']);
  const holding = await render(root, [APIS.guard, APIS.hold], [...image, 'admissionPolicies.hold=true']);
  const isCrd = (document: string): boolean => /^kind: CustomResourceDefinition$/m.test(document);
  const others = (documents: readonly string[]): string =>
    join(
      [namespace, ...documents.filter((one) => !isCrd(one))],
      'To remove it: kubectl tranche drain, then kubectl delete --ignore-not-found -f.',
    );
  return {
    crds: join(plain.filter(isCrd), 'Deleting these deletes all Rollouts and ReleasePolicies.'),
    install: others(plain),
    installHold: others(holding),
  };
}

const namespace = `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${NAMESPACE}\n`;

const join = (documents: readonly string[], note: string): string =>
  `# Rendered from charts/tranche with the default values. ${note}\n${documents.map((one) => `---\n${one.trim()}\n`).join('')}`;

async function render(root: string, apis: readonly string[], values: readonly string[]): Promise<string[]> {
  const chart = path.join(root, 'charts/tranche');
  const set = values.flatMap((value) => ['--set', value]);
  // Hooks are for helm: the drain on uninstall, and helm test.
  const args = ['template', 'tranche', chart, '-n', NAMESPACE, '--no-hooks', '--api-versions', apis.join(','), ...set];
  const { code, stdout, stderr } = await run(await findTool('helm'), args);
  if (code !== 0) throw new Error(`helm template: ${stderr}`);
  return stdout.split(/^---$/m).filter((document) => document.trim() !== '');
}
