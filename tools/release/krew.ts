// The manifest with which krew installs the plugin.
import { stringify } from 'yaml';

export interface Released {
  readonly version: string;
  /** https://github.com/OWNER/NAME */
  readonly homepage: string;
  /** Of the archive. */
  readonly uri: string;
  readonly sha256: string;
}

export const krewManifest = ({ version, homepage, uri, sha256 }: Released): string =>
  stringify({
    apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
    kind: 'Plugin',
    metadata: { name: 'tranche' },
    spec: {
      version: `v${version}`,
      homepage,
      shortDescription: 'Control step-by-step releases of Deployments',
      description:
        'Shows releases of Deployments that Tranche or OpenKruise Rollouts define, and approves, pauses, aborts and checks them.\n' +
        'The plugin sends only requests that you could send yourself, with your own permissions.\n',
      caveats: 'The plugin requires Node.js 20 or newer on your PATH (https://nodejs.org).\n',
      platforms: [
        {
          selector: { matchExpressions: [{ key: 'os', operator: 'In', values: ['darwin', 'linux'] }] },
          uri,
          sha256,
          bin: 'kubectl-tranche',
        },
      ],
    },
  });
