// Runs credential plugins (client.authentication.k8s.io) like kubectl: a command prints a token or a client certificate.
import { spawn } from 'node:child_process';

/** `users[].user.exec` of a kubeconfig. A command with a slash is a path relative to the current directory. */
export interface ExecConfig {
  readonly apiVersion?: string;
  readonly command?: string;
  readonly args?: readonly string[] | null;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
  readonly installHint?: string;
  readonly provideClusterInfo?: boolean;
  readonly interactiveMode?: string;
}

/** `spec.cluster` of the plugin's input. */
export interface ClusterInfo {
  readonly server: string;
  readonly 'tls-server-name'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'certificate-authority-data'?: string;
  readonly 'proxy-url'?: string;
  readonly config?: unknown;
}

export interface ExecCredential {
  readonly token?: string;
  readonly cert?: string;
  readonly key?: string;
}

interface Answer {
  readonly kind?: unknown;
  readonly apiVersion?: unknown;
  readonly status?: {
    readonly token?: string;
    readonly clientCertificateData?: string;
    readonly clientKeyData?: string;
    readonly expirationTimestamp?: string;
  } | null;
}

const GROUP = 'client.authentication.k8s.io';
const VERSIONS = [`${GROUP}/v1`, `${GROUP}/v1beta1`];
const DOCS = 'https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins';

export class ExecPlugin {
  private readonly config: ExecConfig;
  private readonly cluster: () => Promise<ClusterInfo>;
  private known: { readonly credential: ExecCredential; readonly endsAt: number } | undefined;
  private running: Promise<ExecCredential> | undefined;

  constructor(config: ExecConfig, cluster: () => Promise<ClusterInfo>) {
    this.config = config;
    this.cluster = cluster;
  }

  /** Returns the last credential until it expires. Concurrent calls share one run of the plugin. */
  credential(): Promise<ExecCredential> {
    if (this.known && Date.now() < this.known.endsAt) return Promise.resolve(this.known.credential);
    this.running ??= this.run().finally(() => (this.running = undefined));
    return this.running;
  }

  private async run(): Promise<ExecCredential> {
    const {
      apiVersion = VERSIONS[1]!,
      command = '',
      interactiveMode = 'IfAvailable',
      provideClusterInfo,
    } = this.config;
    if (!VERSIONS.includes(apiVersion))
      throw new Error(`exec: apiVersion: Unsupported value: "${apiVersion}": write ${VERSIONS[0]}`);
    if (command === '') throw new Error('exec: command: Required value: write the name of the credential plugin');
    const isTerminal = process.stdin.isTTY;
    if (interactiveMode === 'Always' && !isTerminal)
      throw new Error(
        `exec: ${command} requires a terminal (interactiveMode: Always), but the standard input is not a terminal`,
      );
    const interactive = interactiveMode !== 'Never' && isTerminal;
    const spec = { interactive, ...(provideClusterInfo === true && { cluster: await this.cluster() }) };
    const info = JSON.stringify({ kind: 'ExecCredential', apiVersion, spec });
    const status = readAnswer(await this.output(info, interactive), apiVersion, command);
    const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = status;
    const credential = { ...(token && { token }), ...(cert && { cert }), ...(key && { key }) };
    const endsAt = expirationTimestamp === undefined ? Infinity : Date.parse(expirationTimestamp);
    this.known = { credential, endsAt: Number.isNaN(endsAt) ? 0 : endsAt };
    return credential;
  }

  /** The plugin inherits the standard error, because it may tell the user there how to log in. */
  private output(info: string, interactive: boolean): Promise<string> {
    const { command = '', args, env } = this.config;
    const own = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
    return new Promise((resolve, reject) => {
      const child = spawn(command, args ?? [], {
        env: { ...process.env, ...own, KUBERNETES_EXEC_INFO: info },
        stdio: [interactive ? 'inherit' : 'ignore', 'pipe', 'inherit'],
      });
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      child.on('error', (error: NodeJS.ErrnoException) => {
        const missing = error.code === 'ENOENT' || error.code === 'ENOTDIR';
        reject(missing ? notFound(command, this.config.installHint) : new Error(`exec: ${command}: ${error.message}`));
      });
      child.on('close', (code, signal) => {
        if (code === 0) resolve(text);
        else
          reject(new Error(`exec: executable ${command} failed with ${code === null ? signal : `exit code ${code}`}`));
      });
    });
  }
}

function readAnswer(text: string, apiVersion: string, command: string): NonNullable<Answer['status']> {
  const fail = (what: string): Error => new Error(`exec: executable ${command}: ${what}`);
  let answer: Answer | null;
  try {
    answer = JSON.parse(text) as Answer | null;
  } catch {
    throw fail('its output is not JSON');
  }
  const { kind, apiVersion: answered = apiVersion, status } = answer ?? {};
  if (kind !== 'ExecCredential') throw fail('its output is not an ExecCredential');
  if (answered !== apiVersion) throw fail(`its output has apiVersion ${String(answered)} instead of ${apiVersion}`);
  if (typeof status !== 'object' || status === null) throw fail('its output has no status');
  const { token, clientCertificateData: cert, clientKeyData: key } = status;
  if (!token && !cert && !key) throw fail('its output has neither a token nor a certificate with its key');
  if (!cert !== !key) throw fail('its output must have both a certificate and its key');
  return status;
}

/** kubectl's message. The hint comes from the kubeconfig and may have several lines. */
const notFound = (command: string, hint = ''): Error =>
  new Error(
    [
      `exec: executable ${command} not found`,
      'It looks like you are trying to use a client-go credential plugin that is not installed.',
      `To learn more about this feature, consult the documentation available at:\n      ${DOCS}`,
      ...(hint === '' ? [] : [withoutControls(hint)]),
    ].join('\n\n'),
  );

const withoutControls = (text: string): string =>
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (char) => (char === '\u001b' ? '^[' : ''));
