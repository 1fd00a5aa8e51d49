// What a program of ours says of its flags, for somebody who started it with make: the variable of make that sets each flag.

const VARIABLES: Readonly<Record<string, string>> = {
  kubeconfig: 'KUBECONFIG',
  'webhook-url': 'WEBHOOK_URL',
  namespace: 'RELEASE_NAMESPACE',
};

/** A message with the variables of `make run` in the place of the flags that it tells to write. */
export const inVariables = (message: string): string =>
  message
    .replace(/\bpass --webhook-port PORT\b/, 'pass WEBHOOK_URL with another port, to make install too')
    .replace(/\b(pass|write) --([a-z-]+) ([^\s,;:]*[^\s,;:.])/g, (_, verb: string, flag: string, value: string) =>
      VARIABLES[flag] ? `${verb} ${VARIABLES[flag]}=${value}` : `${verb} ARGS="--${flag} ${value}"`,
    )
    .replace(/\bsee --help\b/, 'see make run ARGS=--help');
