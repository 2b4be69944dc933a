/** A linear classifier on states of the frozen model. */
export { linearProbe, macroF1, type ProbeOptions, type ProbeResult } from './linear-probe.js';
