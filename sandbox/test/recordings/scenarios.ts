// The scenarios that were recorded on a real cluster. `record.ts` writes what it did into the JSON files of this folder.
import { daemonSets } from './daemon-sets.ts';
import { services } from './services.ts';
import { statefulSets } from './stateful-sets.ts';
import { validation } from './validation.ts';
import type { Scenario } from './run.ts';

export const scenarios: Scenario[] = [...statefulSets, ...daemonSets, ...validation, ...services];
