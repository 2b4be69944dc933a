#!/bin/bash
# Recipes for the demo's wire (both bundled models, attributes of two people, held-out names), side by side, each on two cores
# of the CPU as the demo runs, or all on one GPU. Eight at a time want 16 cores.
#   MINUTES=4.5 DEVICE=cpu OUT=dir bash bench/demo-recipes/run.sh [a b c …]
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
LW="node $HERE/../../packages/latentwire/dist/cli/main.js"
RUNS=${RUNS:-$(mktemp -d)}
OUT=${OUT:-$RUNS/out}
mkdir -p "$OUT"
WANTED=${*:-a b c d e f g h}
core=0
recipe() {
  local name=$1; shift
  [[ " $WANTED " == *" $name "* ]] || return 0
  OMP_NUM_THREADS=2 taskset -c $core,$((core + 1)) $LW train --model bundled:tiny-llama --model bundled:tiny-qwen2 \
    --encoder-id bundled:tiny-llama --dataset facts --facts-questions attribute --facts-each 2 --save-dir "$RUNS/$name" \
    --device "${DEVICE:-cpu}" --samples 200000 --max-minutes "${MINUTES:-4.5}" --disable-kd --decoders-per-step one \
    --eval-samples 200 --eval-batch-size 100 --max-new-tokens 12 --eval-modes text,latent,shuffled --adapter-hidden 256 \
    --lr 2e-3 --warmup-ratio 0.03 "$@" > "$OUT/$name.log" 2>&1 &
  core=$(((core + 2) % $(nproc)))
}
STAGES="--pretrain-share 0.5 --reconstruction-weight 0.2"
SIZE="--batch-size 32 --max-steps 900"
recipe a --d-z 64 --latent-ratio 8.5 --encoder-lr 1e-3 $SIZE $STAGES --descent-answer-weight 0.5
recipe b --d-z 64 --latent-ratio 8.5 --encoder-lr 1e-3 $SIZE $STAGES --descent-answer-weight 0.5 --disable-calibration
recipe c --d-z 64 --latent-ratio 4.2 --encoder-lr 1e-3 $SIZE $STAGES --descent-answer-weight 0.5 --disable-calibration
recipe d --d-z 32 --latent-ratio 8.5 --encoder-lr 1e-3 $SIZE $STAGES --descent-answer-weight 0.5 --disable-calibration --wire-bits 4 --wire-group 0 --wire-bits-start 0.7
recipe e --d-z 64 --latent-ratio 8.5 --encoder-lr 1e-3 $SIZE $STAGES --disable-calibration
recipe f --d-z 64 --latent-ratio 8.5 --encoder-lr 1e-3 $SIZE --pretrain-share 0.7 --reconstruction-weight 0.05 --descent-answer-weight 1 --disable-calibration
recipe g --d-z 64 --latent-ratio 8.5 --encoder-lr 1e-3 --batch-size 16 --max-steps 1800 $STAGES --descent-answer-weight 0.5 --disable-calibration
recipe h --d-z 64 --latent-ratio 8.5 --encoder-lr 2e-3 $SIZE $STAGES --descent-answer-weight 0.5 --disable-calibration
wait
for name in $WANTED; do echo "== $name"; grep -E "latent \(|another|text \(|error|hint" "$OUT/$name.log"; done
