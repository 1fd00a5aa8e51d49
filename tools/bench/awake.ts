// Keeps the machine busy with processes of the lowest priority. An idle virtual machine gives its memory away, and charges the next process that runs for it.
import { spawn } from 'node:child_process';
import os from 'node:os';

const MEMORY = 64_000_000;
const LINE = 64;
const SCRIPT = `
  require('node:os').setPriority(${os.constants.priority.PRIORITY_LOW});
  const memory = new Uint8Array(${MEMORY});
  for (;;) for (let i = 0; i < memory.length; i += ${LINE}) memory[i]++;`;

/** One process for each core, until the returned function is called. */
export function keepAwake(): () => void {
  const children = os.cpus().map(() => spawn(process.execPath, ['-e', SCRIPT], { stdio: 'ignore' }));
  const end = (): void => children.forEach((child) => child.kill('SIGKILL'));
  process.once('exit', end);
  return () => {
    process.off('exit', end);
    end();
  };
}
