// The front door of the admission room.
export type { AdmissionDeps, Approval, Decided, KeyPair, PolicyReport } from './deps.ts';
export { createAdmissionServer, type AdmissionServer } from './server.ts';
export { askAccess, askRights, readRouted, readersOf } from './access.ts';
