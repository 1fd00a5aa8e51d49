// Colours of states.
import type { State } from '../../view/state.ts';
import type { Colour, Paint } from '../paint.ts';

const COLOURS: Partial<Record<State, Colour>> = {
  Idle: 'green',
  Stalled: 'red',
  Blocked: 'red',
  Waiting: 'yellow',
  Paused: 'yellow',
  Moving: 'cyan',
  Watching: 'cyan',
  Finishing: 'cyan',
  RollingBack: 'cyan',
};

export function paintState(state: State, paint: Paint): string {
  const colour = COLOURS[state];
  return colour ? paint(colour, state) : state;
}
