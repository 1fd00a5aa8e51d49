// Adapts the commands of findings to how the user runs the plugin: its name, and the flags that select the cluster.
import type { GlobalFlags } from '../flags.ts';
import { quote } from './finding.ts';

export interface Usage {
  /** `kubectl tranche`, or what the user runs instead. */
  readonly invocation: string;
  readonly flags: GlobalFlags;
}

/** The flags of kubectl and of the plugin, and of helm. Without --token, which is a secret. */
const FLAGS: readonly (readonly [name: keyof GlobalFlags, kubectl: string, helm?: string])[] = [
  ['kubeconfig', '--kubeconfig', '--kubeconfig'],
  ['context', '--context', '--kube-context'],
  ['cluster', '--cluster'],
  ['user', '--user'],
  ['server', '--server', '--kube-apiserver'],
  ['as', '--as', '--kube-as-user'],
  ['asGroup', '--as-group', '--kube-as-group'],
  ['asUid', '--as-uid'],
  ['certificateAuthority', '--certificate-authority', '--kube-ca-file'],
  ['clientCertificate', '--client-certificate'],
  ['clientKey', '--client-key'],
  ['insecureSkipTlsVerify', '--insecure-skip-tls-verify', '--kube-insecure-skip-tls-verify'],
  ['tlsServerName', '--tls-server-name', '--kube-tls-server-name'],
];

const PLUGIN = 'kubectl tranche ';

/** `command`: for the plugin installed in kubectl, and the current cluster. */
export function fitted(command: string, { invocation, flags }: Usage): string {
  // A program outside the cluster, which takes a kubeconfig only.
  if (command.startsWith('make '))
    return [command, ...valuesOf(flags.kubeconfig).map((file) => ` KUBECONFIG=${file.trim()}`)].join('');
  const column = command.startsWith('helm ') ? 2 : 1;
  const more = FLAGS.flatMap((row) => {
    const flag = row[column];
    return flag === undefined ? [] : valuesOf(flags[row[0]]).map((value) => ` ${flag}${value}`);
  }).join('');
  const own = command.startsWith(PLUGIN) ? `${invocation} ${command.slice(PLUGIN.length)}` : command;
  return own + more;
}

function valuesOf(value: GlobalFlags[keyof GlobalFlags]): string[] {
  if (value === undefined || value === false) return [];
  if (value === true) return [''];
  return [value].flat().map((text) => ` ${/^[\w./:@%+,=-]+$/.test(text) ? text : quote(text)}`);
}
