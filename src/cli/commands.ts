// Every command of the program, in the order of its help: one file and one line each.
import type { AnyCommand } from './command.ts';
import { abort } from './commands/abort.ts';
import { approve } from './commands/approve.ts';
import { complete } from './commands/complete.ts';
import { completion } from './commands/completion.ts';
import { convert } from './commands/convert.ts';
import { doctor } from './commands/doctor.ts';
import { finish } from './commands/finish.ts';
import { history } from './commands/history.ts';
import { init } from './commands/init.ts';
import { jump } from './commands/jump.ts';
import { lint } from './commands/lint.ts';
import { list } from './commands/list.ts';
import { pause } from './commands/pause.ts';
import { plan } from './commands/plan.ts';
import { restart } from './commands/restart.ts';
import { resume } from './commands/resume.ts';
import { retry } from './commands/retry.ts';
import { status } from './commands/status.ts';
import { takeover } from './commands/takeover.ts';
import { undo } from './commands/undo.ts';
import { version } from './commands/version.ts';

export const COMMANDS: readonly AnyCommand[] = [
  list,
  status,
  plan,
  approve,
  pause,
  resume,
  jump,
  undo,
  abort,
  retry,
  finish,
  history,
  restart,
  init,
  lint,
  doctor,
  takeover,
  convert,
  completion,
  version,
  complete,
];
