#!/bin/bash
# Searches for a bundled pair that a wire can speak to, in one call on 4 GPUs and 64 cores (fewer work, more slowly):
# phase 1 pretrains four pairs at the same time, phase 2 trains wires for each of them, on its GPU (how far does it go?) and on
# two pinned cores each, as the demo does (how far in its minutes?).
#   PRETRAIN=4.2 WIRE=2.8 OUT=dir bash bench/demo-recipes/pair-search.sh
# A dry run without a GPU: DEVICE=cpu PRETRAIN=0.1 WIRE=0.1 CONTEXTS=4 SAMPLES=400 EVAL=8 JOBS=2 bash bench/demo-recipes/pair-search.sh
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
LW="node $HERE/../../packages/latentwire/dist/cli/main.js"
WORK=${WORK:-$(mktemp -d)}
OUT=${OUT:-$WORK/out}
mkdir -p "$OUT" "$WORK/logs"
GPUS=${GPUS:-$(nvidia-smi -L 2>/dev/null | wc -l)}
[ "$GPUS" -gt 0 ] || GPUS=1
CORES=$(nproc)
PRETRAIN=${PRETRAIN:-4.2}
WIRE=${WIRE:-2.8}
device() { if [ "${DEVICE:-cuda}" = cpu ]; then echo cpu; else echo "cuda:$(($1 % GPUS))"; fi; }

# name, pair, design (width x layers x heads x MLP x vocabulary), style, noise, lr
PAIRS="base wide noise plain"
pretrain() {
  local pair=$1 side=$2 design=$3 style=$4 noise=$5 lr=$6 gpu=$7
  OMP_NUM_THREADS=1 $LW pretrain --model "$design" --out "$WORK/$pair/$side" --seed 0 --steps 200000 \
    --max-minutes "$PRETRAIN" --contexts "${CONTEXTS:-128}" --questions 6 --lr "$lr" --style "$style" --noise "$noise" \
    --workers "${WORKERS:-4}" --eval-questions "${EVAL:-400}" --device "$(device "$gpu")" > "$WORK/logs/pretrain-$pair-$side.log" 2>&1 &
}
pretrain base llama tiny-llama@96x6x3x256x896 prose 0 2e-3 0
pretrain base qwen2 tiny-qwen2@160x5x5x416x880 prose 0 1.5e-3 0
pretrain wide llama tiny-llama@128x6x4x352x896 prose 0 2e-3 1
pretrain wide qwen2 tiny-qwen2@192x5x6x512x880 prose 0 1.2e-3 1
pretrain noise llama tiny-llama@128x6x4x352x896 prose 1 2e-3 2
pretrain noise qwen2 tiny-qwen2@192x5x6x512x880 prose 1 1.2e-3 2
pretrain plain llama tiny-llama@128x6x4x352x832 plain 0 2e-3 3
pretrain plain qwen2 tiny-qwen2@192x5x6x512x784 plain 0 1.2e-3 3
wait
for pair in $PAIRS; do for side in llama qwen2; do
  echo "== pretrain $pair $side"; grep -E "steps in|context|next stage|by way|error|hint" "$WORK/logs/pretrain-$pair-$side.log"
  grep -A6 f1ByKind "$WORK/$pair/$side/pretraining.json"
done; done
for pair in $PAIRS; do (cd "$WORK" && tar czf "$OUT/models-$pair.tgz" "$pair"); done

# A wire: name, pair, device ('cores' pins two), flags
core=$((2 * GPUS * 2 % CORES))
running=0
wire() {
  local name=$1 pair=$2 where=$3; shift 3
  local style=prose pin=() threads=1
  [ "$pair" = plain ] && style=plain
  if [ "$where" = cores ]; then
    pin=(taskset -c "$core,$(((core + 1) % CORES))"); threads=2; where=cpu
    core=$(((core + 2) % CORES))
  fi
  (
    OMP_NUM_THREADS=$threads "${pin[@]}" $LW train --model "$WORK/$pair/llama" --model "$WORK/$pair/qwen2" \
      --encoder-id "$WORK/$pair/llama" --dataset facts --facts-questions attribute --facts-people 2 --facts-each 2 --facts-style $style \
      --save-dir "$WORK/runs/$name" --device "$where" --samples "${SAMPLES:-160000}" --epochs 1000 --max-steps 60000 --max-minutes "$WIRE" \
      --disable-kd --adapter-hidden 256 --disable-calibration --warmup-ratio 0.02 --questions-together \
      --eval-samples "${EVAL:-400}" --eval-batch-size 100 --max-new-tokens 12 --eval-modes text,latent,shuffled "$@" \
      > "$WORK/logs/wire-$name.log" 2>&1
    # Wires of two lengths are asked at the longer one too.
    if [[ "$*" == *train-expansions* ]]; then
      OMP_NUM_THREADS=$threads "${pin[@]}" $LW eval --save-dir "$WORK/runs/$name" --eval-expansion 2 --eval-modes latent \
        > "$WORK/logs/wire-$name-2x.log" 2>&1
    fi
  ) &
  running=$((running + 1))
  if [ -n "${JOBS:-}" ] && [ "$running" -ge "$JOBS" ]; then wait; running=0; fi
}
STAGES="--pretrain-share 0.4 --reconstruction-weight 0.2 --descent-answer-weight 0.5"
ANSWERS="--reconstruction-weight 0"
FAST="--lr 2e-3 --encoder-lr 1e-3"
g=0
for pair in $PAIRS; do
  wire "$pair-gpu-stages" "$pair" "$(device $g)" --d-z 64 --latent-ratio 9 --train-expansions 1,2 --batch-size 128 $STAGES $FAST
  wire "$pair-gpu-answers" "$pair" "$(device $g)" --d-z 64 --latent-ratio 9 --train-expansions 1,2 --batch-size 128 $ANSWERS $FAST
  wire "$pair-cpu-stages4" "$pair" cores --d-z 64 --latent-ratio 4.5 --batch-size 32 --decoders-per-step one $STAGES $FAST
  wire "$pair-cpu-answers4" "$pair" cores --d-z 64 --latent-ratio 4.5 --batch-size 64 --decoders-per-step one $ANSWERS $FAST
  wire "$pair-cpu-answers8" "$pair" cores --d-z 64 --latent-ratio 9 --batch-size 64 --decoders-per-step one $ANSWERS $FAST
  wire "$pair-cpu-gentle4" "$pair" cores --d-z 64 --latent-ratio 4.5 --batch-size 64 --decoders-per-step one $ANSWERS --lr 2e-3 --encoder-lr 4e-4
  g=$((g + 1))
done
wait
for log in "$WORK"/logs/wire-*.log; do
  echo "== $(basename "$log" .log)"; grep -E "latent \(|another|text \(|latent  |error|hint" "$log"
done | tee "$OUT/wires.txt"
# Losses, thinned.
for run in "$WORK"/runs/*/; do
  name=$(basename "$run")
  awk 'NR % 50 == 1' "$run/logs/diagnostics.jsonl" > "$WORK/logs/$name.jsonl" 2>/dev/null
  cp "$run/logs/metrics.json" "$WORK/logs/$name-metrics.json" 2>/dev/null
done
(cd "$WORK" && tar czf "$OUT/logs.tgz" logs)
