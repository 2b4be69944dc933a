/**
 * What there is to measure on GPUs, for all.mjs: a shell command from the root of the repository, the seconds it takes
 * on an H100 (to begin with the longest), how many GPUs, and what it needs. `$WORK` is the folder of a part's own
 * files, `$LEFT` the seconds it has; `$MODELS` holds smollm2-135m.gguf, gemma-3-270m.gguf, train-v1.1.json.gz and dev-v1.1.json.gz.
 */
const LATENTWIRE = 'node packages/latentwire/bin/latentwire.js';
const SQUAD = '--set data.train_file=$MODELS/train-v1.1.json.gz --set data.dev_file=$MODELS/dev-v1.1.json.gz';

/** An arm of bench/shared-wire/arms.mjs; all leave their scores in one folder. */
const arm = (name, seconds) => ({
  seconds,
  needs: ['MODELS'],
  command: `node bench/shared-wire/run.mjs --set final --arms ${name} --runs $WORK --wait 15 --out '' \
    --models smollm2=$MODELS/smollm2-135m.gguf,gemma3=$MODELS/gemma-3-270m.gguf \
    --train $MODELS/train-v1.1.json.gz --dev $MODELS/dev-v1.1.json.gz \
    && mkdir -p $SCORES && cp $WORK/results/* $SCORES/`,
});
/** Plans name their models from the root of the repository. */
const plan = (name, seconds, more = '') => ({
  seconds,
  needs: ['MODELS'],
  command: `ln -sfn $MODELS models && ${LATENTWIRE} run experiments/${name}.yaml --experiment-dir $WORK/${name} ${SQUAD} ${more} \
    && ${LATENTWIRE} aggregate --experiment-dir $WORK/${name} --output $WORK/${name}/final_results.json`,
});
const utilisation = (name, batch) => ({
  seconds: 360,
  needs: ['MODELS'],
  // MODELS last: a shell sees it changed in what stands behind it.
  command: `ENCODER=$MODELS/smollm2-135m.gguf TRAIN=$MODELS/train-v1.1.json.gz DEV=$MODELS/dev-v1.1.json.gz \
    MODELS="$MODELS/smollm2-135m.gguf $MODELS/gemma-3-270m.gguf" \
    node bench/gpu/utilisation.mjs --batch ${batch} --seconds 270 --name gpu/${name} --run $WORK/run`,
});
const generation = (model, seconds, ...more) => ({
  seconds,
  needs: ['peer'],
  command: `node bench/gpu/generate.mjs --models ${model} --peer $PEER ${more.join(' ')}`,
});

export const PARTS = {
  step: { seconds: 400, needs: ['peer'], command: 'node bench/gpu/step.mjs --peer $PEER' },
  'shared-wire': arm('main', 620),
  utilisation: utilisation('utilisation', 'auto'),
  /** One in which launches matter. */
  'utilisation-small': utilisation('utilisation-small', 128),
  'auto-batch': { seconds: 260, command: 'node bench/gpu/auto-batch.mjs' },
  /** What only a GPU shows of it; the whole takes longer and comes to it last. */
  'checklist-gpu': {
    seconds: 200,
    command: `${LATENTWIRE} checklist --section 3,4 --verbose --out $WORK/checklist`,
  },
  checklist: {
    seconds: 380,
    command: `${LATENTWIRE} checklist --verbose --out $WORK/checklist; code=$?; \
      node packages/latentwire/src/checklist/golden/make-evidence.mjs $WORK/checklist; \
      cp packages/latentwire/src/checklist/golden/evidence.json $WORK/; exit $code`,
  },
  'core-smollm2': plan('core-smollm2', 560),
  'small-models': plan('small-models', 700),
  short: arm('short', 260),
  'short-no-pretraining': arm('short-no-pretraining', 260),
  'short-no-calibration': arm('short-no-calibration', 260),
  'short-distilled': arm('short-distilled', 320),
  'small-message': arm('small-message', 260),
  pair: {
    seconds: 1100,
    command: 'GPU=$CUDA_VISIBLE_DEVICES WAIT=$LEFT OUT=$WORK/packed bash bench/demo-recipes/make-pair.sh',
  },
  load: { seconds: 120, command: 'node bench/gpu/load.mjs --folder $WORK/load; rm -rf $WORK/load' },
  'two-readers': { seconds: 200, command: 'node bench/gpu/two-readers.mjs' },
  'generate-llama-8b': generation(
    'llama-8b',
    400,
    '--name gpu/generate-llama-8b --peer-modes dynamic --runs 3',
  ),
  'generate-smollm2-135m': generation(
    'smollm2-135m',
    240,
    '--name gpu/generate-smollm2-135m --peer-modes dynamic',
  ),
  /** After all others, on all GPUs. */
  'data-parallel': {
    seconds: 150,
    gpus: 'all',
    command: 'node bench/gpu/data-parallel.mjs --gpus $GPUS',
  },
  score: {
    seconds: 170,
    gpus: 'all',
    needs: ['MODELS'],
    command: `node bench/shared-wire/score.mjs --runs $PARTS/shared-wire --gpus $CUDA_VISIBLE_DEVICES --questions 2000 --minutes 2.6 --out '' \
      && cp $PARTS/shared-wire/results/* $SCORES/`,
  },
};
