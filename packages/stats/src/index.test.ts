/** Freezes the public names: what is listed here is what users and papers cite. */
import { expect, it } from 'vitest';
import * as stats from './index.js';

it('exports these names and no others', () => {
  expect(Object.keys(stats).sort()).toEqual(
    [
      ...['bootstrapCI', 'pairedBootstrapTest', 'permutationTest', 'pairedTTest', 'independentTTest'],
      ...['wilcoxonSignedRank', 'mannWhitneyU', 'mcnemarTest', 'adjustPValues', 'CORRECTIONS'],
      ...['cohensD', 'interpretEffect', 'cliffsDelta', 'riskDifference', 'oddsRatio'],
      ...['wilsonInterval', 'clopperPearsonInterval'],
      ...['power', 'requiredSamples', 'minimumDetectableEffect', 'requiredSeeds'],
      ...['hierarchicalBootstrap', 'clusteredStandardError', 'interquartileMean', 'probabilityOfImprovement'],
      ...['compareToBaseline', 'compareScores', 'describeNeeds', 'parseScoreTable', 'RESULTS_FORMAT'],
      ...['formatReport', 'REPORT_FORMATS', 'formatInterval', 'formatNumber', 'formatPValue', 'formatSigned'],
      ...['significanceStars', 'StatsError'],
      ...['normal', 'studentT', 'chiSquared', 'fisherF', 'beta', 'binomial', 'brentRoot', 'monotoneRoot'],
      ...['noncentralT', 'noncentralChiSquared', 'noncentralF'],
    ].sort(),
  );
});
