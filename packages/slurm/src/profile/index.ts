export {
  type ClusterProfile,
  type JobRequest,
  jobFromProfile,
  parseProfile,
  parseSignal,
  parseTimeLimit,
  profileFields,
} from './cluster-profile.js';
