/** The eight sections of the checklist, in its order. */
import type { Section } from '../experiment.js';
import { gpuUtilisation } from './gpu-utilisation.js';
import { logging } from './logging.js';
import { phases } from './phases.js';
import { preemption } from './preemption.js';
import { resume } from './resume.js';
import { singleCheckpoint } from './single-checkpoint.js';
import { slurm } from './slurm.js';
import { statistics } from './statistics.js';

export const sections: readonly Section[] = [
  ...[preemption, singleCheckpoint, logging, gpuUtilisation, phases, statistics, resume, slurm],
];
