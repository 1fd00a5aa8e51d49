// Finds the standard CRDs of the Gateway API for tests: fetched once as a Go module, checked against a pinned sum, kept in Go's cache.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { run } from './processes.ts';

/** Modules, and the sums of their files as in a go.sum. */
const API = {
  module: 'sigs.k8s.io/gateway-api@v1.6.3',
  sum: 'h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=',
};
const CONFORMANCE = {
  module: 'sigs.k8s.io/gateway-api/conformance@v1.6.3',
  sum: 'h1:UxhSb1GrDsyl+PdKe3g8a/BFWgP6hzy2PPFmZRgqeMQ=',
};

interface Missing {
  readonly missing: string;
}

export interface GatewayApi {
  /** YAML files with one CRD each. */
  readonly definitions: readonly string[];
  /** YAML files of the policies that guard an upgrade of the CRDs. */
  readonly policies: readonly string[];
  /** The folder of the module. */
  readonly folder: string;
}

/** The folder of a module, or why there is none on this machine. */
async function findModule({ module, sum }: typeof API): Promise<{ readonly folder: string } | Missing> {
  const asked = await run('go', ['mod', 'download', '-json', module], { timeoutSeconds: 120 }).catch(() => undefined);
  if (!asked) return { missing: `${module} comes as a Go module, and this machine has no Go` };
  const found = JSON.parse(asked.stdout || '{}') as Record<string, string | undefined>;
  const { Dir: folder, Sum: actual, Error: problem } = found;
  if (asked.code !== 0 || folder === undefined)
    return { missing: `go cannot fetch ${module}: ${problem ?? asked.stderr.trim()}` };
  if (actual !== sum) throw new Error(`${module} has the sum ${actual}, and must have ${sum}`);
  return { folder };
}

/** The folder of the manifests of the Gateway API's conformance tests. */
export const findConformance = (): Promise<{ readonly folder: string } | Missing> => findModule(CONFORMANCE);

/** The files, or why there are none on this machine. `channel`: the experimental CRDs have more fields. */
export async function findGatewayApi(channel: 'standard' | 'experimental' = 'standard'): Promise<GatewayApi | Missing> {
  const found = await findModule(API);
  if ('missing' in found) return found;
  const crds = path.join(found.folder, 'config', 'crd', channel);
  const files = (await readdir(crds))
    .filter((file) => file !== 'kustomization.yaml')
    .map((file) => path.join(crds, file));
  const arePolicies = (file: string): boolean => path.basename(file).includes('_vap_');
  return {
    folder: found.folder,
    definitions: files.filter((file) => !arePolicies(file)),
    policies: files.filter(arePolicies),
  };
}
