#!/bin/bash
# One wire for two frozen models of different families on SQuAD: trained alone on the GPU, scored at 40, 20 and 10 latents
# (about 4x, 8x and 16x fewer positions than tokens); then
# arms that differ from it in one thing, side by side for a shorter time, with an arm that differs in nothing.
#   MODELS="a.gguf b.gguf" ENCODER=a.gguf TRAIN=train.json.gz DEV=dev.json.gz OUT=dir MINUTES=5 ARM_MINUTES=2 bash run.sh
# Every run directory's metrics are copied to $OUT; results.mjs makes the table.
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
LW="node $HERE/../../packages/latentwire/dist/cli/main.js"
RUNS=${RUNS:-/tmp/shared-wire}
DEVICE=${DEVICE:-cuda}
mkdir -p "$RUNS" "$OUT"
MODEL_FLAGS=(); for m in $MODELS; do MODEL_FLAGS+=(--model "$m"); done
COMMON=("${MODEL_FLAGS[@]}" --encoder-id "$ENCODER" --dataset squad --train-file "$TRAIN" --dev-file "$DEV"
  --samples "${SAMPLES:-87599}" --eval-samples "${QUESTIONS:-1000}" --eval-batch-size 256 --latent-len 10
  --train-expansions 1,2,4 --reading-tokens "${READING:-64}" --batch-size "${BATCH:-96}" --epochs 50 --num-workers 4
  --max-answer-tokens 24 --device "$DEVICE" --checkpoint-interval 100000 ${EXTRA:-})

# train NAME MINUTES MODES FLAGS...
train() {
  local name=$1 minutes=$2 modes=$3; shift 3
  $LW train "${COMMON[@]}" --save-dir "$RUNS/$name" --max-minutes "$minutes" --eval-modes "$modes" "$@" > "$OUT/$name.log" 2>&1
  keep "$name" 16x
}
keep() { cp "$RUNS/$1/logs/metrics.json" "$OUT/$1.$2.json" 2>> "$OUT/errors.log"; }

# finer NAME EXPANSION LABEL: scores the wire of a run at another length
finer() {
  $LW eval --save-dir "$RUNS/$1" --eval-expansion "$2" --eval-samples "${QUESTIONS:-1000}" --eval-batch-size 256 \
    --eval-modes latent,shuffled,token_budget --device "$DEVICE" >> "$OUT/$1.log" 2>&1 && keep "$1" "$3"
}

WIDE="--d-z 256 --wire-bits 8 --wire-bits-start 0.5 --disable-kd"
if [ "${PART:-all}" != arms ]; then
train main "${MINUTES:-5}" text,token_budget,no_context,latent,shuffled $WIDE
finer main 2 8x
finer main 4 4x
gzip -c "$RUNS/main/logs/diagnostics.jsonl" > "$OUT/main.diagnostics.jsonl.gz"
fi
[ "${PART:-all}" = main ] && exit 0
arm() { local name=$1; shift; train "$name" "${ARM_MINUTES:-2}" latent "$@" && finer "$name" 4 4x; }
arm same $WIDE &
arm small-message --d-z 64 --wire-bits 4 --wire-bits-start 0.5 --disable-kd &
arm no-pretraining $WIDE --pretrain-share 0 &
arm no-calibration $WIDE --disable-calibration &
arm distilled --d-z 256 --wire-bits 8 --wire-bits-start 0.5 --samples 20000 &
wait
ls -la "$OUT"
