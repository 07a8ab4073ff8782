import { type Claim, exactly, not_tested, way } from './claim.ts';
import { study } from './sources.ts';
import { e3_calibration, e3_transfer, most_by } from './views.ts';

/** How well latency can be predicted. */

const E3 = study('docs/core_exp/e3_latency_estimator.md, expected findings');
/** Errors that differ by less are the same. */
const APART = 1.1;
/** Percent that a good transfer is off at most. */
const GOOD = 10;
/** The study's A: a line for each stage over what its network says. */
const AFFINE = 'network A';
const run = 'molmoe e3';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export const ESTIMATOR_CLAIMS: readonly Claim[] = [
  {
    id: 'stages-predict-better',
    statement: 'An estimator of each stage is more accurate than one of the total alone',
    source: E3,
    test: 'of two networks on the same requests, each predicted unseen, the mean error of the total by stages is at least a tenth smaller',
    ways: [
      way({ e3: e3_calibration }, ({ e3 }) => {
        const { network, network_total } = e3.body.held_out;
        const [by_stage, whole] = [network?.total, network_total?.total];
        if (!by_stage || !whole || by_stage.MAPE === 0) return not_tested('too few requests were measured for a fit');
        const ratio = whole.MAPE / by_stage.MAPE;
        const sentence = `mean errors of the total: by stages ${percent(by_stage.MAPE)}, of the total alone ${percent(whole.MAPE)}, over ${by_stage.n} requests`;
        if (ratio < APART && ratio > 1 / APART) return not_tested(`${sentence}: within a tenth of each other`);
        return exactly(ratio, ratio >= APART, 'times', sentence, by_stage.n);
      }),
    ],
    run,
  },
  {
    id: 'affine-transfer-on-50',
    statement: 'With a line for each stage 25 to 50 samples are enough to bring an estimator to another GPU',
    source: E3,
    test: `so fitted on 50 samples, or on 25 where there are no more, the mean error of the total on another adapter is ${GOOD} % at most`,
    ways: [
      way({ e3: e3_transfer }, ({ e3 }) => {
        const others = e3.body.adapters.filter(({ other_adapter }) => other_adapter);
        if (others.length === 0) return not_tested('nothing that was learnt on another adapter was given');
        const points = others.flatMap(({ from, curves }) => {
          const at = (N: number) => curves.find((point) => point.method === AFFINE && point.N === N);
          const point = at(50) ?? at(25);
          return point?.scores.total ? [{ from, N: point.N, ...point.scores.total }] : [];
        });
        const worst = most_by(points, ({ MAPE }) => MAPE);
        if (worst === undefined) return not_tested('too few requests were measured to fit on 25 and judge on others');
        const sentence = `from ${worst.from}, with ${worst.N} samples, the mean error of the total is ${percent(worst.MAPE)}`;
        return exactly(100 * worst.MAPE, 100 * worst.MAPE <= GOOD, '%', sentence, worst.n);
      }),
    ],
    run,
  },
  {
    id: 'decode-hard-to-predict',
    statement: 'Decode is much harder to predict than prefill: errors of 21 % a token against 3.5 %',
    source: study('docs/controller/archive/decode_latency_analysis.md'),
    test: 'the mean error of decode by the token is more than twice that of prefill',
    ways: [
      way({ e3: e3_calibration }, ({ e3 }) => {
        const { prefill, decode_per_token: decode } = e3.body.held_out.estimator ?? {};
        if (!prefill || !decode || prefill.MAPE === 0) return not_tested('too few requests were measured for a fit');
        const ratio = decode.MAPE / prefill.MAPE;
        const sentence = `mean errors of the estimator here: ${percent(decode.MAPE)} by the token, ${percent(prefill.MAPE)} in prefill, over ${decode.n} requests`;
        return exactly(ratio, ratio > 2, 'times', sentence, decode.n);
      }),
    ],
    run,
  },
];
